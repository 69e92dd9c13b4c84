"""Boxes in a model's answer: found in every documented style, given back in source pixels.

    The pear [[212,498,787,564]]                    CogVLM, CogAgent-18B: thousandths, 000 to 999
    Two cats [[012,034,500,600;510,034,999,600]]    several boxes of one phrase
    CLICK(box=[[219,186,311,207]], …)               CogAgent-9B
    <|begin_of_box|>[1, 2, 3, 4]<|end_of_box|>      GLM-4.1V and later; brackets vary: [[ ]] ( ) < >

Unlike the released parser, spaces are accepted, a box needs exactly four numbers, equal phrases
keep all their boxes, corners may come in any order, and values past the edge are clamped and
marked. A lone `[1, 2, 3, 4]` is a box only inside box tags, after `box=`, or when asked
(`loose`): answers about code are full of lists of four numbers.

The picture that a box refers to is the whole one; scaling a picture to a square needs no undoing.
Source: README and parsers of CogVLM, CogAgent and GLM-V.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SCALE = 1000  # a coordinate of SCALE is the far edge

_NUMBER = r"\s*-?\d{1,5}(?:\.\d{1,6})?\s*"
_FOUR = rf"{_NUMBER}(?:,{_NUMBER}){{3}}"
_GROUP = rf"{_FOUR}(?:;{_FOUR})*"
_DOUBLE = re.compile(rf"\[\s*\[({_GROUP}(?:\]\s*,\s*\[{_GROUP})*)\]\s*\]")
_SINGLE = re.compile(rf"[\[(<{{]({_GROUP})[\])>}}]")
_PAIRS = re.compile(rf"\(({_NUMBER},{_NUMBER})\)\s*,\s*\(({_NUMBER},{_NUMBER})\)")
_TAGGED = re.compile(
    r"<\|begin_of_box\|>(?P<glm>.{0,1000}?)<\|end_of_box\|>"
    r"|<box>(?P<box>.{0,1000}?)</box>"
    r"|\b(?:box|bbox|bbox_2d|position)[\"']?\s*[=:]\s*(?P<named>[\[(<{].{0,80})",
    re.DOTALL,
)
_ARTICLES = frozenset(
    {
        *("a", "an", "the", "this", "that", "these", "those", "some"),
        *("one", "two", "three", "four", "five", "six"),
    }
)
_MAX_TEXT = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class GroundedBox:
    """Corners in source pixels: left and top inside the box, right and bottom just past it.

    `fractions` are the same corners in 0..1 of width and height; `start` and `end` say where in
    the answer the box was written; `clamped` marks values that lay outside of the picture.
    """

    phrase: str
    left: int
    top: int
    right: int
    bottom: int
    fractions: tuple[float, float, float, float]
    start: int
    end: int
    clamped: bool = False

    def to_json(self) -> dict[str, Any]:
        corners = [self.left, self.top, self.right, self.bottom]
        return {"phrase": self.phrase, "box": corners, "clamped": self.clamped}


def parse_boxes(
    text: str, width: int, height: int, *, scale: int = SCALE, loose: bool = False
) -> list[GroundedBox]:
    """Every box of an answer, in order, for a picture of `width` by `height` pixels.

    `scale` is the coordinate of the far edge (1000; 1 for fractions). ValueError on a picture
    without pixels.
    """
    if width < 1 or height < 1:
        raise ValueError(f"a picture of {width} x {height} pixels holds no boxes")
    text = text[:_MAX_TEXT]
    found: list[GroundedBox] = []
    last_end = 0
    for start, end, groups in _groups(text, loose=loose):
        phrase = _phrase(text[last_end:start])
        last_end = end
        for numbers in groups:
            found.append(_box(numbers, phrase, (start, end), (width, height), scale))
    return found


def format_box(left: int, top: int, right: int, bottom: int, *, width: int, height: int) -> str:
    """Source pixels as CogVLM writes a box, for a question about a place: `[[086,540,400,760]]`."""
    sides = ((left, width), (top, height), (right, width), (bottom, height))
    values = (min(SCALE - 1, max(0, value * SCALE // side)) for value, side in sides)
    return "[[" + ",".join(f"{value:03d}" for value in values) + "]]"


def ask_where(expression: str) -> str:
    """The question for one thing's box (template `base`, a grounding checkpoint)."""
    return f"Where is {expression}? answer in [[x0,y0,x1,y1]] format."


ASK_CAPTION = (
    "Can you provide a description of the image and include the coordinates [[x0,y0,x1,y1]]"
    " for each mentioned object?"
)


def _groups(text: str, *, loose: bool) -> Iterator[tuple[int, int, list[list[float]]]]:
    """(start, end, boxes as four numbers each), in the order of the text, never overlapping."""
    spans: list[tuple[int, int, str]] = []
    for match in _DOUBLE.finditer(text):
        spans.append((match.start(), match.end(), match[1]))
    for tag in _TAGGED.finditer(text):
        name = tag.lastgroup or ""
        spans += _inside(text, tag.start(name), tag.end(name), first=name == "named")
    if loose:
        spans += _inside(text, 0, len(text), first=False)
    position = 0
    for start, end, body in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= position:
            position = end
            parts = re.split(r"[;\[\]]+\s*,?", body)
            yield start, end, [_numbers(part) for part in parts if part.strip()]


def _inside(text: str, start: int, end: int, *, first: bool) -> list[tuple[int, int, str]]:
    """Bracketed fours and pairs of points between two offsets; `first`: only one, right there."""
    spans = [
        (match.start(), match.end(), f"{match[1]},{match[2]}")
        for match in _PAIRS.finditer(text, start, end)
    ]
    spans += [
        (match.start(), match.end(), match[1]) for match in _SINGLE.finditer(text, start, end)
    ]
    return [span for span in spans if not first or span[0] == start]


def _numbers(part: str) -> list[float]:
    return [float(number) for number in part.split(",") if number.strip()]


def _box(
    numbers: list[float],
    phrase: str,
    span: tuple[int, int],
    size: tuple[int, int],
    scale: int,
) -> GroundedBox:
    (x0, y0, x1, y1), clamped = numbers, False
    corners = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    inside = [min(max(value, 0.0), float(scale)) for value in corners]
    clamped = tuple(inside) != corners
    sides = (size[0], size[1], size[0], size[1])
    left, top, right, bottom = (
        int(value * side / scale + 1e-9) for value, side in zip(inside, sides, strict=True)
    )
    left, top = min(left, size[0] - 1), min(top, size[1] - 1)
    first, second, third, fourth = (value / scale for value in inside)
    return GroundedBox(
        phrase=phrase,
        left=left,
        top=top,
        right=max(right, left + 1),  # a thin thing keeps one pixel
        bottom=max(bottom, top + 1),
        fractions=(first, second, third, fourth),
        start=span[0],
        end=span[1],
        clamped=clamped,
    )


def _phrase(before: str) -> str:
    """The noun phrase that ends right before a box: from its article on, at most eight words."""
    clause = re.split(r"[.,;:!?\n\[\](){}<>|=]", before.rstrip())[-1]
    words = clause.split()[-8:]
    for index in range(len(words) - 1, -1, -1):
        if words[index].lower() in _ARTICLES:
            return " ".join(words[index:])
    return " ".join(words[-3:])
