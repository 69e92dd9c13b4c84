"""The tasks: what is asked of a model, how an answer is checked, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PIL import Image, ImageDraw

from glm_protocol.chat import ChatRequest
from glm_runtime.engine import EngineInfo
from glm_vision.drawn import words
from glm_vision.drawn.flow_diagram import arrow, mermaid_of
from glm_vision.image_intake import ImageIntake
from glm_vision.tasks.answer_check import check_html, check_plantuml, check_table
from glm_vision.tasks.mermaid import parse_mermaid
from glm_vision.tasks.places import places_in
from glm_vision.vision_engine import VisionEngine
from tests.vision.scripted_model import ScriptedModel, finish, png, question

PICTURE = png(Image.new("RGB", (200, 100), "white"))
INFO = EngineInfo(
    model="scripted",
    family="vision",
    architecture="scripted",
    device="cpu",
    dtype="float32",
    context_length=4096,
    memory_bytes=0,
    capabilities=("chat", "image_in"),
)


@pytest.fixture(scope="module")
def intake() -> Iterator[ImageIntake]:
    with ImageIntake() as made:
        yield made


def engine_of(intake: ImageIntake, model: ScriptedModel) -> VisionEngine:
    return VisionEngine(model, INFO, intake=intake)


def task(name: str, text: str = "", picture: bytes = PICTURE, **options: str) -> ChatRequest:
    return question(text, picture, options={"task": name, **options})


def test_mermaid_is_taken_out_of_its_fence(intake: ImageIntake) -> None:
    model = ScriptedModel("Here you are:\n```mermaid\nflowchart TD\n  a --> b\n```\nBye.")
    text, end = finish(engine_of(intake, model), task("diagram"))
    assert text == "flowchart TD\n  a --> b"
    assert end.report["valid"] is True


def test_mermaid_that_does_not_parse_is_asked_for_once_more(intake: ImageIntake) -> None:
    model = ScriptedModel("flowchart TD\n a -->", "flowchart TD\n a --> b")
    text, end = finish(engine_of(intake, model), task("diagram"))
    assert text == "flowchart TD\n a --> b"
    assert end.report["valid"] is True
    first, second = model.asked
    assert len(first) == 1
    assert [turn.role for turn in second] == ["user", "assistant", "user"]
    assert "line 2" in second[2].text


def test_what_never_parses_is_marked(intake: ImageIntake) -> None:
    model = ScriptedModel("no diagram", "still none")
    text, end = finish(engine_of(intake, model), task("diagram"))
    assert text == "no diagram"
    assert end.report["valid"] is False
    assert any("does not parse" in note for note in end.report["notes"])


@pytest.mark.parametrize(
    ("name", "form", "answer", "valid"),
    [
        ("chart", "", "name,value\na,1\nb,2", True),
        ("chart", "", "```csv\nname,value\na,1\n```", True),
        ("chart", "json", '[{"name": "a", "value": 1}]', True),
        ("chart", "", "name,value\na,1,2", False),
        ("chart", "", "It shows two bars.", False),
        ("ui", "", "<form><input><p>x</p></form>", True),
        ("ui", "", "<form><p>x</form>", False),
        ("diagram", "plantuml", "@startuml\na -> b\n@enduml", True),
        ("diagram", "plantuml", "a -> b", False),
    ],
)
def test_answers_are_checked(
    intake: ImageIntake, name: str, form: str, answer: str, valid: bool
) -> None:
    model = ScriptedModel(answer, answer)
    asked = task(name, form=form) if form else task(name)
    _, end = finish(engine_of(intake, model), asked)
    assert end.report["valid"] is valid
    assert len(model.asked) == (1 if valid else 2)


def test_boxes_come_back_in_source_pixels(intake: ImageIntake) -> None:
    model = ScriptedModel("[[100,200,500,900]]")
    text, end = finish(engine_of(intake, model), task("find", "the button"))
    assert text == "[[100,200,500,900]]"
    assert end.report["boxes"] == [[20, 20, 100, 90]]
    assert end.report["valid"] is True
    assert "Where is the button?" in model.asked[0][0].text


def test_an_errors_places_are_named(intake: ImageIntake) -> None:
    model = ScriptedModel('In "src/app.py", line 12, a KeyError. See lib/db.go:7:3.')
    _, end = finish(engine_of(intake, model), task("error"))
    assert [(p["file"], p["line"]) for p in end.report["places"]] == [
        ("src/app.py", 12),
        ("lib/db.go", 7),
    ]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ('File "a/b.py", line 1B, in f', [("a/b.py", 18)]),
        ("src\\x.cs(10,4): error CS1002", [("src\\x.cs", 10)]),
        ("  --> src/main.rs:1O:3", [("src/main.rs", 10)]),
        ("see README.md", []),
        ("at 10:20:30 it failed", []),
        ("x.py:5 and x.py:5", [("x.py", 5)]),
    ],
)
def test_places(text: str, places: list[tuple[str, int]]) -> None:
    assert [(place["file"], place["line"]) for place in places_in(text)] == places


def test_labels_of_any_text_make_valid_mermaid() -> None:
    for label in ('say "hi"', "", "a[b](c){d}", "x --> y", "end", "|", "#;&"):
        assert parse_mermaid(mermaid_of([label, "b"], ((0, 1),), "TD")).edges


def test_checks_of_bare_text() -> None:
    assert check_table('name,"a, b"\nx,1').valid
    assert not check_table('name,"a\nx,1').valid
    assert not check_html("plain words").valid
    assert check_html("<br/><p>x</p>").valid
    assert not check_plantuml("").valid


def blocks(lines: list[str], pitch: int = 10, height: int = 24) -> Image.Image:
    """A page whose letters are blocks: what is searched for lines and columns."""
    width = 20 + pitch * max(map(len, lines))
    picture = Image.new("RGB", (width, 20 + height * len(lines)), "white")
    pen = ImageDraw.Draw(picture)
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            if character != " ":
                left, top = 10 + column * pitch, 10 + row * height
                pen.rectangle((left + 2, top, left + pitch - 3, top + 12), "black")
    return picture


def test_a_taught_model_reads_line_by_line(intake: ImageIntake) -> None:
    lines = ["ab cd", "   ef", "gh"]
    model = ScriptedModel(taught="t", cells=["".join(line.ljust(48) for line in lines)])
    text, end = finish(engine_of(intake, model), task("read", picture=png(blocks(lines))))
    assert text == "ab cd\n   ef\ngh"
    assert end.report["doubtful"] == 0
    assert not model.asked


def scene() -> bytes:
    """Two red things above a blue one; what shape they are, the model says."""
    picture = Image.new("RGB", (200, 100), "white")
    pen = ImageDraw.Draw(picture)
    pen.ellipse((20, 10, 49, 39), words.COLOURS["red"])
    pen.rectangle((120, 12, 149, 41), words.COLOURS["red"])
    pen.rectangle((60, 60, 89, 89), words.COLOURS["blue"])
    return png(picture)


NAMES = ("circle", "square", "square")


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("How many red circles are there?", "1"),
        ("Count the squares", "2"),
        ("How many red circles and blue squares?", "2"),
        ("How many things or shapes?", "3"),
        ("How many stars?", "0"),
        ("What do you see?", "1 red circle, 1 red square, 1 blue square"),
        ("Where is the blue square?", "[[300,600,450,900]]"),
    ],
)
def test_a_taught_model_counts_and_finds(intake: ImageIntake, asked: str, answer: str) -> None:
    model = ScriptedModel(taught="t", names=NAMES)
    text, end = finish(engine_of(intake, model), question(asked, scene()))
    assert text == answer
    if "Where" in asked:
        assert end.report["boxes"] == [[60, 60, 90, 90]]


def test_a_taught_model_says_what_it_does_not_know(intake: ImageIntake) -> None:
    engine = engine_of(intake, ScriptedModel(taught="t", names=NAMES))
    text, end = finish(engine, question("Will it rain?", scene()))
    assert text == "1 red circle, 1 red square, 1 blue square"
    assert "does not reason" in end.report["notes"][0]
    assert end.report["kind"] == "scene"
    _, end = finish(engine, question("Will it rain?"))
    assert end.report["valid"] is False
    _, end = finish(engine, question("Where is the pear?", scene()))
    assert (end.report["boxes"], end.report["valid"]) == ([], False)
    for name in ("read", "diagram", "chart", "ui"):
        text, end = finish(engine, task(name))
        assert text == ""
        assert end.report["notes"]


def test_a_free_question_is_answered_by_the_kind_of_picture(intake: ImageIntake) -> None:
    """What is told was read, counted or found."""
    model = ScriptedModel(taught="t", cells=['File "a.py", line 3'])
    page = Image.new("RGB", (300, 40), "white")
    pen = ImageDraw.Draw(page)
    for column in range(20):
        pen.rectangle((10 + 10 * column, 10, 15 + 10 * column, 21), "black")
    text, end = finish(engine_of(intake, model), question("What is this?", png(page)))
    assert text.startswith("Text, 1 line. It names a.py line 3.")
    assert end.report["kind"] == "text"
    assert not model.asked


def test_a_diagram_of_a_taught_model_is_put_together_and_parsed(intake: ImageIntake) -> None:
    picture = Image.new("RGB", (120, 200), "white")
    pen = ImageDraw.Draw(picture)
    boxes = [(20, 10, 100, 50), (20, 140, 100, 180)]
    for left, top, right, bottom in boxes:
        pen.rectangle((left, top, right, bottom), "white", "black", 2)
        for x in (35, 50, 65):
            pen.rectangle((x, top + 14, x + 6, top + 26), "black")
    arrow(pen, boxes[1], boxes[0], (0, 0, 0), 2, 9)
    model = ScriptedModel(taught="t", cells=["Load", "Save"])
    text, end = finish(engine_of(intake, model), task("diagram", picture=png(picture)))
    diagram = parse_mermaid(text)
    assert end.report["valid"] is True
    assert diagram.edges == [("N2", "N1", "")]
    assert len(end.report["boxes"]) == 2


def test_a_chart_of_a_taught_model_is_a_table(intake: ImageIntake) -> None:
    picture = Image.new("RGB", (160, 130), "white")
    pen = ImageDraw.Draw(picture)
    pen.line([(40, 5), (40, 105), (155, 105)], "black", 1)
    for y in (10, 100):  # numbers at the axis
        pen.rectangle((12, y - 5, 18, y + 5), "black")
        pen.rectangle((22, y - 5, 28, y + 5), "black")
    for left, top in ((55, 10), (100, 55)):
        pen.rectangle((left, top, left + 20, 105), words.COLOURS["blue"])
        pen.rectangle((left + 7, 112, left + 13, 122), "black")
    model = ScriptedModel(taught="t", cells=["90".ljust(48) + "O".ljust(48), "a", "b"])
    text, end = finish(engine_of(intake, model), task("chart", picture=png(picture)))
    assert end.report["valid"] is True
    head, *rows = text.splitlines()
    assert head == "name,value"
    values = [float(row.split(",")[1]) for row in rows]
    assert values[0] == pytest.approx(90, abs=2)
    assert values[1] == pytest.approx(45, abs=2)
