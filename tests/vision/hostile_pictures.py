"""Pictures that were made to hurt, and odd ones that are honest. All are generated here."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from typing import Any

from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *, depth: int = 8, colour: int = 0, extra: bytes = b"") -> bytes:
    """A PNG by hand: IHDR as asked, `extra` chunks, rows that may be fewer than promised."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = b"\x00" + bytes((width * depth * channels + 7) // 8)
    rows = zlib.compress(row * height if len(row) * height < 1 << 27 else row[:9], 1)
    return SIGNATURE + chunk(b"IHDR", header) + extra + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    stream = BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def sample(mode: str = "RGB", width: int = 64, height: int = 48) -> Image.Image:
    """Red on the left, blue on the right."""
    picture = Image.new("RGB", (width, height), "blue")
    picture.paste("red", (0, 0, width // 2, height))
    return picture.convert(mode)


@lru_cache
def zeros(megabytes: int) -> bytes:
    """A zlib stream of so many megabytes of zeros."""
    packer = zlib.compressobj(1)
    block = bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()


def gif(frames: int, *, frame_side: int = 1) -> bytes:
    """A 1 x 1 GIF; every frame claims `frame_side` pixels a side."""
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\xff\x00\x00\x00\x00\xff"
    place = struct.pack("<HHHHB", 0, 0, frame_side, frame_side, 0)
    frame = b"\x2c" + place + b"\x02\x02\x44\x01\x00"
    return head + frame * frames + b"\x3b"


def jpeg_of_claimed_size(side: int) -> bytes:
    data = bytearray(encode(sample(), "JPEG"))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", side, side)
    return bytes(data)


def jpeg_with_many_scans(repeats: int) -> bytes:
    """A progressive JPEG whose refinement scans come again and again: little data, much work."""
    data = encode(sample(width=1500, height=1500), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * repeats + data[-2:]


def exif_in_a_loop() -> bytes:
    """A JPEG whose EXIF directory names itself as the next one."""
    entry = struct.pack("<HHII", 0x0112, 3, 1, 6)
    loop = b"II*\x00" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 8)
    return encode(sample(), "JPEG", exif=b"Exif\x00\x00" + loop)


def webp_of_claimed_size(side: int) -> bytes:
    canvas = (side - 1).to_bytes(3, "little") * 2
    body = b"VP8X" + struct.pack("<I", 10) + b"\x02\x00\x00\x00" + canvas
    body += b"ANIM" + struct.pack("<I", 6) + bytes(6)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def refused() -> Iterator[tuple[str, bytes]]:
    """Each must end in an error of ours."""
    header = struct.pack(">IIBBBBB", 1, 100_000_000, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(2)).ljust(17, b"\0")
    bomb = SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    yield "74-byte bomb", bomb
    yield "30,000 pixels wide", png(30_000, 100)
    yield "48 megapixels", png(8000, 6000, depth=1)
    yield "fewer rows than promised", png(8192, 4800, colour=6)[:3000]
    yield "text of 200 MB", png(4, 4, extra=chunk(b"zTXt", b"note\x00\x00" + zeros(200)))
    body = b"note\x00\x01\x00\x00\x00" + zeros(200)
    yield "international text of 200 MB", png(4, 4, extra=chunk(b"iTXt", body))
    yield "profile of 200 MB", png(4, 4, extra=chunk(b"iCCP", b"x\x00\x00" + zeros(200)))
    yield "GIF frame over its canvas", gif(1, frame_side=60_000)
    yield "JPEG of 65,000 a side", jpeg_of_claimed_size(65_000)
    yield "WebP of 16,383 a side", webp_of_claimed_size(16_383)
    whole = sample(width=300, height=300)
    for kind in ("PNG", "JPEG", "WEBP", "GIF"):
        data = encode(whole, kind)
        yield f"{kind} cut in half", data[: len(data) // 2]
        yield f"{kind} of its signature", data[:12]
    broken = bytearray(encode(sample(), "PNG"))
    broken[29] ^= 0xFF  # in the checksum of IHDR
    yield "a wrong checksum", bytes(broken)
    yield "nothing", b""
    yield "one byte", b"\x89"
    yield "SVG", b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>"
    yield "SVG with a script", b"  <svg onload='alert(1)'/>"
    yield "PDF", b"%PDF-1.7\n"
    yield "PostScript", b"%!PS-Adobe-3.0 EPSF-3.0\n"
    yield "TIFF in a loop", b"II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00"
    yield "BMP", encode(sample(), "BMP")
    yield "ICO", encode(sample(), "ICO")
    yield "HEIC", b"\x00\x00\x00\x18ftypheic"
    yield "a page of text", b"<html>not a picture</html>"


def handled() -> Iterator[tuple[str, bytes, tuple[int, int]]]:
    """Each must give a picture of this size."""
    small = (64, 48)
    yield "PNG", encode(sample(), "PNG"), small
    yield "JPEG", encode(sample(), "JPEG"), small
    yield "WebP", encode(sample(), "WEBP"), small
    yield "GIF", encode(sample("P"), "GIF"), small
    yield "100,000 frames", gif(100_000), (1, 1)
    frames = [sample(), sample().rotate(180)]
    for kind in ("GIF", "WEBP", "PNG"):
        data = encode(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
        yield f"animated {kind}", data, small
    yield "MPO", encode(sample(), "MPO", save_all=True, append_images=frames[1:]), small
    yield "CMYK JPEG", encode(sample("CMYK"), "JPEG"), small
    yield "grey JPEG", encode(sample("L"), "JPEG"), small
    yield "one bit", encode(sample("1"), "PNG"), small
    yield "palette", encode(sample("P"), "PNG"), small
    yield "grey with alpha", encode(sample("LA"), "PNG"), small
    yield "16-bit grey", png(5, 4, depth=16), (5, 4)
    yield "16-bit colour", png(5, 4, depth=16, colour=2), (5, 4)
    yield "16-bit with alpha", png(5, 4, depth=16, colour=6), (5, 4)
    yield "a ZIP behind it", encode(sample(), "PNG") + b"PK\x03\x04secret", small
    yield "EXIF in a loop", exif_in_a_loop(), (48, 64)
    yield "39 megapixels of nothing", png(8192, 4800), (3762, 2204)
    yield "8,192 x 1", png(8192, 1), (8192, 1)
