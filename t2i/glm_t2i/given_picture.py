"""The picture that a request changes, and which part of it: a mask, a box, or all of it.

A mask marks by white what is drawn anew; one of OpenAI's form (option `mask_form` "alpha") by
what is clear. A box is the option `box`, "X,Y,W,H" in pixels of the picture.
"""

from __future__ import annotations

import re

from PIL import Image

from glm_protocol.drawing import DrawRequest
from glm_protocol.errors import BadRequest
from glm_t2i.png_file import picture_from_base64

_BOX = re.compile(r"\s*(\d{1,5})\s*,\s*(\d{1,5})\s*,\s*(\d{1,5})\s*,\s*(\d{1,5})\s*")


def given_picture(request: DrawRequest) -> Image.Image | None:
    """Raises BadRequest on what cannot be read."""
    return picture_from_base64(request.image, "picture") if request.image else None


def region_of(request: DrawRequest, given: Image.Image | None) -> Image.Image | None:
    """Grey levels of the picture's size, white where it is drawn anew. Raises BadRequest."""
    box = request.options.get("box")
    if given is None:
        if request.mask or box is not None:
            raise BadRequest("There is a region but no picture.", remedy="Send both.")
        return None
    if box is not None:
        if request.mask:
            raise BadRequest("There are a mask and a box.", remedy="Send one of them.")
        region = Image.new("L", given.size)
        region.paste(255, read_box(box, given.size))
        return region
    if not request.mask:
        return Image.new("L", given.size, 255)
    mask = picture_from_base64(request.mask, "mask")
    if request.options.get("mask_form") == "alpha":
        mask = mask.convert("RGBA").getchannel("A").point(lambda value: 255 - value)
    mask = mask.convert("L")
    if mask.size != given.size:
        raise BadRequest("Mask and picture differ in size.", remedy="Make them equal.")
    if mask.getextrema()[1] == 0:
        raise BadRequest("The mask marks nothing to draw.", remedy="White is drawn anew.")
    return mask


def read_box(text: str, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of "X,Y,W,H". Raises BadRequest outside of the picture."""
    match = _BOX.fullmatch(text)
    if match is None:
        raise BadRequest(f"{text[:40]!r} is no box.", remedy="Write it as X,Y,W,H in pixels.")
    left, top, width, height = map(int, match.groups())
    right, bottom = left + width, top + height
    if not (width and height and right <= size[0] and bottom <= size[1]):
        raise BadRequest(
            f"The box {text[:40]} is not inside the picture.",
            remedy=f"It has {size[0]} x {size[1]} pixels.",
        )
    return left, top, right, bottom


def marks_all(region: Image.Image) -> bool:
    """Whether nothing of the picture is kept."""
    return bool(region.getextrema()[0] == 255)
