"""PNG files with the words that made them, and pictures that a user sends.

The recipe of a picture is one JSON object in the text chunk `glm-lsp`; `Software` and `Title`
say what other programs read. What a user sends is opened under limits: four formats, size known
before a pixel is decoded.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import warnings
from collections.abc import Mapping
from typing import Any

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from glm_protocol.errors import BadRequest

RECIPE_KEY = "glm-lsp"
READ_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
MAX_PIXELS = 4096 * 4096
MAX_RECIPE = 65_536


def png_bytes(picture: Image.Image, recipe: Mapping[str, Any]) -> bytes:
    """The file. The same picture and recipe give the same bytes."""
    words = PngImagePlugin.PngInfo()
    words.add_itxt("Title", str(recipe.get("prompt", ""))[:1000])
    words.add_text("Software", "glm-lsp")
    words.add_itxt(RECIPE_KEY, json.dumps(dict(recipe), sort_keys=True, ensure_ascii=False))
    stream = io.BytesIO()
    picture.save(stream, "PNG", pnginfo=words, optimize=False, compress_level=6)
    return stream.getvalue()


def recipe_of(picture: Image.Image) -> dict[str, Any] | None:
    """The recipe in a PNG's text or a WebP's Exif, or None."""
    text = picture.info.get(RECIPE_KEY)
    if text is None:
        described = picture.getexif().get(0x010E)  # ImageDescription
        text = described if isinstance(described, str) else None
    if not isinstance(text, str) or len(text) > MAX_RECIPE:
        return None
    try:
        recipe = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return recipe if isinstance(recipe, dict) and "prompt" in recipe else None


def picture_from_base64(text: str, name: str) -> Image.Image:
    """A user's picture, fully read. Raises BadRequest with `name` in it."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"The {name} is not base64.") from error
    return picture_from_bytes(data, name)


def picture_from_bytes(data: bytes, name: str) -> Image.Image:
    """Raises BadRequest on what is no picture of a known format, or too large."""
    remedy = f"Give a {', '.join(READ_FORMATS)} of at most 4096 x 4096 pixels."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=READ_FORMATS) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    size = f"{picture.width} x {picture.height}"
                    raise BadRequest(f"The {name} has {size} pixels.", remedy=remedy)
                picture.load()
                return picture.copy()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError) as error:
        raise BadRequest(f"The {name} cannot be read as a picture.", remedy=remedy) from error
    except Image.DecompressionBombError as error:
        raise BadRequest(f"The {name} is too large.", remedy=remedy) from error
