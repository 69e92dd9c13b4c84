"""Which models this daemon may load, by the names that requests use.

The registry's names, and the default: what `serve --model` named (also a folder), else the
registry's. Invariant: a request cannot name a folder or a hub id, only what the user registered
or served. Whether a model is sound is found out by the worker that loads it.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from glm_daemon.engine_families import FAKE_MODEL, LOADERS
from glm_protocol.chat import ChatRequest
from glm_protocol.drawing import DrawRequest
from glm_protocol.errors import ModelUnknown, Unsupported
from glm_protocol.requests import AnyRequest
from glm_protocol.translation import TranslationRequest
from glm_runtime.engine import EngineOptions
from glm_runtime.model_family import CODE, FAMILIES, IMAGE, VISION, family_of
from glm_runtime.model_registry import DEFAULT_MODEL, ModelRegistry

LOG = logging.getLogger(__name__)
TRANSLATOR = "nano-translate"  # translates where nano-code completes
Signature = tuple[int, int] | None


class ModelTable:
    """The names and their families. Reads the registry again when its file has changed."""

    def __init__(self, *, registry: Path, options: EngineOptions) -> None:
        """`options` are those of every engine; its `model` is the served one, "" for none."""
        self._options = options
        self._file = registry
        self._seen: Signature | str = "never"
        self._families: dict[str, str] = {}
        self._defaults: dict[str, str | None] = {CODE: DEFAULT_MODEL}

    @property
    def default(self) -> str:
        if self._options.model:
            return self._options.model
        self._refresh()
        return self._defaults[CODE] or DEFAULT_MODEL

    def default_for(self, request: AnyRequest) -> str:
        """The model for a request that names none. Raises ModelUnknown where there is none."""
        default = self.default
        if default == FAKE_MODEL:
            return default
        self._refresh()
        match request:
            case TranslationRequest() if default == DEFAULT_MODEL and TRANSLATOR in self._families:
                return TRANSLATOR
            case ChatRequest() if request.has_images:
                return self._default_of(VISION, default, "reads pictures")
            case DrawRequest():
                return self._default_of(IMAGE, default, "draws")
        return default

    def _default_of(self, family: str, served: str, does: str) -> str:
        """What `serve --model` named if it is of the family, else the registry's choice."""
        if self._families.get(served) == family:
            return served
        name = self._defaults.get(family)
        if name is None:
            raise ModelUnknown(f"No model that {does} is registered.")
        return name

    def names(self) -> list[str]:
        """The default first, then the registered ones; a daemon of the fake has no other."""
        default = self.default
        if default == FAKE_MODEL:
            return [default]
        self._refresh()
        return [default, *(name for name in self._families if name != default)]

    def family(self, name: str) -> str:
        """The family of a name of `names`; a folder served by its path is asked itself."""
        if name == FAKE_MODEL:
            return FAKE_MODEL
        self._refresh()
        known = self._families.get(name)
        return family_of(Path(name)) if known is None else known

    def resolve(self, name: str | None) -> tuple[str, EngineOptions]:
        """Loader and options of a name, of the default for None. Raises ModelUnknown."""
        default = self.default
        chosen = default if name is None else name
        if chosen not in self.names():
            raise ModelUnknown(f"No model named {chosen[:80]!r} is registered.")
        family = self.family(chosen)
        if family not in LOADERS:
            raise Unsupported(f"This version runs no models of the family {family}.")
        return LOADERS[family], replace(self._options, model=chosen)

    def _refresh(self) -> None:
        signature = self._signature()
        if signature == self._seen:
            return
        self._seen = signature
        registry = ModelRegistry(self._file)
        try:
            self._families = {spec.name: spec.family for spec in registry.models()}
            self._defaults = {family: registry.default_of(family) for family in FAMILIES}
        except OSError as error:
            LOG.error("the list of models cannot be read (%s)", error.strerror)
        for message in registry.messages:
            LOG.warning(message)

    def _signature(self) -> Signature:
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size
