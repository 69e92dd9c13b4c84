"""The adapters that one loaded model has at hand: loaded on first use, again when they changed.

A request says an adapter's name, or `@` and a repository's remote: then the newest adapter that
was published for it is taken, and the base model where there is none. What is refused is refused
here, before any forward.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from glm_protocol.errors import AdapterUnknown, ModelUnusable
from glm_runtime.adapter import BY_REMOTE, MANIFEST, WEIGHTS, Adapter, AdapterShelf
from glm_runtime.lora_weights import LoraWeights, load_lora

if TYPE_CHECKING:
    import torch

MOST = 16  # adapters kept in memory; the least recently used goes first
Signature = tuple[int, ...]


class AdapterRack:
    """`base` and `fingerprint` are the loaded model's; "" admits any adapter that fits."""

    def __init__(
        self,
        shelf: AdapterShelf,
        *,
        base: str,
        fingerprint: str,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """`device` and `dtype`: where torch computes; None: it does not, and is not imported."""
        self._shelf = shelf
        self._base = base
        self._fingerprint = fingerprint
        self._device = device
        self._dtype = dtype
        self._loaded: OrderedDict[str, tuple[Signature, LoraWeights]] = OrderedDict()

    def choose(self, wanted: str | None) -> LoraWeights | None:
        """The adapter of a request, None for the base model.

        Raises AdapterUnknown, or ModelUnusable for one that is damaged or of another model.
        """
        if not wanted:
            return None
        if wanted.startswith(BY_REMOTE):
            adapter = self._shelf.for_remote(wanted.removeprefix(BY_REMOTE), self._base)
            if adapter is None or adapter.fingerprint != self._fingerprint:
                return None
            return self._load(adapter)
        try:
            return self._load(self._shelf.get(wanted))
        except AdapterUnknown:
            self._loaded.pop(wanted, None)
            raise

    def _load(self, adapter: Adapter) -> LoraWeights:
        signature = _signature(adapter.folder)
        held = self._loaded.get(adapter.name)
        if held is not None and held[0] == signature:
            self._loaded.move_to_end(adapter.name)
            return held[1]
        if adapter.fingerprint and self._fingerprint and adapter.fingerprint != self._fingerprint:
            raise ModelUnusable(
                f"The adapter {adapter.name} was made for {adapter.base or 'another model'}, not"
                f" for this version of {self._base}.",
                remedy="Make it anew with `glm-lsp finetune`.",
            )
        lora = load_lora(adapter, self._device, self._dtype)
        self._loaded[adapter.name] = (signature, lora)
        while len(self._loaded) > MOST:
            self._loaded.popitem(last=False)
        return lora


def _signature(folder: Path) -> Signature:
    found: list[int] = []
    for name in (WEIGHTS, MANIFEST):
        try:
            status = (folder / name).stat()
        except OSError:
            continue
        found += [status.st_ino, status.st_mtime_ns, status.st_size]
    return tuple(found)
