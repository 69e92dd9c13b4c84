"""Drawings that the recipe makes itself, each with its caption: shapes, parts of pages, charts.

Places and sizes are multiples of 8 pixels, one code of the tokenizer, and a prompt has one picture:
what a share of one core learns in an hour has little room for variety.
"""

from __future__ import annotations

import random

from PIL import Image

from glm_t2i.evaluate.drawn_prompts import COLOURS, PLACES, SHAPES, Wanted
from glm_t2i.evaluate.shape_canvas import Canvas, Colour, colour_of, paint

LIGHT: Colour = (229, 231, 235)
MIDDLE: Colour = (156, 163, 175)
STEP = 8


def shapes_drawing(draw: random.Random) -> tuple[str, Image.Image]:
    """A drawn prompt: alone, at a place, or several."""
    shape, colour = draw.choice(SHAPES), draw.choice(list(COLOURS))
    kind = draw.random()
    if kind < 0.4:
        wanted = Wanted(shape=shape, colour=colour)
    elif kind < 0.68:
        wanted = Wanted(shape=shape, colour=colour, place=draw.choice(list(PLACES)))
    else:
        wanted = Wanted(shape=shape, colour=colour, count=draw.randint(2, 4))
    return wanted.sentence(draw), paint(wanted)


def pair_drawing(draw: random.Random) -> tuple[str, Image.Image]:
    """Two objects and how they lie to each other."""
    first, second = ((draw.choice(list(COLOURS)), draw.choice(SHAPES)) for _ in range(2))
    relation = draw.choice(("left of", "right of", "above", "below", "and", "next to"))
    places = {
        "above": ((64, 32), (64, 96)),
        "below": ((64, 96), (64, 32)),
        "right of": ((96, 64), (32, 64)),
    }.get(relation, ((32, 64), (96, 64)))
    canvas, radius = Canvas(), draw.choice((20, 24))
    for (colour, shape), (x, y) in zip((first, second), places, strict=True):
        canvas.shape(shape, x, y, radius, colour_of(colour))
    caption = f"a {' '.join(first)} {relation} a {' '.join(second)}"
    return caption, canvas.finished()


def page_part(draw: random.Random) -> tuple[str, Image.Image]:
    """Placeholders and parts of pages, some in a colour."""
    name = draw.choice(list(COLOURS))
    colour, canvas = colour_of(name), Canvas()
    kind = draw.choice(("image", "avatar", "button", "card", "toggle", "progress", "search"))
    if kind == "image":
        canvas.box(0, 0, 128, 128, LIGHT)
        canvas.polygon([(16, 104), (56, 48), (88, 104)], MIDDLE)
        canvas.polygon([(64, 104), (88, 64), (112, 104)], MIDDLE)
        canvas.disc(96, 36, 12, MIDDLE)
        return draw.choice(("an image placeholder", "placeholder image", "placeholder")), (
            canvas.finished()
        )
    if kind == "avatar":
        canvas.disc(64, 64, 56, LIGHT)
        canvas.disc(64, 48, 20, colour)
        canvas.slice(64, 108, 36, 180, 360, colour)
        return f"a {name} avatar placeholder", canvas.finished()
    if kind == "button":
        canvas.box(16, 48, 112, 80, colour, 8)
        canvas.box(40, 60, 88, 68, (255, 255, 255), 4)
        return f"a {name} button", canvas.finished()
    if kind == "card":
        canvas.box(16, 16, 112, 112, LIGHT, 8)
        canvas.box(24, 24, 104, 64, colour, 4)
        canvas.box(24, 76, 96, 84, MIDDLE, 4)
        canvas.box(24, 92, 72, 100, MIDDLE, 4)
        return f"a card with a {name} header", canvas.finished()
    if kind == "toggle":
        on = draw.random() < 0.5
        canvas.box(24, 40, 104, 88, colour if on else LIGHT, 24)
        canvas.disc(80 if on else 48, 64, 18, (255, 255, 255) if on else MIDDLE)
        return f"a {name} toggle switch" if on else "a toggle switch off", canvas.finished()
    if kind == "progress":
        canvas.box(8, 56, 120, 72, LIGHT, 8)
        canvas.box(8, 56, 8 + 16 * draw.randint(2, 6), 72, colour, 8)
        return f"a {name} progress bar", canvas.finished()
    canvas.box(8, 48, 120, 80, LIGHT, 16)
    canvas.disc(28, 62, 8, colour)
    canvas.disc(28, 62, 5, LIGHT)
    canvas.line([(33, 67), (39, 73)], 3, colour)
    return f"a {name} search bar", canvas.finished()


def chart(draw: random.Random) -> tuple[str, Image.Image]:
    """Bar, line and pie charts of one or more colours."""
    name = draw.choice(list(COLOURS))
    colour, canvas = colour_of(name), Canvas()
    kind = draw.choice(("bar", "line", "pie"))
    if kind == "pie":
        other = draw.choice([word for word in COLOURS if word != name])
        canvas.disc(64, 64, 48, colour)
        start = -90
        canvas.slice(64, 64, 48, start, start + 90 * draw.randint(1, 3), colour_of(other))
        return f"a {name} and {other} pie chart", canvas.finished()
    trend = draw.choice(("rising ", "falling ", ""))
    heights = [STEP * draw.randint(2, 11) for _ in range(4)]
    if trend:
        heights = sorted(heights, reverse=trend == "falling ")
    if kind == "bar":
        for index, height in enumerate(heights):
            canvas.box(16 + 24 * index, 112 - height, 32 + 24 * index, 112, colour)
    else:
        points = [(16.0 + 32 * index, 112.0 - height) for index, height in enumerate(heights)]
        canvas.line(points, 5, colour)
    canvas.box(8, 112, 120, 116, MIDDLE)
    canvas.box(8, 8, 12, 116, MIDDLE)
    return f"a {trend}{name} {kind} chart", canvas.finished()


def drawing(draw: random.Random) -> tuple[str, Image.Image]:
    """A caption and its picture of any kind."""
    kind = draw.random()
    if kind < 0.84:
        return shapes_drawing(draw)
    if kind < 0.9:
        return pair_drawing(draw)
    return page_part(draw) if kind < 0.95 else chart(draw)
