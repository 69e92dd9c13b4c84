"""The program of the process that decodes pictures of strangers, under limits of its own.

Run by path (`python -I decode_worker.py BYTES`), so it imports nothing but the standard library
and Pillow. It sees bytes only: no path, no network, no workspace. One request after another on
stdin, one answer each on stdout:

    request   length (4 bytes, big-endian), JSON {kind, size, limits…}, then `size` bytes
    answer    length, JSON {width, height, …} or {error, message}, then width * height * 3 bytes

Measured: Pillow takes a 74-byte PNG of 1 × 100,000,000 pixels for 6 s and 1.9 GB with no more
than a warning; so sides, pixels and frames are checked before anything is decoded, and every
warning is an error.
"""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import struct
import sys
import warnings
from io import BytesIO
from typing import Any, BinaryIO

from PIL import Image, PngImagePlugin, UnidentifiedImageError

ORIENTATION = 0x0112  # EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SWAPPING = (5, 6, 7, 8)
# What Pillow raises for broken files, seen or by its sources.
UNREADABLE = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError,
    ArithmeticError, RuntimeError, NotImplementedError, struct.error, Warning,
)  # fmt: skip


class Refused(Exception):
    """The picture breaks a limit; the text says which."""


def decode(data: bytes, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """(what the picture is, its RGB bytes after turning, flattening and bounding)."""
    Image.MAX_IMAGE_PIXELS = None  # opening reads the header alone; our own check follows
    with Image.open(BytesIO(data), formats=(request["kind"],)) as picture:
        width, height = picture.size
        if max(width, height) > request["max_side"]:
            raise Refused(f"it is {width} x {height} pixels; {request['max_side']} a side is most")
        if width * height > request["max_pixels"]:
            raise Refused(f"it is {width} x {height} pixels, over {request['max_pixels']} in all")
        Image.MAX_IMAGE_PIXELS = request["max_pixels"]
        notes = ["animated: the first frame was taken"] if is_animated(picture) else []
        turn = orientation(picture)
        target = bounded(width, height, request["out_pixels"])
        if target != (width, height):
            notes.append(f"scaled down from {width} x {height}")
            picture.draft("RGB", target)
        picture.load()
        small = shrink(picture, target)
    flat = flatten(small)
    if turn in _TURNS:
        flat = flat.transpose(_TURNS[turn])
    if turn in _SWAPPING:
        width, height = height, width
    about = {
        "width": flat.width,
        "height": flat.height,
        "source_width": width,
        "source_height": height,
        "notes": notes,
    }
    return about, flat.tobytes()


def is_animated(picture: Image.Image) -> bool:
    """Looks at most one frame ahead; frames are never counted, which can take minutes."""
    return bool(getattr(picture, "is_animated", False))


def orientation(picture: Image.Image) -> int:
    """EXIF's 1 to 8; broken metadata says nothing."""
    try:
        value = picture.getexif().get(ORIENTATION, 1)
    except UNREADABLE:
        return 1
    return value if isinstance(value, int) else 1


def bounded(width: int, height: int, pixels: int) -> tuple[int, int]:
    """The size, or the largest of its shape within `pixels`."""
    scale = min(1.0, math.sqrt(pixels / (width * height)))
    return max(1, int(width * scale)), max(1, int(height * scale))


def shrink(picture: Image.Image, target: tuple[int, int]) -> Image.Image:
    """Scaled before anything else, in a mode that can be scaled well."""
    picture = in_eight_bits(picture)
    if picture.size == target:
        return picture
    return picture.resize(target, Image.Resampling.LANCZOS, reducing_gap=1.0)


def in_eight_bits(picture: Image.Image) -> Image.Image:
    """Any mode to L, RGB or RGBA. 16 bits of grey lose the low byte (Pillow would clip)."""
    if picture.mode.startswith("I;16"):
        low_first = 0 if picture.mode.endswith("B") else 1
        return Image.frombytes("L", picture.size, picture.tobytes()[low_first::2])
    if picture.mode == "I":
        return picture.point(lambda value: value * (1 / 256)).convert("L")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        if picture.getchannel("A").getextrema() == (255, 255):  # most screenshots
            return picture.convert("RGB")
        return picture
    if picture.mode in ("L", "RGB"):
        return picture
    return picture.convert("RGB")  # 1, P, CMYK, YCbCr, LAB, HSV


def flatten(picture: Image.Image) -> Image.Image:
    """RGB, what is transparent on white."""
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A"))
    return white


def answer(data: bytes, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """`decode`, its errors as plain values."""
    try:
        return decode(data, request)
    except Refused as error:
        return {"error": "refused", "message": str(error)}, b""
    except MemoryError:
        return {"error": "refused", "message": "it needs too much memory"}, b""
    except UnidentifiedImageError:
        return {"error": "unreadable", "message": "its header is broken"}, b""
    except UNREADABLE as error:
        return {"error": "unreadable", "message": f"{type(error).__name__}: {error}"[:200]}, b""


def limit_memory(memory_bytes: int) -> None:
    """Address space of this process; no core files, no files at all."""
    if sys.platform != "darwin":  # which has the name but not the limit
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def limit_time(seconds: float) -> None:
    """Let this request have `seconds` of processor time; past it the kernel ends us.

    The profiling timer counts in microseconds and its default action ends a process even inside
    a decoder; RLIMIT_CPU, which counts in whole seconds, stands behind it.
    """
    signal.setitimer(signal.ITIMER_PROF, seconds)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = math.ceil(usage.ru_utime + usage.ru_stime + seconds)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (used + 1, hard))


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Until the other end closes."""
    while len(head := requests.read(4)) == 4:
        request = json.loads(requests.read(struct.unpack(">I", head)[0]))
        data = requests.read(request["size"])
        limit_time(request["cpu_s"])
        about, pixels = answer(data, request)
        signal.setitimer(signal.ITIMER_PROF, 0)
        text = json.dumps(about).encode()
        answers.write(struct.pack(">I", len(text)) + text)
        answers.write(pixels)
        answers.flush()
        del data, pixels


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not reach the answers
    limit_memory(int(sys.argv[1]))
    warnings.simplefilter("error")
    PngImagePlugin.MAX_TEXT_MEMORY = PngImagePlugin.MAX_TEXT_CHUNK * 4
    Image.preinit()
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
