"""Flow diagrams of two to four boxes with arrows, and their Mermaid source."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageDraw, ImageFont

from glm_vision.drawn.diagram_words import GROUNDS, LABELS, Box, border_point


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    label: str
    box: Box


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowDiagram:
    """Nodes in reading order (`reading_key`); edges by their numbers, from 0."""

    picture: Image.Image
    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]
    direction: str

    def mermaid(self) -> str:
        return mermaid_of([node.label for node in self.nodes], self.edges, self.direction)


def mermaid_of(labels: list[str], edges: tuple[tuple[int, int], ...], direction: str) -> str:
    """Source with quoted labels, so that any text is one."""
    names = [f"N{number + 1}" for number in range(len(labels))]
    boxes = [f'    {name}["{_quoted(label)}"]' for name, label in zip(names, labels, strict=True)]
    arrows = [f"    {names[a]} --> {names[b]}" for a, b in edges]
    return "\n".join([f"flowchart {direction}", *boxes, *arrows])


def _quoted(label: str) -> str:
    return label.replace('"', "'").strip() or "?"


def reading_key(box: Box, height: int) -> tuple[int, int]:
    """Rows of a twelfth of the picture, from left to right in each."""
    return (int(12 * (box[1] + box[3]) / 2 / height), box[0])


def draw_flow(chooser: random.Random, font: ImageFont.FreeTypeFont) -> FlowDiagram:
    """Layers along one direction, arrows from each to the next."""
    direction = chooser.choice(("TD", "LR"))
    layers = list(chooser.choice(((1, 1), (1, 1, 1), (1, 2), (2, 1), (1, 2, 1), (1, 1, 1, 1),
                                  (1, 1, 2), (2, 1, 1), (1, 3))))  # fmt: skip
    labels = chooser.sample(LABELS, sum(layers))
    pitch = font.getlength("M")
    wide = int(max(font.getlength(label) for label in labels) + chooser.uniform(2, 5) * pitch)
    tall = int(font.size * chooser.uniform(1.8, 3.0))
    along = chooser.uniform(0.9, 1.8)
    across_gap, gap = int(1.5 * font.size), int(along * 2.6 * font.size)
    margin = int(font.size)
    places: list[list[Box]] = []
    widest = max(layers)
    for number, count in enumerate(layers):
        row = []
        for place in range(count):
            offset = (widest - count) / 2 + place
            if direction == "TD":
                left = margin + offset * (wide + across_gap)
                top = float(margin + number * (tall + gap))
            else:
                left = float(margin + number * (wide + gap))
                top = margin + offset * (tall + across_gap)
            shift = chooser.randrange(-4, 5)
            x, y = int(left + shift), int(top + (shift if direction == "LR" else 0))
            row.append((x, y, x + wide, y + tall))
        places.append(row)
    boxes = [box for row in places for box in row]
    width, height = max(b[2] for b in boxes) + margin, max(b[3] for b in boxes) + margin
    ground, line, fill = chooser.choice(GROUNDS)
    picture = Image.new("RGB", (width, height), ground)
    pen = ImageDraw.Draw(picture)
    thick = max(1, round(font.size / 11))
    joined: list[tuple[Box, Box]] = []
    for before, after in pairwise(places):
        pairs = [(a, b) for a in before for b in after]
        if len(pairs) > 2 and chooser.random() < 0.4:
            pairs = chooser.sample(pairs, len(pairs) - 1)
        joined += pairs
    if chooser.random() < 0.15:
        joined[-1] = (joined[-1][1], joined[-1][0])
    for a, b in joined:
        arrow(pen, a, b, line, thick, max(5, int(0.55 * font.size)))
    for box, label in zip(boxes, labels, strict=True):
        pen.rounded_rectangle(box, chooser.choice((0, 3)), fill, line, thick)
        middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        pen.text(middle, label, line if sum(fill) > 300 else (235, 235, 235), font, anchor="mm")
    order = sorted(range(len(boxes)), key=lambda index: reading_key(boxes[index], height))
    rank = {boxes[index]: number for number, index in enumerate(order)}
    return FlowDiagram(
        picture=picture,
        nodes=tuple(Node(label=labels[index], box=boxes[index]) for index in order),
        edges=tuple(sorted((rank[a], rank[b]) for a, b in joined)),
        direction=direction,
    )


def arrow(
    pen: ImageDraw.ImageDraw, a: Box, b: Box, fill: tuple[int, int, int], thick: int, head: int
) -> None:
    """From the middle of one box to that of another, from border to border."""
    start, end = border_point(a, b), border_point(b, a)
    angle = math.atan2(end[1] - start[1], end[0] - start[0])
    neck = (end[0] - head * math.cos(angle), end[1] - head * math.sin(angle))
    pen.line([start, neck], fill, thick)
    side = 0.5 * head
    pen.polygon(
        [
            end,
            (neck[0] - side * math.sin(angle), neck[1] + side * math.cos(angle)),
            (neck[0] + side * math.sin(angle), neck[1] - side * math.cos(angle)),
        ],
        fill,
    )
