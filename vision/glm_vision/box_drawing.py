"""Boxes drawn on a copy of a picture, numbered as in their list."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from glm_vision.grounding import GroundedBox

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080")


def draw_boxes(picture: Image.Image, boxes: Sequence[GroundedBox]) -> Image.Image:
    """A copy in RGB; `boxes` are in pixels of this picture. The picture itself is left alone."""
    return outline(picture, [(box.left, box.top, box.right, box.bottom) for box in boxes])


def outline(
    picture: Image.Image, boxes: Sequence[tuple[float, float, float, float]]
) -> Image.Image:
    """The same for bare corners: left, top, and right, bottom just past the box."""
    copy = picture.convert("RGB") if picture.mode != "RGB" else picture.copy()
    pen = ImageDraw.Draw(copy)
    line = max(1, round(max(copy.size) / 400))
    font = ImageFont.load_default(size=max(10, round(max(copy.size) / 60)))
    for number, (left, top, right, bottom) in enumerate(boxes, start=1):
        colour = COLOURS[(number - 1) % len(COLOURS)]
        pen.rectangle(
            (left, top, max(left, right - 1), max(top, bottom - 1)), outline=colour, width=line
        )
        label = pen.textbbox((left + line, top), str(number), font=font)
        pen.rectangle((left, top, label[2] + line, label[3] + line), fill=colour)
        pen.text((left + line, top), str(number), fill="white", font=font)
    return copy
