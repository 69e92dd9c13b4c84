"""Training samples of drawn pictures: several questions about each."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image, ImageFont

from glm_vision.drawn import words
from glm_vision.drawn.flow_diagram import draw_flow
from glm_vision.drawn.scene import Scene, draw_scene, named
from glm_vision.drawn.screen_mockup import draw_screen
from glm_vision.drawn.text_page import font_of
from glm_vision.drawn.value_chart import draw_chart
from glm_vision.grounding import format_box
from glm_vision.reading_view import GRID, SIDE
from recipes.nano_vision.picture_sample import CHARACTERS, PictureSample, Turn
from recipes.nano_vision.tokenizer import build

Box = tuple[int, int, int, int]


def boxes_text(boxes: list[Box], size: tuple[int, int]) -> str:
    """All boxes in one pair of brackets."""
    width, height = size
    parts = [format_box(*box, width=width, height=height)[2:-2] for box in boxes]
    return "[[" + ";".join(parts) + "]]"


class DrawnPictures:
    """Draws samples without end, of every kind in turn by chance."""

    def __init__(self, fonts: list[Path], chooser: random.Random) -> None:
        self.fonts, self.chooser = fonts, chooser
        self.words = build().get_vocab()

    def sample(self) -> PictureSample:
        """Scenes most often, since they have the most to learn."""
        kinds = (self.scene, self.scene, self.diagram, self.diagram, self.chart, self.screen)
        return self.chooser.choice(kinds)()

    def scene(self) -> PictureSample:
        """Described, counted, added up, located."""
        scene = draw_scene(self.chooser)
        turns = [Turn(question=words.DESCRIBE, answer=scene.described())]
        turns += [self._count(scene) for _ in range(2)]
        turns.append(self._sum(scene))
        for name in self.chooser.sample(sorted({t.name for t in scene.things}), k=1):
            boxes = [thing.box for thing in scene.things if thing.name == name]
            turns.append(
                Turn(
                    question=words.WHERE.format(thing=name),
                    answer=boxes_text(boxes, scene.picture.size),
                )
            )
        marks = [(thing.box, self.words[f" {thing.shape}"]) for thing in scene.things]
        return _sample(scene.picture, turns, marks)

    def diagram(self) -> PictureSample:
        """Where the nodes are, and which are joined."""
        drawn = draw_flow(self.chooser, self._font())
        boxes = boxes_text([node.box for node in drawn.nodes], drawn.picture.size)
        arrows = ",".join(f"{a + 1}>{b + 1}" for a, b in drawn.edges)
        return _sample(
            drawn.picture,
            [Turn(question=words.NODES, answer=boxes), Turn(question=words.ARROWS, answer=arrows)],
            numbered([node.box for node in drawn.nodes]),
        )

    def chart(self) -> PictureSample:
        """Where its marks are."""
        chart = draw_chart(self.chooser, self._font())
        question = words.BARS if chart.kind == "bars" else words.POINTS
        answer = boxes_text(list(chart.marks), chart.picture.size)
        marks = numbered(list(chart.marks))
        return _sample(chart.picture, [Turn(question=question, answer=answer)], marks)

    def screen(self) -> PictureSample:
        """Which elements there are, and where."""
        screen = draw_screen(self.chooser, self._font())
        width, height = screen.picture.size
        parts = [
            f"{element.kind} {format_box(*element.box, width=width, height=height)}"
            for element in screen.elements
        ]
        marks = [(element.box, self.words[f" {element.kind}"]) for element in screen.elements]
        answer = " " + " ".join(parts)
        return _sample(screen.picture, [Turn(question=words.SCREEN, answer=answer)], marks)

    def _count(self, scene: Scene) -> Turn:
        wanted = self._kind(scene)
        answer = str(scene.count(wanted))
        return Turn(question=words.COUNT.format(things=named(wanted, 2)), answer=answer)

    def _sum(self, scene: Scene) -> Turn:
        one, other = self._kind(scene, whole=True), self._kind(scene, whole=True)
        while other == one:
            other = (
                f"{self.chooser.choice(list(words.COLOURS))} {self.chooser.choice(words.SHAPES)}"
            )
        question = words.COUNT_SUM.format(things=named(one, 2), others=named(other, 2))
        return Turn(question=question, answer=str(scene.count(one) + scene.count(other)))

    def _kind(self, scene: Scene, *, whole: bool = False) -> str:
        """Usually something that is there; a name, a shape or any shape."""
        choice = self.chooser.random()
        thing = self.chooser.choice(scene.things)
        if choice < 0.12:
            colour = self.chooser.choice(list(words.COLOURS))
            return f"{colour} {self.chooser.choice(words.SHAPES)}"
        if choice < 0.65 or whole:
            return thing.name
        return thing.shape if choice < 0.85 else "shape"

    def _font(self) -> ImageFont.FreeTypeFont:
        size = self.chooser.randrange(11, 24)
        return font_of(self.chooser.choice(self.fonts), size)


def numbered(boxes: list[Box]) -> list[tuple[Box, int]]:
    """Each box with the digit of its place in the answer."""
    return [(box, CHARACTERS[str(number + 1)]) for number, box in enumerate(boxes)]


def _sample(picture: Image.Image, turns: list[Turn], marks: list[tuple[Box, int]]) -> PictureSample:
    square = picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return PictureSample(picture=square, turns=tuple(turns), cells=marked(marks, picture.size))


def marked(marks: list[tuple[Box, int]], size: tuple[int, int]) -> tuple[int, ...]:
    """The mark of each patch that lies in a box by two fifths, or holds its middle."""
    cells = [CHARACTERS[" "]] * (GRID * GRID)
    for (left, top, right, bottom), mark in marks:
        x0, x1 = GRID * left / size[0], GRID * right / size[0]
        y0, y1 = GRID * top / size[1], GRID * bottom / size[1]
        middle = (int((x0 + x1) / 2), int((y0 + y1) / 2))
        for row in range(int(y0), min(GRID, int(y1) + 1)):
            for column in range(int(x0), min(GRID, int(x1) + 1)):
                wide = min(x1, column + 1) - max(x0, column)
                tall = min(y1, row + 1) - max(y0, row)
                if wide * tall >= 0.4 or (column, row) == middle:
                    cells[row * GRID + column] = mark
    return tuple(cells)
