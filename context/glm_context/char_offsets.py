"""Byte offsets of UTF-8 (what tree-sitter counts) to character offsets (what Python counts)."""

from __future__ import annotations

_STRIDE = 1024
_CONTINUATION = bytes(range(0x80, 0xC0))


class CharOffsets:
    """Conversion for one text; ASCII costs nothing."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._ascii = data.isascii()
        self._sums = [0]
        if not self._ascii:
            for start in range(0, len(data), _STRIDE):
                piece = data[start : start + _STRIDE]
                self._sums.append(self._sums[-1] + len(piece.translate(None, _CONTINUATION)))

    def of(self, offset: int) -> int:
        """Characters before byte `offset`."""
        if self._ascii:
            return offset
        block = offset // _STRIDE
        start = block * _STRIDE
        return self._sums[block] + len(self._data[start:offset].translate(None, _CONTINUATION))
