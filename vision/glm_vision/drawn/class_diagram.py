"""Class diagrams of two to four classes with members, and their Mermaid source."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFont

from glm_vision.drawn.diagram_words import CLASSES, GROUNDS, MEMBERS, Box, border_point

RELATIONS = ("<|--", "*--", "-->")  # whole before part and parent before child, as in Mermaid


@dataclass(frozen=True, kw_only=True, slots=True)
class DrawnClass:
    name: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """`marked` is the class at whose border the triangle, diamond or arrow head stands."""

    plain: int
    marked: int
    kind: str

    def source(self, names: Sequence[str]) -> str:
        plain, marked = names[self.plain], names[self.marked]
        if self.kind == "-->":
            return f"    {plain} --> {marked}"
        return f"    {marked} {self.kind} {plain}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassDiagram:
    picture: Image.Image
    classes: tuple[DrawnClass, ...]
    relations: tuple[Relation, ...]

    def mermaid(self) -> str:
        return class_source(self.classes, self.relations)


def class_source(classes: Sequence[DrawnClass], relations: Sequence[Relation]) -> str:
    """Names made into identifiers; members that Mermaid would not take are left out."""
    names: list[str] = []
    for one in classes:
        name = re.sub(r"\W+", "_", one.name.strip()) or "Unnamed"
        name = f"_{name}" if name[0].isdigit() else name
        while name in names:
            name += "_"
        names.append(name)
    lines = ["classDiagram"]
    for name, one in zip(names, classes, strict=True):
        members = [m for m in map(_member, one.members) if m]
        lines.append(f"    class {name}" + (" {" if members else ""))
        lines += [f"        {member}" for member in members]
        lines += ["    }"] if members else []
    return "\n".join([*lines, *(relation.source(names) for relation in relations)])


def _member(text: str) -> str:
    text = " ".join(text.split())
    return (
        text if re.fullmatch(r"[+\-#~]? ?[\w ,\[\]]+(\([\w ,]*\))?( ?:? ?[\w\[\]]+)?", text) else ""
    )


def draw_classes(chooser: random.Random, font: ImageFont.FreeTypeFont) -> ClassDiagram:
    """Layers from top to bottom; each class has a name and one or two parts of members."""
    layers = chooser.choice(((1, 1), (1, 2), (2, 1), (1, 1, 1), (1, 3), (1, 2, 1)))
    names = chooser.sample(CLASSES, sum(layers))
    classes = [
        DrawnClass(name=name, members=tuple(chooser.sample(MEMBERS, chooser.randrange(0, 4))))
        for name in names
    ]
    row = int(1.5 * font.size)
    gap, margin = int(chooser.uniform(3.0, 4.5) * font.size), int(font.size)
    ground, line, fill = chooser.choice(GROUNDS)
    texts = [max(font.getlength(t) for t in (c.name, *c.members)) for c in classes]
    wides = [int(text + 1.6 * font.size) for text in texts]
    talls = [row + 6 + (row * len(c.members) + 6 if c.members else 0) for c in classes]
    boxes: list[Box] = []
    widest = 0
    top, start = margin, 0
    for count in layers:
        left = margin
        for at in range(start, start + count):
            boxes.append((left, top, left + wides[at], top + talls[at]))
            left += wides[at] + 2 * int(font.size)
        widest = max(widest, int(left - 2 * font.size))
        top += max(talls[start : start + count]) + gap
        start += count
    boxes = _centred(boxes, layers, widest)
    picture = Image.new("RGB", (widest + margin, int(top - gap + margin)), ground)
    pen = ImageDraw.Draw(picture)
    thick = max(1, round(font.size / 12))
    relations = _relations(chooser, layers)
    for relation in relations:
        _join(pen, boxes, relation, (line, ground), thick, head=int(0.75 * font.size))
    ink = line if sum(fill) > 300 else (235, 235, 235)
    for one, box in zip(classes, boxes, strict=True):
        pen.rectangle(box, fill, line, thick)
        middle = (box[0] + box[2]) / 2
        pen.text((middle, box[1] + 3 + row / 2), one.name, ink, font, anchor="mm")
        divider = box[1] + row + 6
        if one.members:
            pen.line([(box[0], divider), (box[2], divider)], line, thick)
        for number, member in enumerate(one.members):
            y = divider + 3 + row * (number + 0.5)
            pen.text((box[0] + 0.6 * font.size, y), member, ink, font, anchor="lm")
    return ClassDiagram(picture=picture, classes=tuple(classes), relations=tuple(relations))


def _centred(boxes: list[Box], layers: Sequence[int], widest: int) -> list[Box]:
    placed, start = [], 0
    for count in layers:
        layer = boxes[start : start + count]
        shift = (widest - layer[-1][2]) // 2
        placed += [(left + shift, top, right + shift, end) for left, top, right, end in layer]
        start += count
    return placed


def _relations(chooser: random.Random, layers: Sequence[int]) -> list[Relation]:
    """Between neighbouring layers, one kind from each upper class."""
    starts = [sum(layers[:number]) for number in range(len(layers) + 1)]
    found = []
    for upper, lower in pairwise(range(len(layers))):
        for a in range(starts[upper], starts[upper + 1]):
            kind = chooser.choice(RELATIONS)
            for b in range(starts[lower], starts[lower + 1]):
                plain, marked = (a, b) if kind == "-->" else (b, a)
                found.append(Relation(plain=plain, marked=marked, kind=kind))
    return found


def _join(
    pen: ImageDraw.ImageDraw,
    boxes: list[Box],
    relation: Relation,
    colours: tuple[tuple[int, int, int], tuple[int, int, int]],
    thick: int,
    *,
    head: int,
) -> None:
    line, ground = colours
    a, b = boxes[relation.plain], boxes[relation.marked]
    start, end = border_point(a, b), border_point(b, a)
    angle = math.atan2(end[1] - start[1], end[0] - start[0])

    def at(back: float, side: float) -> tuple[float, float]:
        return (
            end[0] - back * math.cos(angle) - side * math.sin(angle),
            end[1] - back * math.sin(angle) + side * math.cos(angle),
        )

    pen.line([start, end], line, thick)
    half = 0.55 * head
    if relation.kind == "<|--":
        pen.polygon([end, at(head, half), at(head, -half)], ground, line, thick)
    elif relation.kind == "*--":
        pen.polygon([end, at(head, half), at(2 * head, 0), at(head, -half)], line)
    else:
        pen.polygon([end, at(head, half), at(head, -half)], line)
