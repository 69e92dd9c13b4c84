"""Sequence and class diagrams: drawn with their source, found again by geometry, put together."""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any

import pytest
from PIL import Image, ImageFont

from glm_vision.class_boxes import find_classes, mark_of
from glm_vision.drawn.class_diagram import DrawnClass, Relation, class_source, draw_classes
from glm_vision.drawn.flow_diagram import draw_flow
from glm_vision.drawn.sequence_diagram import Message, draw_sequence, sequence_source
from glm_vision.lifelines import find_sequence
from glm_vision.tasks.mermaid import parse_mermaid
from glm_vision.tasks.taught_diagrams import find_boxes, spelt
from tests.vision.scripted_model import ScriptedModel, finish, png, question
from tests.vision.test_vision_engine import INFO

SEEDS = range(12)


def font(size: int) -> Any:
    return ImageFont.load_default(size)


@pytest.mark.parametrize("draw", [draw_flow, draw_sequence, draw_classes])
def test_every_drawn_source_parses(draw: Any) -> None:
    for seed in SEEDS:
        drawn = draw(random.Random(seed), font(14))
        parse_mermaid(drawn.mermaid())


def test_messages_are_found_with_their_ends_and_kinds() -> None:
    right = total = 0
    for seed in SEEDS:
        drawn = draw_sequence(random.Random(seed), font(16))
        found = find_boxes(drawn.picture)
        sequence = find_sequence(found.lines, found.boxes)
        assert sequence is not None, seed
        assert len(sequence.participants) == len(drawn.names)
        expected = [(m.sender, m.receiver, not m.reply) for m in drawn.messages]
        got = [(m.sender, m.receiver, m.solid) for m in sequence.messages]
        right += sum(pair in got for pair in expected) if len(got) == len(expected) else 0
        total += len(expected)
    assert right / total > 0.95


def test_a_flowchart_and_classes_are_no_sequence() -> None:
    for seed in SEEDS:
        for draw in (draw_flow, draw_classes):
            found = find_boxes(draw(random.Random(seed), font(16)).picture)
            assert find_sequence(found.lines, found.boxes) is None


def test_parts_of_a_class_belong_together() -> None:
    for seed in SEEDS:
        drawn = draw_classes(random.Random(seed), font(16))
        found = find_classes(find_boxes(drawn.picture).boxes)
        parts = sorted(len(one.parts) for one in found)
        assert parts == sorted(1 + bool(one.members) for one in drawn.classes), seed


def test_what_stands_at_a_lines_end() -> None:
    right = total = 0
    for seed in SEEDS:
        drawn = draw_classes(random.Random(seed), font(18))
        found = find_boxes(drawn.picture)
        classes = sorted(find_classes(found.boxes), key=lambda one: (one.box[1], one.box[0]))
        boxes = [one.box for one in classes]
        for relation in drawn.relations:
            total += 1
            kind = mark_of(found.lines, boxes[relation.marked], boxes[relation.plain])
            right += kind == relation.kind
    assert right / total > 0.9


def test_sources_survive_what_was_misread() -> None:
    names = ["a b", "a b", "7up", ""]
    classes = [DrawnClass(name=name, members=("+ok: int", "{bad", "run(")) for name in names]
    source = class_source(classes, [Relation(plain=0, marked=1, kind="*--")])
    assert set(parse_mermaid(source).nodes) == {"a_b", "a_b_", "_7up", "Unnamed"}
    said = (Message(sender=0, receiver=1, text="a; b # c"), Message(sender=1, receiver=0, text=""))
    parse_mermaid(sequence_source(["A;", ""], said))
    assert spelt("5erver") == "Server"
    assert spelt("Circ1e") == "Circle"
    assert spelt("Utf8") == "Utf8"
    assert spelt("3D") == "3D"


class NumberedModel(ScriptedModel):
    """Reads every canvas as one word of its own."""

    def __init__(self) -> None:
        super().__init__(taught="x")
        self.count = 0

    def read(self, pictures: Any) -> Any:
        found = []
        for _ in pictures:
            self.count += 1
            self.cells.append(f"Word{self.count}")
            found += super().read([None])  # type: ignore[list-item]
        return found


@pytest.fixture
def told() -> Generator[Any]:
    from glm_vision.image_intake import ImageIntake
    from glm_vision.vision_engine import VisionEngine

    with ImageIntake() as intake:

        def ask(picture: Image.Image) -> tuple[str, Any]:
            engine = VisionEngine(NumberedModel(), INFO, intake=intake)
            asked = question("", png(picture), options={"task": "diagram"})
            return finish(engine, asked)

        yield ask


def test_the_task_tells_the_three_kinds_apart(told: Any) -> None:
    for draw, head in (
        (draw_flow, "flowchart"),
        (draw_sequence, "sequenceDiagram"),
        (draw_classes, "classDiagram"),
    ):
        # A seed whose classes have members, as those without are boxes like any other.
        drawn = draw(random.Random(5), font(16))
        text, end = told(drawn.picture)
        assert text.startswith(head), text
        assert end.report["valid"] is True
        expected = parse_mermaid(drawn.mermaid())
        assert len(parse_mermaid(text).edges) == len(expected.edges)
