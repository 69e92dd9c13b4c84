"""The models a user can name: those that come with glm-lsp and those that were added.

One JSON file, replaced as a whole under a lock, so that a reader sees the old or the new one. A
file that cannot be read is set aside as `.corrupt-N` and the bundled models remain. No torch
here: the daemon's process and the command line import this.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glm_protocol.errors import BadRequest, ModelUnknown
from glm_runtime.model_family import CODE, family_of

DEFAULT_MODEL = "nano-code"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HUB_ID = re.compile(r"[A-Za-z0-9._-]{1,96}/[A-Za-z0-9._-]{1,96}")
_VERSION = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSpec:
    """One model that can be asked for.

    `source` is an absolute folder or a hub id; `family` that of its engine (`model_family`);
    `prompt_format` None: decided from the tokenizer; `capabilities` as in `EngineInfo`, empty
    where they are only known once the model is loaded.
    """

    name: str
    source: str
    family: str = CODE
    prompt_format: str | None = None
    capabilities: tuple[str, ...] = ()
    bundled: bool = False

    def __post_init__(self) -> None:
        if not self.name or not self.source:
            raise ValueError("a model has a name and a source")

    @property
    def folder(self) -> Path | None:
        """The folder of the weights; None for a hub id."""
        return None if _HUB_ID.fullmatch(self.source) else Path(self.source)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Contents:
    models: Mapping[str, ModelSpec]
    defaults: Mapping[str, str]  # by family


def bundled_models_folder() -> Path:
    """Where the models that come with glm-lsp lie: in the wheel, or in the source tree."""
    here = Path(__file__).parent
    packaged = here / "bundled_models"
    return packaged if packaged.is_dir() else here.parents[1] / "models"


class ModelRegistry:
    """The registry in `file`; `messages` tells what was set aside while reading it."""

    def __init__(self, file: Path, *, bundled: Path | None = None) -> None:
        self._file = file
        self._bundled_folder = bundled_models_folder() if bundled is None else bundled
        self.messages: list[str] = []

    def models(self) -> tuple[ModelSpec, ...]:
        """Every model by name, bundled ones first; an added one may not hide a bundled one."""
        bundled = self._bundled()
        added = self._read().models
        names = [name for name in sorted(added) if name not in bundled]
        return (*bundled.values(), *(added[name] for name in names))

    @property
    def default(self) -> str:
        """Name of the code model that is used when none is named."""
        return self.default_of(CODE) or DEFAULT_MODEL

    def default_of(self, family: str) -> str | None:
        """The model of a family that is used when none is named; None where there is none.

        What the user chose, else for code the one that comes with glm-lsp, else the first that
        the user added, else the first bundled.
        """
        known = [spec for spec in self.models() if spec.family == family]
        names = {spec.name for spec in known}
        chosen = self._read().defaults.get(family)
        if chosen in names:
            return chosen
        if DEFAULT_MODEL in names:
            return DEFAULT_MODEL
        return min(known, key=lambda spec: spec.bundled).name if known else None

    def add(self, name: str, source: str) -> ModelSpec:
        """Register a folder or a hub id. Raises BadRequest; nothing is loaded or fetched."""
        if not _NAME.fullmatch(name) or name.strip(".") == "":
            raise BadRequest(
                f"{name[:80]!r} is no name for a model.",
                remedy="Use 1 to 64 letters, digits, dots, dashes and underscores.",
            )
        if name in self._bundled() or name == "fake":
            raise BadRequest(f"The name {name!r} is taken by a model that comes with glm-lsp.")
        folder = Path(source).expanduser()
        if source and folder.is_dir():
            folder = folder.resolve()
            spec = ModelSpec(name=name, source=str(folder), family=family_of(folder))
        elif _HUB_ID.fullmatch(source) and not source.startswith("."):
            spec = ModelSpec(name=name, source=source)
        else:
            raise BadRequest(
                f"There is no model folder {source!r}.",
                remedy="Name a folder with config.json and safetensors, or a hub id: OWNER/NAME.",
            )
        with self._locked() as contents:
            self._write({**contents.models, name: spec}, contents.defaults)
        return spec

    def remove(self, name: str) -> None:
        """Forget an added model; its files stay. Raises ModelUnknown, BadRequest if bundled."""
        if name in self._bundled():
            raise BadRequest(f"{name!r} comes with glm-lsp and cannot be removed.")
        with self._locked() as contents:
            if name not in contents.models:
                raise self._unknown(name)
            models = {key: spec for key, spec in contents.models.items() if key != name}
            kept = {key: value for key, value in contents.defaults.items() if value != name}
            self._write(models, kept)

    def set_default(self, name: str) -> None:
        """Make it the one of its family that is used when none is named. Raises ModelUnknown."""
        with self._locked() as contents:
            spec = self._bundled().get(name) or contents.models.get(name)
            if spec is None:
                raise self._unknown(name)
            self._write(contents.models, {**contents.defaults, spec.family: name})

    def resolve(self, name_or_path: str | None = None) -> ModelSpec:
        """The model of a registered name, a folder or a hub id; the default for None.

        Raises ModelUnknown. Whether the weights are usable shows when they are loaded.
        """
        wanted = self.default if name_or_path is None else name_or_path
        for spec in self.models():
            if spec.name == wanted:
                return spec
        if "\0" not in wanted and len(wanted) < 4096:
            folder = Path(wanted).expanduser()
            if ("/" in wanted or wanted.startswith(".")) and folder.is_dir():
                resolved = folder.resolve()
                name = resolved.name or wanted
                return ModelSpec(name=name, source=str(resolved), family=family_of(resolved))
            if _HUB_ID.fullmatch(wanted) and not wanted.startswith("."):
                return ModelSpec(name=wanted, source=wanted)
        raise self._unknown(wanted)

    def _unknown(self, name: str) -> ModelUnknown:
        known = ", ".join(spec.name for spec in self.models()) or "none"
        return ModelUnknown(f"There is no model {name[:200]!r}; known are: {known}.")

    def _bundled(self) -> dict[str, ModelSpec]:
        if not self._bundled_folder.is_dir():
            return {}
        folders = (config.parent for config in self._bundled_folder.glob("*/config.json"))
        return {
            folder.name: ModelSpec(
                name=folder.name, source=str(folder), family=family_of(folder), bundled=True
            )
            for folder in sorted(folders)
        }

    def _read(self) -> _Contents:
        try:
            return _parse(json.loads(self._file.read_bytes()))
        except FileNotFoundError:
            return _Contents(models={}, defaults={})
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self._set_aside()
            return _Contents(models={}, defaults={})

    def _set_aside(self) -> None:
        number = 1
        while (aside := self._file.with_name(f"{self._file.name}.corrupt-{number}")).exists():
            number += 1
        try:
            self._file.rename(aside)
        except FileNotFoundError:  # another process was quicker
            return
        self.messages.append(f"The list of models could not be read; it was set aside as {aside}.")

    @contextmanager
    def _locked(self) -> Iterator[_Contents]:
        """The contents, to be written while no other process writes."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.with_name(self._file.name + ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # released with the file
            yield self._read()

    def _write(self, models: Mapping[str, ModelSpec], defaults: Mapping[str, str]) -> None:
        wire = {
            "version": _VERSION,
            "defaults": dict(defaults),
            "models": {name: _to_wire(models[name]) for name in sorted(models)},
        }
        fd, temporary = tempfile.mkstemp(dir=self._file.parent, prefix=self._file.name)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as stream:
                json.dump(wire, stream, indent=1)
                stream.flush()
                os.fsync(fd)
            Path(temporary).replace(self._file)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _to_wire(spec: ModelSpec) -> dict[str, Any]:
    wire = asdict(spec)
    del wire["name"], wire["bundled"]
    return wire


def _parse(raw: Any) -> _Contents:
    """Raises ValueError, TypeError, KeyError or AttributeError on anything malformed."""
    if raw["version"] != _VERSION:
        raise ValueError(f"version {raw['version']!r} is not known")
    models = {}
    for name, wire in raw["models"].items():
        fields = {**wire, "capabilities": tuple(wire["capabilities"])}
        models[name] = ModelSpec(name=name, **fields)
    defaults = {str(family): str(name) for family, name in raw["defaults"].items()}
    return _Contents(models=models, defaults=defaults)
