"""Pictures with a question and the rule that scores the answer, drawn from a seed."""

from __future__ import annotations

import random
import re
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageFont

from glm_vision.drawn.class_diagram import draw_classes
from glm_vision.drawn.error_lines import error_with_place, python_error
from glm_vision.drawn.flow_diagram import draw_flow
from glm_vision.drawn.scene import draw_scene, named
from glm_vision.drawn.screen_mockup import draw_screen
from glm_vision.drawn.sequence_diagram import draw_sequence
from glm_vision.drawn.text_page import THEMES, UNSEEN_THEME, Theme, draw_page, font_of
from glm_vision.drawn.value_chart import draw_chart
from glm_vision.evaluate.font_files import FontFiles
from glm_vision.evaluate.likeness import edge_f1, iou, same_characters, value_share
from glm_vision.tasks.mermaid import parse_mermaid

LINES, COLUMNS = 3, 40
_MODULES = (
    "argparse",
    "ast",
    "csv",
    "difflib",
    "heapq",
    "shlex",
    "textwrap",
    "tokenize",
    "zipfile",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What came back on a case."""

    text: str
    boxes: Sequence[Sequence[int]]
    report: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """`score` gives 0 to 1; `expected` is for people."""

    category: str
    picture: Image.Image
    question: str
    task: str
    expected: str
    score: Callable[[Answered], float]


@cache
def code_lines() -> tuple[str, ...]:
    """Of Python's own library, which no training picture shows."""
    folder = Path(sysconfig.get_path("stdlib"))
    lines = []
    for name in _MODULES:
        for line in (folder / f"{name}.py").read_text(encoding="utf-8").splitlines():
            if line.strip() and line.isascii() and line.isprintable():
                lines.append(line[:COLUMNS].rstrip())
    return tuple(line for line in lines if line.strip())


def cases(count: int, seed: int, fonts: FontFiles) -> Iterator[Case]:
    """`count` of every category."""
    known, night = list(fonts.trained), list(THEMES)
    for number in range(count):
        chooser = random.Random(f"{seed}-{number}")
        yield reading("read: known font", chooser, known, night)
        if fonts.unseen:
            yield reading("read: unseen font", chooser, list(fonts.unseen), night)
        yield reading("read: unseen theme", chooser, known, [UNSEEN_THEME])
        yield error(chooser, known)
        yield from scene(chooser)
        for kind in _DIAGRAMS:
            yield diagram(kind, chooser, known)
        yield chart(chooser, known)
        yield screen(chooser, known)


def reading(category: str, chooser: random.Random, fonts: list[Path], themes: list[Theme]) -> Case:
    """Up to three lines of forty columns; the share of characters that is right."""
    lines = tuple(chooser.choice(code_lines()) for _ in range(chooser.randrange(1, LINES + 1)))
    indent = min(len(line) - len(line.lstrip()) for line in lines)
    lines = tuple(line[indent:] for line in lines)
    font = font_of(chooser.choice(fonts), chooser.randrange(11, 29))
    picture = draw_page(lines, font=font, theme=chooser.choice(themes), chooser=chooser)
    expected = "\n".join(lines)
    return Case(
        category=category,
        picture=picture,
        question="",
        task="read",
        expected=expected,
        score=lambda got: same_characters(expected, got.text),
    )


def error(chooser: random.Random, fonts: list[Path]) -> Case:
    """1 where the first place named is the right file and line."""
    text, file, line = error_with_place(chooser)
    lines = tuple(dict.fromkeys((text[: 2 * COLUMNS], python_error(chooser))))
    font = font_of(chooser.choice(fonts), chooser.randrange(12, 25))
    picture = draw_page(lines, font=font, theme=chooser.choice(THEMES), chooser=chooser)

    def score(got: Answered) -> float:
        places = got.report.get("places") or [{}]
        first = places[0]
        return float((first.get("file"), first.get("line")) == (file, line))

    return Case(
        category="error: file and line",
        picture=picture,
        question="",
        task="error",
        expected=f"{file}:{line}",
        score=score,
    )


def scene(chooser: random.Random) -> Iterator[Case]:
    """Described, counted, added up, located: one case each, of one picture."""
    drawn = draw_scene(chooser)
    thing = chooser.choice(drawn.things)
    wanted = chooser.choice((thing.name, thing.shape, "shape"))
    others = sorted({t.name for t in drawn.things if t.name != thing.name}) or ["red star"]
    other = chooser.choice(others) if thing.name != "red star" else "blue circle"
    total = drawn.count(thing.name) + drawn.count(other)
    boxes = [t.box for t in drawn.things if t.name == thing.name]

    def case(category: str, question: str, task: str, expected: str, score: Any) -> Case:
        return Case(
            category=category,
            picture=drawn.picture,
            question=question,
            task=task,
            expected=expected,
            score=score,
        )

    def exactly(expected: str) -> Callable[[Answered], float]:
        return lambda got: float(got.text.strip() == expected)

    count = str(drawn.count(wanted))
    yield case("scene: count", f"How many {named(wanted, 2)}?", "", count, exactly(count))
    question = f"How many {named(thing.name, 2)} and {named(other, 2)}?"
    yield case("scene: sum", question, "", str(total), exactly(str(total)))
    yield case(
        "scene: where",
        f"the {thing.name}",
        "find",
        str([list(box) for box in boxes]),
        lambda got: max((iou(box, boxes[0]) >= 0.5 for box in got.boxes[:1]), default=0.0),
    )
    told = drawn.described()
    yield case("scene: described", "Describe the picture.", "describe", told, exactly(told))


def diagram(kind: str, chooser: random.Random, fonts: list[Path]) -> Case:
    """F1 of the edges, by the labels they join; 0 where it does not parse."""
    font = font_of(chooser.choice(fonts), chooser.randrange(13, 23))
    drawn: Any = _DIAGRAMS[kind](chooser, font)
    expected = parse_mermaid(drawn.mermaid()).edge_set()
    return Case(
        category=f"diagram: {kind}",
        picture=drawn.picture,
        question="",
        task="diagram",
        expected=drawn.mermaid(),
        score=lambda got: edge_f1(expected, got.text),
    )


_DIAGRAMS: dict[str, Callable[[random.Random, ImageFont.FreeTypeFont], Any]] = {
    "flow": draw_flow,
    "sequence": draw_sequence,
    "classes": draw_classes,
}


def chart(chooser: random.Random, fonts: list[Path]) -> Case:
    """The share of values that are there by name, within a twentieth of the largest."""
    drawn = draw_chart(chooser, font_of(chooser.choice(fonts), chooser.randrange(13, 23)))
    values = dict(zip(drawn.names, drawn.values, strict=True))
    return Case(
        category="chart: values",
        picture=drawn.picture,
        question="",
        task="chart",
        expected=drawn.csv(),
        score=lambda got: value_share(values, got.text),
    )


def screen(chooser: random.Random, fonts: list[Path]) -> Case:
    """The share of elements whose kind and text both stand in the HTML."""
    drawn = draw_screen(chooser, font_of(chooser.choice(fonts), chooser.randrange(13, 23)))
    wanted = drawn.html().splitlines()[1:-1]

    def score(got: Answered) -> float:
        lines = [re.sub(r"\s+", " ", line).strip() for line in got.text.splitlines()]
        return sum(line.strip() in lines for line in wanted) / len(wanted)

    return Case(
        category="screen: elements",
        picture=drawn.picture,
        question="",
        task="ui",
        expected=drawn.html(),
        score=score,
    )
