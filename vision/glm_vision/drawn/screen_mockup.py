"""Simple screens: a heading, fields, boxes to tick, buttons, with their HTML."""

from __future__ import annotations

import html
import random
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

Box = tuple[int, int, int, int]
_TEXTS = {
    "heading": ("Login", "Settings", "New file", "Sign up", "Search", "Profile", "Export"),
    "text": ("Welcome back", "Not saved", "3 results", "Try again", "All done", "No errors"),
    "input": ("Name", "Email", "Password", "Path", "Port", "Query", "Branch"),
    "checkbox": ("Remember me", "Dark mode", "Verbose", "Use cache", "Auto save"),
    "button": ("OK", "Save", "Cancel", "Submit", "Send", "Delete", "Run", "Apply"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Element:
    kind: str  # of words.ELEMENTS
    text: str
    box: Box


@dataclass(frozen=True, kw_only=True, slots=True)
class ScreenMockup:
    """Elements from top to bottom."""

    picture: Image.Image
    elements: tuple[Element, ...]

    def html(self) -> str:
        return html_of([(element.kind, element.text) for element in self.elements])


def html_of(elements: list[tuple[str, str]]) -> str:
    """One line an element."""
    lines = []
    for kind, raw in elements:
        text = html.escape(raw)
        lines.append(
            {
                "heading": f"  <h1>{text}</h1>",
                "text": f"  <p>{text}</p>",
                "input": f'  <input placeholder="{text}">',
                "checkbox": f'  <label><input type="checkbox"> {text}</label>',
                "button": f"  <button>{text}</button>",
            }[kind]
        )
    return "\n".join(["<form>", *lines, "</form>"])


def draw_screen(chooser: random.Random, font: ImageFont.FreeTypeFont) -> ScreenMockup:
    """Two to five elements, one under the other."""
    unit = int(font.size)
    kinds = [chooser.choice(list(_TEXTS)) for _ in range(chooser.randrange(1, 5))]
    if chooser.random() < 0.7:
        kinds.insert(0, "heading")
    dark = chooser.random() < 0.3
    ground, line = ((30, 32, 38), (225, 225, 225)) if dark else ((250, 250, 250), (30, 30, 30))
    accent = chooser.choice(((41, 98, 214), (39, 154, 72), (90, 90, 100), (214, 48, 49)))
    width = int(unit * chooser.uniform(16, 24))
    height = int(unit * (3.4 * len(kinds) + 1.5))
    picture = Image.new("RGB", (width, height), ground)
    pen = ImageDraw.Draw(picture)
    big = font.font_variant(size=int(1.5 * unit))
    elements, y, left = [], unit, int(unit * chooser.uniform(0.8, 2))
    for kind in kinds:
        text = chooser.choice(_TEXTS[kind])
        used = big if kind == "heading" else font
        across, half = int(used.getlength(text)), int(used.size) // 2
        tall = int(2.2 * unit)
        centre = y + tall // 2
        if kind in ("heading", "text"):
            box = (left, centre - half, left + across, centre + half)
            pen.text((left, centre), text, line, used, anchor="lm")
        elif kind == "checkbox":
            side = int(1.1 * unit)
            box = (left, centre - side // 2, left + side + unit // 2 + across, centre + side // 2)
            pen.rectangle((left, box[1], left + side, box[3]), ground, line, 1)
            pen.text((left + side + unit // 2, centre), text, line, font, anchor="lm")
        else:
            inner = 12 * unit if kind == "input" else across + 2 * unit
            box = (left, y, min(width - 4, left + inner), y + tall)
            if kind == "input":
                pen.rectangle(box, ground, (140, 140, 140), 1)
                pen.text((left + unit // 2, centre), text, (140, 140, 140), font, anchor="lm")
            else:
                pen.rounded_rectangle(box, 4, accent)
                pen.text((left + unit, centre), text, (255, 255, 255), font, anchor="lm")
        elements.append(Element(kind=kind, text=text, box=box))
        y += int(3.2 * unit)
    return ScreenMockup(picture=picture, elements=tuple(elements))
