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
from glm_protocol.errors import ModelUnknown, Unsupported
from glm_runtime.engine import EngineOptions
from glm_runtime.model_registry import DEFAULT_MODEL, ModelRegistry

LOG = logging.getLogger(__name__)
Signature = tuple[int, int] | None


class ModelTable:
    """The names and their families. Reads the registry again when its file has changed."""

    def __init__(self, *, registry: Path, options: EngineOptions) -> None:
        """`options` are those of every engine; its `model` is the served one, "" for none."""
        self._options = options
        self._file = registry
        self._seen: Signature | str = "never"
        self._families: dict[str, str] = {}
        self._registered_default = DEFAULT_MODEL

    @property
    def default(self) -> str:
        if self._options.model:
            return self._options.model
        self._refresh()
        return self._registered_default

    def names(self) -> list[str]:
        """The default first, then the registered ones; a daemon of the fake has no other."""
        default = self.default
        if default == FAKE_MODEL:
            return [default]
        self._refresh()
        return [default, *(name for name in self._families if name != default)]

    def resolve(self, name: str | None) -> tuple[str, EngineOptions]:
        """Loader and options of a name, of the default for None. Raises ModelUnknown."""
        default = self.default
        chosen = default if name is None else name
        if chosen not in self.names():
            raise ModelUnknown(f"No model named {chosen[:80]!r} is registered.")
        family = "fake" if chosen == FAKE_MODEL else self._families.get(chosen, "code")
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
            self._registered_default = registry.default
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
