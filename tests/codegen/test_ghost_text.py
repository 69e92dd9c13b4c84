"""Ghost text: what is cut, checked, withheld, offered as alternatives, and reported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from glm_codegen.cutting.candidate import Candidate
from glm_codegen.ghost_attempts import Attempt, GhostAttempts
from glm_codegen.guided_chooser import GuidedChooser
from glm_codegen.parse_check import ParseCheck, endings
from glm_codegen.text_stream import TextStream
from glm_protocol.completion import CodeContext, CompletionMode, GhostText, Snippet
from glm_protocol.request_fields import Trigger
from glm_runtime.sampling import Sampler, Sampling
from tests.codegen.engine_driver import complete, request, scripted

EXPLICIT, AUTOMATIC = Trigger.EXPLICIT, Trigger.AUTOMATIC


@pytest.fixture(scope="module")
def check() -> Iterator[ParseCheck]:
    found = ParseCheck()
    yield found
    found.close()


def report_of(script: str, prefix: str, suffix: str = "\n", **options: Any) -> dict[str, Any]:
    engine, decoder = scripted(script)
    decoder.forgiving = True  # attempts leave the script
    defaults = {"trigger": EXPLICIT, "ghost": GhostText(), "language": "", "max_tokens": 60}
    answer = complete(engine, request(prefix, suffix, **(defaults | options)))
    assert answer.end is not None
    return dict(answer.end.report)


def test_the_final_text_is_cut_and_says_by_what() -> None:
    report = report_of("x)", "print(", ")\n")
    assert (report["final"], report["cut_by"]) == ("x", ["closed_already"])


def test_without_ghost_the_stream_is_the_answer() -> None:
    engine, _ = scripted("x)")
    answer = complete(engine, request("print(", ")\n"))
    assert answer.text == "x)"
    assert answer.end is not None
    assert "final" not in answer.end.report


def test_line_ends_of_the_final_text_are_the_documents() -> None:
    report = report_of("\n    a\n    b", "def f():\r\n", "\r\n", mode=CompletionMode.BLOCK)
    assert report["final"] == "\r\n    a\r\n    b"


def test_nothing_in_the_middle_of_other_text_unless_asked_for() -> None:
    assert report_of("a", "x = ", "word\n", trigger=AUTOMATIC)["gate"]["withheld"] == "mid_line"
    assert report_of("a", "x = ", ")\n", trigger=AUTOMATIC)["final"] == "a"
    assert report_of("a", "x = ", " + word\n", trigger=EXPLICIT)["final"] == "a"


def test_no_new_lines_between_two_that_are_written() -> None:
    squeezed = report_of("\ny = 2", "x = 1", "\nz = 3\n", trigger=AUTOMATIC)
    assert squeezed["gate"]["withheld"] == "between_lines"
    for suffix in ("\n\nz = 3\n", "\n", ""):
        assert report_of("\ny = 2", "x = 1", suffix, trigger=AUTOMATIC)["final"] == "\ny = 2"
    assert report_of("\ny = 2", "x = 1", "\nz = 3\n", trigger=EXPLICIT)["final"] == "\ny = 2"


def test_the_dial_withholds_what_is_in_doubt() -> None:
    # The scripted model gives its token e / (e + V - 1): far from sure.
    quiet = report_of("ab", "x = ", ghost=GhostText(quiet=0.9))
    assert (quiet["final"], quiet["gate"]["withheld"]) == ("", "confidence")
    assert 0 < quiet["confidence"] < 0.9


def test_pieces_have_their_cost_and_their_origin() -> None:
    snippets = (
        Snippet(id="s1", path="other.py", text="y = 1\n", source="import"),
        Snippet(id="s2", path="huge.py", text="z = 2\n" * 9000, source="recent"),
    )
    pieces = report_of("a", "x = ", snippets=snippets)["pieces"]
    by_source = {piece["source"]: piece for piece in pieces}
    assert by_source["s1"]["path"] == "other.py"
    assert by_source["s1"]["from"] == "import"
    assert by_source["s1"]["tokens"] > 0
    assert by_source["s2"]["tokens"] == 0, "it found no room, and that is said"
    assert {"prefix", "suffix", "control"} <= set(by_source)


def test_filters_that_leave_nothing_are_named() -> None:
    report = report_of("ab " * 18, "x = ")
    assert (report["final"], report["gate"]["withheld"]) == ("", "filters")
    assert report["cut_by"] == ["circles"]
    assert report["attempts"] == 2, "another attempt was made"


def place(prefix: str, suffix: str = "\n") -> Candidate:
    return Candidate("", prefix, suffix, "python")


@pytest.mark.parametrize(
    ("text", "prefix", "suffix", "breaks"),
    [
        ("1 + 2", "x = ", "\ny = 2\n", False),
        ("1 + +)", "x = ", "\ny = 2\n", True),
        ("def g(:", "", "\ny = 2\n", True),
        ("a, b", "def f(", "):\n    pass\n", False),
        ("a, b):", "def f(", "):\n    pass\n", True),
        ("def g(a):", "", "\n", False),
        ("call(", "x = ", "\n\ny = 2\n", False),
        ("call(", "x = ", "\ny = 2\n", True),
        ("else else", "", "\n", True),
    ],
)
def test_what_breaks_the_parse(
    check: ParseCheck, text: str, prefix: str, suffix: str, breaks: bool
) -> None:
    assert check.breaks(place(prefix, suffix).saying(text)) is breaks


def test_a_language_without_grammar_breaks_nothing(check: ParseCheck) -> None:
    assert not check.breaks(Candidate("))((", "", "\n", "klingon"))


def test_open_brackets_are_closed_for_the_test() -> None:
    assert "])" in endings(place("f([").saying("1, 2"))
    assert endings(place("f([").saying("1,\n2")) == [""], "a block is to be whole"


def attempts(*found: Attempt, trigger: Trigger = AUTOMATIC, count: int = 1) -> GhostAttempts:
    made = GhostAttempts(GhostText(count=count), trigger, place("x = "), ParseCheck())
    made.attempts.extend(found)
    return made


def attempt(text: str, *, confidence: float = 0.5, breaks: bool = False) -> Attempt:
    return Attempt(said=text, shown=text, cut_by=(), confidence=confidence, breaks=breaks)


def test_a_text_that_parses_goes_before_one_that_does_not() -> None:
    made = attempts(attempt("a)", breaks=True, confidence=0.9), attempt("a", confidence=0.1))
    assert made.report(str)["final"] == "a"
    assert not made.wants_more


def test_what_breaks_the_parse_is_not_shown_and_another_is_tried() -> None:
    broken = attempt("a)", breaks=True)
    assert attempts(broken).report(str)["gate"]["withheld"] == "parse"
    assert attempts(broken).wants_more


def test_of_a_broken_block_the_good_lines_are_kept(check: ParseCheck) -> None:
    where = place("def f(x):\n    ", "\n\ny = 2\n")
    made = GhostAttempts(GhostText(), AUTOMATIC, where, check)
    made.take("x += 1\n    return x\n    z = (((]", 0.5)
    report = made.report(str)
    assert (report["final"], report["cut_by"]) == ("x += 1\n    return x", ["broken_lines"])


def test_what_is_kept_of_a_block_is_whole(check: ParseCheck) -> None:
    made = GhostAttempts(GhostText(), AUTOMATIC, place("def f(x):\n    ", "\n\ny = 2\n"), check)
    made.take("return call(\n        x = (((]", 0.5)
    assert made.report(str)["gate"]["withheld"] == "parse"


def test_a_line_that_was_not_finished_is_left_out(check: ParseCheck) -> None:
    made = GhostAttempts(GhostText(), AUTOMATIC, place("x = "), check)
    made.take("first(x)\n    sec", 0.5, unfinished=True)
    assert made.report(str)["final"] == "first(x)"
    alone = GhostAttempts(GhostText(), AUTOMATIC, place("x = "), check)
    alone.take("first(", 0.5, unfinished=True)
    assert alone.report(str)["final"] == "first(", "one line is shown as far as it came"


def test_alternatives_are_distinct() -> None:
    made = attempts(attempt("a"), attempt("a "), attempt("b"), count=3)
    assert made.wants_more
    report = made.report(str)
    assert (report["final"], report["alternatives"]) == ("a", ["b"])


def test_another_attempt_begins_with_another_token() -> None:
    engine, _ = scripted("ab")
    vocabulary = engine._parts.vocabulary
    logits_V = torch.zeros(len(vocabulary.texts))
    logits_V[70], logits_V[71] = 3.0, 2.0
    stream = TextStream(engine._parts.tokenizer, [])
    for avoided, wanted in (((), 70), ((70,), 71)):
        chooser = GuidedChooser(Sampler(Sampling()), stream, vocabulary=vocabulary, avoid=avoided)
        assert chooser.next_token(logits_V) == wanted
        assert chooser.next_token(logits_V) == 70, "only the first token differs"
        assert chooser.first == wanted


def test_a_window_that_ends_in_a_string_hides_nothing(check: ParseCheck) -> None:
    body = "def f():\n    return 1\n\n\n" * 400
    cut_off = "\n\n" + body + 'def g():\n    """A text that the window cuts'
    where = Candidate("", "def h():\n    ", cut_off, "python")
    assert not check.breaks(where.saying("return 2"))
    assert check.breaks(where.saying('"""An open text\n    return 2'))


@pytest.mark.parametrize(
    ("language", "prefix", "suffix", "mode"),
    [
        ("python", 'def f(x):\n    """Doc."""\n    ', "\n", CompletionMode.BLOCK),
        ("python", 'def f(x):\n    """Doc."""\n    ', "\n    return x\n", CompletionMode.LINE),
        (
            "python",
            "def f(x):\n    # next:\n    return\n    # it is:\n    ",
            "\n",
            CompletionMode.LINE,
        ),
        ("python", "def f(x):", "\n", CompletionMode.BLOCK),
        ("python", "def f(x):\n    ", " # here\n", CompletionMode.LINE),
        ("fortran", "do:\n    ", "\n", CompletionMode.BLOCK),  # no grammar: by the text
    ],
)
def test_auto_means_a_block_by_the_syntax(
    check: ParseCheck, language: str, prefix: str, suffix: str, mode: CompletionMode
) -> None:
    context = CodeContext(path="a", language=language, prefix=prefix, suffix=suffix)
    assert check.mode_at(context, CompletionMode.AUTO) is mode
    assert check.mode_at(context, CompletionMode.LINE) is CompletionMode.LINE
