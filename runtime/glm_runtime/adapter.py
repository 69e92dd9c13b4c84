"""A fine-tuned adapter on disk: its folder, what it belongs to, and how it did. No torch here.

A folder under `GLM_LSP_HOME/adapters` in the format of peft, so that vLLM and peft read it too:

    adapter_config.json          peft's: rank, alpha, the layers
    adapter_model.safetensors    two small matrices for each of those layers
    glm_adapter.json             ours: base model and its fingerprint, remote, report, published

Invariant: a name is one path component, never hidden, so that no request can reach outside the
folder. Whether the matrices are sound is `lora_weights`' business.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from glm_protocol.errors import AdapterUnknown, ModelUnusable
from glm_runtime.weight_files import weight_files

MANIFEST = "glm_adapter.json"
CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
BY_REMOTE = "@"  # a request's adapter that begins so names a repository, not an adapter
CANDIDATE = ".candidate"
_NAME = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,64}")
_PART, _OLD = ".part-", ".old-"  # before a name, while an adapter is put in its place
_MAX_JSON = 4 << 20
_WINDOW, _WINDOWS = 4096, 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Adapter:
    """`remote` is the repository (see `normal_remote`), "" for none; `report` the receipt."""

    name: str
    folder: Path
    base: str  # name of the model that it was made for
    fingerprint: str  # of that model's files; "" where it was not made here
    remote: str = ""
    published: bool = False
    created: float = 0.0  # seconds since the epoch
    commit: str = ""
    report: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name for an adapter")

    @property
    def gain(self) -> float | None:
        """Edit similarity gained with retrieval, as the receipt says it."""
        gain = self.report.get("gain")
        value = gain.get("edit_similarity") if isinstance(gain, dict) else None
        middle = value.get("value") if isinstance(value, dict) else None
        return float(middle) if isinstance(middle, int | float) else None

    def manifest(self) -> dict[str, Any]:
        """What `glm_adapter.json` holds."""
        wire = asdict(self)
        del wire["name"], wire["folder"]
        return {"version": 1, **wire}


def is_adapter_name(name: str) -> bool:
    """Whether `name` may name an adapter."""
    return _NAME.fullmatch(name) is not None


def read_adapter(folder: Path) -> Adapter:
    """Raises ModelUnusable for a folder that is no adapter of the right format."""
    if not folder.is_dir():
        raise ModelUnusable(f"There is no adapter folder {folder}.")
    if not (folder / WEIGHTS).is_file():
        pickled = (folder / "adapter_model.bin").exists()
        what = "holds pickled weights only, which can run code when read" if pickled else "is empty"
        raise ModelUnusable(
            f"The adapter {folder.name} {what}.",
            remedy="Make it anew with `glm-lsp finetune`, or save it as safetensors.",
        )
    wire = read_json(folder / MANIFEST) if (folder / MANIFEST).is_file() else {}
    config = read_json(folder / CONFIG)
    try:
        return Adapter(
            name=folder.name,
            folder=folder,
            base=str(wire.get("base") or config.get("base_model_name_or_path") or ""),
            fingerprint=str(wire.get("fingerprint", "")),
            remote=str(wire.get("remote", "")),
            published=wire.get("published") is True,
            created=float(wire.get("created", 0.0)),
            commit=str(wire.get("commit", "")),
            report=dict(wire.get("report", {})),
        )
    except (TypeError, ValueError) as error:
        raise ModelUnusable(f"{folder / MANIFEST} makes no sense ({error}).") from error


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object of bounded size. Raises ModelUnusable."""
    try:
        if file.stat().st_size > _MAX_JSON:
            raise ModelUnusable(f"{file} is larger than {_MAX_JSON >> 20} MB.")
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelUnusable(f"{file} cannot be read as JSON.") from error
    if not isinstance(found, dict):
        raise ModelUnusable(f"{file} holds no JSON object.")
    return found


class AdapterShelf:
    """The adapters of one home folder."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "adapters"

    def all(self) -> Iterator[Adapter | ModelUnusable]:
        """Every adapter by name; a folder that is none comes as the error that says why."""
        if not self.folder.is_dir():
            return
        for folder in sorted(self.folder.iterdir()):
            if folder.is_dir() and is_adapter_name(folder.name):
                try:
                    yield read_adapter(folder)
                except ModelUnusable as error:
                    yield error

    def get(self, name: str) -> Adapter:
        """Raises AdapterUnknown, or ModelUnusable for a broken one."""
        if not is_adapter_name(name) or not (self.folder / name).is_dir():
            raise AdapterUnknown(f"There is no adapter {name[:80]!r}.")
        return read_adapter(self.folder / name)

    def for_remote(self, remote: str, base: str) -> Adapter | None:
        """The newest published adapter of a repository for a model, or None."""
        found = [
            adapter
            for adapter in self.all()
            if isinstance(adapter, Adapter)
            and adapter.published
            and adapter.remote == remote
            and adapter.base == base
        ]
        return max(found, key=lambda adapter: adapter.created, default=None)

    def place(self, name: str, source: Path, adapter: Adapter) -> Adapter:
        """Copy `source`'s matrices to the shelf under `name`, whole or not at all.

        One process a name at a time (a run holds its lock). One that was killed in here leaves
        its parts under fixed names, and the next one begins by putting them right.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part, old, target = (self.folder / f"{mark}{name}" for mark in (_PART, _OLD, ""))
        if old.is_dir() and not target.exists():
            old.rename(target)
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)
        part.mkdir(mode=0o700)
        try:
            for file in (CONFIG, WEIGHTS):
                shutil.copyfile(source / file, part / file)
                (part / file).chmod(0o600)
            text = json.dumps(adapter.manifest(), indent=1)
            (part / MANIFEST).write_text(text + "\n", encoding="utf-8")
            (part / MANIFEST).chmod(0o600)
            if target.exists():
                target.rename(old)
            part.rename(target)
            shutil.rmtree(old, ignore_errors=True)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        return read_adapter(target)

    def remove(self, name: str) -> None:
        """Delete an adapter, broken or not. Raises AdapterUnknown."""
        if not is_adapter_name(name) or not (self.folder / name).is_dir():
            raise AdapterUnknown(f"There is no adapter {name[:80]!r}.")
        shutil.rmtree(self.folder / name)


def fingerprint(model_folder: Path) -> str:
    """Tells two versions of a model apart: names, sizes and sampled bytes of its files.

    Reads 16 windows of 4 KB of each weight file, so that it takes no longer for a large model.
    Raises ModelUnusable where there are no weights.
    """
    digest = hashlib.sha256()
    files = [model_folder / "config.json", model_folder / "tokenizer.json"]
    for file in (*files, *weight_files(model_folder)):
        if not file.is_file():
            continue
        size = file.stat().st_size
        digest.update(f"{file.name} {size}\n".encode())
        with file.open("rb") as stream:
            for number in range(_WINDOWS):
                stream.seek(size * number // _WINDOWS)
                digest.update(stream.read(_WINDOW))
    return digest.hexdigest()
