"""A finished PNG as the file that was asked for: PNG as it is, WebP, or ICO.

WebP keeps the recipe in its Exif description; ICO has no room for it.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

from PIL import Image

from glm_protocol.errors import BadRequest
from glm_t2i.png_file import picture_from_bytes, png_bytes, recipe_of

SUFFIXES = (".png", ".webp", ".ico")
MOST_ICO = 256  # pixels either way, the format's limit
EXIF_DESCRIPTION = 0x010E


def check_format(file: Path, size: tuple[int, int]) -> None:
    """Raises BadRequest on a suffix that cannot be written, or a size that it cannot hold."""
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise BadRequest(
            f"No picture can be written as {file.name}: {suffix or 'no suffix'} is not known.",
            remedy=f"End the name in {', '.join(SUFFIXES)}.",
        )
    if suffix == ".ico" and max(size) > MOST_ICO:
        raise BadRequest(f"An .ico holds at most {MOST_ICO} x {MOST_ICO} pixels.")


def as_format(png: bytes, suffix: str) -> bytes:
    """The bytes of a file of `suffix`."""
    suffix = suffix.lower()
    if suffix == ".png":
        return png
    picture = picture_from_bytes(png, "picture")
    if suffix == ".ico":
        return ico_bytes([picture])
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[EXIF_DESCRIPTION] = json.dumps(recipe_of(picture), sort_keys=True)
    picture.save(stream, "WEBP", lossless=True, quality=80, exif=exif)
    return stream.getvalue()


def ico_bytes(pictures: list[Image.Image]) -> bytes:
    """One .ico with every picture in its own size."""
    stream = io.BytesIO()
    largest = max(pictures, key=lambda picture: picture.width)
    largest.convert("RGBA").save(
        stream, "ICO",
        sizes=[picture.size for picture in pictures],
        append_images=[picture.convert("RGBA") for picture in pictures],
    )  # fmt: skip
    return stream.getvalue()


def resized_png(png: bytes, side: int) -> bytes:
    """A square of `side` pixels from a finished PNG, its recipe kept."""
    picture = picture_from_bytes(png, "picture")
    recipe = recipe_of(picture) or {}
    smaller = picture.resize((side, side), Image.Resampling.LANCZOS)
    return png_bytes(smaller, {**recipe, "width": side, "height": side})
