"""Draw media/icon.png (128 px): typed text, the cursor, and the ghost text after it.

Run `python plugin_vscode/scripts/make_icon.py`. Standard library alone; 16 samples a pixel.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

SIZE = 128
SAMPLES = 4
Colour = tuple[int, int, int, int]
Box = tuple[float, float, float, float, float, Colour]  # left, top, right, bottom, radius, colour

NIGHT, TEXT, ACCENT = (16, 24, 43, 255), (226, 232, 245, 255), (64, 196, 160, 255)
GHOST = (104, 120, 156, 255)
SHAPES: list[Box] = [
    (4, 4, 124, 124, 26, NIGHT),
    (24, 34, 62, 44, 5, TEXT),
    (70, 34, 92, 44, 5, ACCENT),
    (36, 58, 58, 68, 5, TEXT),
    (64, 52, 69, 74, 2.5, ACCENT),  # the cursor
    (75, 58, 106, 68, 5, GHOST),
    (36, 82, 74, 92, 5, GHOST),
    (80, 82, 94, 92, 5, GHOST),
]


def covers(box: Box, x: float, y: float) -> bool:
    """Whether the rounded box holds the point."""
    left, top, right, bottom, radius, _ = box
    if not (left <= x <= right and top <= y <= bottom):
        return False
    dx = max(left + radius - x, x - (right - radius), 0.0)
    dy = max(top + radius - y, y - (bottom - radius), 0.0)
    return dx * dx + dy * dy <= radius * radius


def pixel(x: int, y: int) -> bytes:
    """Mean colour (RGBA, alpha-weighted) of the samples within one pixel."""
    total = [0, 0, 0, 0]
    for i in range(SAMPLES * SAMPLES):
        at_x = x + (i % SAMPLES + 0.5) / SAMPLES
        at_y = y + (i // SAMPLES + 0.5) / SAMPLES
        colour = next((box[5] for box in reversed(SHAPES) if covers(box, at_x, at_y)), None)
        if colour is not None:
            total = [have + part for have, part in zip(total, colour, strict=True)]
    covered = total[3] // 255
    alpha = total[3] // (SAMPLES * SAMPLES)
    return bytes([*(part // max(covered, 1) for part in total[:3]), alpha])


def chunk(kind: bytes, data: bytes) -> bytes:
    """One PNG chunk: length, kind, data, checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png() -> bytes:
    """The whole file."""
    rows = b"".join(b"\0" + b"".join(pixel(x, y) for x in range(SIZE)) for y in range(SIZE))
    header = struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


if __name__ == "__main__":
    target = Path(__file__).resolve().parents[1] / "media" / "icon.png"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(png())
    print(target)
