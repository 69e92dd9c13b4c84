"""Beginnings of prompts whose keys and values outlive the process, for the first prompt after it.

A page is known by its mark: a hash of the model, the adapter and all tokens up to the page's end.
So the longest saved beginning of a prompt is found without any text, and what another model,
another version of this one or another adapter computed is never met. Whatever cannot be read is
as if it were not there. Only the user of this machine has such files: what is computed for a
tenant of a team's daemon is never written.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import weakref
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from glm_runtime.checkpoint import Checkpoint
from glm_runtime.kv_cache import KVCache
from glm_runtime.native.engine_build import library_name
from glm_runtime.native.engine_library import PAGE
from glm_runtime.prefix_file import (
    MARK,
    PART,
    DamagedFile,
    Pages,
    PrefixFile,
    open_prefix,
    write_prefix,
)

if TYPE_CHECKING:
    from glm_runtime.lora_weights import LoraWeights

SWITCH = "GLM_LSP_KV_ON_DISK"  # "0": nothing is written and nothing read
LEAST = 8  # pages that a file must spare a prompt
MOST_FILES, MOST_BYTES = 16, 256 << 20  # of all models together; the least recently used goes
_ENOUGH = 0.75  # share of a conversation that is saved already: no need to write it again
_ENDING = ".kv"

log = logging.getLogger(__name__)


class PagedModel(Protocol):
    """A model whose pages can be copied out and in."""

    @property
    def page_bytes(self) -> int: ...

    def copy_pages(self, store: Any, count: int) -> Pages: ...

    def append_pages(self, store: Any, pages: Pages) -> None:
        """Raises MemoryError where no page is free; what was kept stays."""
        ...


class SavedPrefixes:
    """The files of one model in a folder that all models share."""

    def __init__(self, folder: Path, identity: bytes, model: PagedModel) -> None:
        """`identity`: of the model, see `identity_of`."""
        self._folder = folder
        self._identity = identity
        self._model = model
        self._seeds: weakref.WeakKeyDictionary[LoraWeights, bytes] = weakref.WeakKeyDictionary()
        self._told = False
        self._files = [found for path in self._paths() if (found := _look(path)) is not None]

    def recall(self, cache: KVCache, prompt: Sequence[int], lora: LoraWeights | None) -> None:
        """Let the cache, which holds a beginning of the prompt, hold a longer one."""
        whole = len(cache.tokens) // PAGE
        if not self._files or (len(prompt) - 1) // PAGE < whole + LEAST:
            return
        marks = marks_of(prompt[:-1], self._seed(lora))  # the last token's logits are wanted
        best = max(self._files, key=lambda one: _common(one.marks, marks))
        common = _common(best.marks, marks)
        if common < whole + LEAST:
            return
        try:
            pages = best.read(whole, common)
            os.utime(best.path)
        except (OSError, DamagedFile):
            self._forget(best)
            return
        cache.store.cut(whole * PAGE)
        del cache.tokens[whole * PAGE :]
        with contextlib.suppress(MemoryError):
            self._model.append_pages(cache.store, pages)
            cache.tokens += prompt[whole * PAGE : common * PAGE]

    def keep(self, conversations: Iterable[tuple[KVCache, LoraWeights | None]]) -> None:
        """Write what they hold, the last used first in order: as many as files are allowed."""
        chosen: list[tuple[KVCache, LoraWeights | None]] = []
        room = MOST_BYTES
        for cache, lora in conversations:
            room -= len(cache.tokens) // PAGE * self._model.page_bytes
            if room < 0 or len(chosen) == MOST_FILES:
                break
            chosen.append((cache, lora))
        for cache, lora in reversed(chosen):  # so that the last used has the newest file
            self._keep(cache, lora)
        if chosen:
            self._keep_bound()

    def _keep(self, cache: KVCache, lora: LoraWeights | None) -> None:
        """Unless most of it is there already."""
        count = len(cache.tokens) // PAGE
        if count < LEAST:
            return
        marks = marks_of(cache.tokens, self._seed(lora))
        for file in self._files:
            if _common(file.marks, marks) >= _ENOUGH * count:
                with contextlib.suppress(OSError):
                    os.utime(file.path)
                return
        name = f"{self._identity.hex()}-{marks[-1].hex()}{_ENDING}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            pages = self._model.copy_pages(cache.store, count)
            written = write_prefix(self._folder / name, marks, pages)
        except (OSError, MemoryError) as error:
            if not self._told:
                self._told = True
                log.warning("keys and values are not saved (%s)", error)
            return
        for older in [one for one in self._files if _common(one.marks, marks) == len(one.marks)]:
            self._forget(older)
        self._files.append(written)

    def _seed(self, lora: LoraWeights | None) -> bytes:
        if lora is None:
            return self._identity
        if lora not in self._seeds:
            digest = hashlib.blake2b(self._identity, digest_size=MARK)
            for name, pair in sorted(lora.pairs.items()):
                digest.update(f"{name} {pair.a_RI.shape} {pair.b_OR.shape}".encode())
                for matrix in (pair.a_RI, pair.b_OR):
                    digest.update(np.ascontiguousarray(matrix).data)
            self._seeds[lora] = digest.digest()
        return self._seeds[lora]

    def _paths(self) -> list[Path]:
        """Of this model; what was left half written is swept."""
        with contextlib.suppress(OSError):
            for part in self._folder.glob(f"{self._identity.hex()}-*{_ENDING}{PART}"):
                part.unlink()
        return sorted(self._folder.glob(f"{self._identity.hex()}-*{_ENDING}"))

    def _forget(self, file: PrefixFile) -> None:
        self._files = [one for one in self._files if one is not file]
        with contextlib.suppress(OSError):
            file.path.unlink()

    def _keep_bound(self) -> None:
        """Over the files of all models, which may be other processes' too."""
        found: list[tuple[float, int, Path]] = []
        for path in self._folder.glob(f"*{_ENDING}"):
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        found.sort(reverse=True)
        held = 0
        for number, (_, size, path) in enumerate(found):
            held += size
            if number >= MOST_FILES or held > MOST_BYTES:
                with contextlib.suppress(OSError):
                    path.unlink()
                self._files = [one for one in self._files if one.path != path]


def saved_prefixes(
    folder: Path, checkpoint: Checkpoint, model: Any, what: str
) -> SavedPrefixes | None:
    """The files of a model whose pages can be saved; None for others, and where it is off.

    `what`: in what numbers and with which instructions it computes.
    """
    if os.environ.get(SWITCH) == "0" or not hasattr(model, "append_pages"):
        return None
    return SavedPrefixes(folder, identity_of(checkpoint, what), model)


def identity_of(checkpoint: Checkpoint, what: str) -> bytes:
    """Another one for other weights, another config, or an engine that computes other bits."""
    digest = hashlib.blake2b(f"{library_name()} {what}".encode(), digest_size=MARK)
    digest.update((checkpoint.folder / "config.json").read_bytes())
    for file in sorted(checkpoint.shards):
        status = file.stat()
        digest.update(f"{file.name} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.digest()


def marks_of(tokens: Sequence[int], seed: bytes) -> list[bytes]:
    """Of each whole page: a hash of everything up to its end."""
    count = len(tokens) // PAGE
    ids = np.asarray(tokens[: count * PAGE], "<i4").reshape(count, PAGE)
    marks = [seed]
    for page in ids:
        marks.append(hashlib.blake2b(marks[-1] + page.tobytes(), digest_size=MARK).digest())
    return marks[1:]


def _common(marks: Sequence[bytes], others: Sequence[bytes]) -> int:
    """Pages that both begin with. Marks hold all before them, so the last that agrees tells."""
    low, high = 0, min(len(marks), len(others))
    while low < high:
        middle = (low + high + 1) // 2
        if marks[middle - 1] == others[middle - 1]:
            low = middle
        else:
            high = middle - 1
    return low


def _look(path: Path) -> PrefixFile | None:
    try:
        return open_prefix(path)
    except (OSError, DamagedFile):
        with contextlib.suppress(OSError):
            path.unlink()
        return None
