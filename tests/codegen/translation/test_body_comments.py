"""Comments inside bodies are kept from the model and stand again where they stood."""

from __future__ import annotations

from pathlib import Path

import pytest

from glm_codegen.code_engine import CodeEngine, load_engine
from glm_codegen.translation.body_comments import Note, NotePlacer, without_notes
from glm_codegen.translation.outline import outline
from glm_protocol.answers import Chunk
from glm_protocol.translation import TranslationRequest, translated
from glm_runtime.engine import EngineOptions

MODEL = Path(__file__).parents[3] / "models" / "nano-translate"
LAMP = '''class Lamp:
    """A lamp."""

    def __init__(self, watts: int) -> None:
        # how strong
        # it is
        self.watts = watts

    # not a word of the model
    def brighter(self, steps: int) -> int:
        # one watt a step
        self.watts += steps
        return self.watts  # told at the end
'''


def test_documentation_stays_and_other_comments_go() -> None:
    found, notes = without_notes(outline(LAMP, "python", range(40)), "python")
    texts = {
        at: [found.entries[ord(note.text) - 0xE000].text for note in here]
        for at, here in notes.items()
    }
    assert "#" not in found.text
    assert ["how strong", "it is"] in texts.values()
    assert ["one watt a step"] in texts.values()
    assert ["told at the end"] in texts.values()
    assert ["not a word of the model"] in texts.values()
    assert '"""' in found.text
    assert len(found.rows) == len(found.lines)


@pytest.mark.parametrize(
    ("code", "language", "kept"),
    [
        ("// doc\nfunc f() int {\n\t// note\n\treturn 1\n}", "go", 1),
        ("// doc\nint f() {\n  // note\n  if (x) {\n    return 1;\n  }\n}", "cpp", 1),
        ("// doc\nfunction f() {\n  // note\n  let g = (x) => {\n  };\n}", "javascript", 0),
        ("# note\nx = 1\n# last", "python", 0),
        ("// alone", "java", 0),
    ],
)
def test_what_stands_before_a_head_is_documentation(code: str, language: str, kept: int) -> None:
    found, notes = without_notes(outline(code, language, range(40)), language)
    assert sum("//" in line or "#" in line for line in found.lines) == kept
    assert notes


def placed(target: str, text: str, notes: dict[int, Note]) -> list[str]:
    placer = NotePlacer(target, lambda line: line.endswith(" moves;"))
    for start, note in notes.items():
        placer.expect(start, (note,))
    shown: list[str] = []
    start = 0
    for line in text.split("\n"):
        shown += placer.place(start, line)
        start += len(line) + 1
    return [*shown, *placer.finish()]


def test_a_note_takes_the_indentation_of_what_follows() -> None:
    inner, last = Note(text="a", last=False), Note(text="b", last=True)
    said = "f() {\n  }\n  x moves;\n    y();\n  z();\n}"
    at_end = said.rindex("\n")
    assert placed("java", said, {6: inner, at_end: last}) == [
        *("f() {", "  }", "  x moves;", "    // a", "    y();", "  z();", "  // b", "}"),
    ]
    assert placed("python", "x = 1", {9: last}) == ["x = 1", "# b"]


@pytest.fixture(scope="module")
def engine() -> CodeEngine:
    return load_engine(EngineOptions(model=str(MODEL), device="cpu", threads=1))


@pytest.mark.parametrize("target", ["go", "java", "javascript", "cpp"])
def test_the_bundled_model_translates_a_class_with_comments(
    engine: CodeEngine, target: str
) -> None:
    engine.submit(
        TranslationRequest(id="1", document="d", code=LAMP, source="python", target=target)
    )
    text = ""
    while engine.busy:
        for _, event in engine.step():
            assert isinstance(event, Chunk)
            text += event.text
            if event.end is not None:
                text = translated(text, event.end.report)
    lines = [line.strip() for line in text.split("\n")]
    for comment in ("// how strong", "// it is", "// one watt a step", "// told at the end",
                    "// not a word of the model"):  # fmt: skip
        assert lines.count(comment) == 1
    assert lines.index("// it is") == lines.index("// how strong") + 1
    assert text.count("{") == text.count("}")
