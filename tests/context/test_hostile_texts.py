"""Texts that hang, crash or swell a parser: its process may die, the client still answers."""

from __future__ import annotations

import asyncio
import os
import signal
import warnings
from pathlib import Path

import pytest

from glm_context import parse_record
from glm_context.async_syntax import AsyncSyntax
from glm_context.gathered import CursorSite
from glm_context.indentation import outline
from glm_context.parse_engine import GaveUp, ParseEngine
from glm_context.syntax import Syntax
from glm_context.workspace_context import WorkspaceContext
from tests.support.invariants import assert_all_gone, descendants

# name: (text, languageId). Each took a parser seconds, gigabytes or its life.
HOSTILE = {
    "parentheses": ("(" * 20_000 + ")" * 20_000, "python"),
    "templates": ("a<" * 50_000, "cpp"),
    "generics": ("A<" * 10_000, "java"),
    "braces": ("{" * 20_000, "java"),
    "tags": ("<div>" * 5_000, "html"),
    "if in if": ("".join(" " * i + "if x:\n" for i in range(500)), "python"),
    "unary": ("-" * 50_000 + "1", "c"),
    "one line": ("function a(){return 1};" * 10_000, "javascript"),
    "bytes": ("\x01\x02" * 20_000, "cpp"),
}


def test_every_hostile_text_is_answered_and_no_process_is_left() -> None:
    before = {process.pid for process in descendants(os.getpid())}
    with Syntax(answer_s=10) as syntax:
        for text, language in HOSTILE.values():
            syntax.problems(text, language)
            assert isinstance(syntax.outline(text, language).units, tuple)
            facts = syntax.cursor(text, language, len(text) // 2)
            assert 0 <= facts.unit_start <= facts.unit_end <= len(text)
        assert syntax.outline("def f():\n    pass\n", "python").parsed
        started = [p for p in descendants(os.getpid()) if p.pid not in before]
    assert_all_gone(started)


def test_a_cancelled_parse_leaves_nothing_to_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Upstream: without a reset the next tree holds nodes of the cancelled document."""
    engine = ParseEngine()
    monkeypatch.setattr("glm_context.parse_engine.PARSE_S", 0.0)
    with pytest.raises(GaveUp):
        engine.parse("python", b"def f(x):\n    return x\n" * 5_000)
    monkeypatch.setattr("glm_context.parse_engine.PARSE_S", 10.0)
    root = engine.parse("python", b"x").root_node
    assert (root.end_byte, root.child_count) == (1, 1)


def test_the_parser_is_asked_in_the_way_that_can_be_stopped() -> None:
    """Given bytes, tree-sitter only warns that it will not look at the progress callback."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ParseEngine().parse("python", b"x = 1\n")


def test_an_incremental_parse_equals_a_whole_one() -> None:
    engine = ParseEngine()
    text = "class K:\n" + "".join(f"    def m{i}(self):\n        return {i}\n" for i in range(50))
    for edit in (text, text.replace("m7(", "méthode7("), text[:200], "# é\n" + text, "", text):
        data = edit.encode()
        again = engine.parse("python", data, "document").root_node
        fresh = ParseEngine().parse("python", data).root_node
        assert again.descendant_count == fresh.descendant_count
        assert again.end_byte == fresh.end_byte
        assert again.has_error == fresh.has_error


def test_a_process_that_hangs_is_killed_and_its_text_not_tried_again() -> None:
    with Syntax(answer_s=30) as syntax:
        assert syntax.outline("x = 1\n", "python").parsed
        syntax._answer_s = 0.3
        assert syntax._process is not None
        os.kill(syntax._process.pid, signal.SIGSTOP)
        text = "def f():\n    pass\n"
        assert not syntax.outline(text, "python").parsed
        assert syntax.record.deaths == 1
        assert not syntax.outline(text, "python").parsed  # from memory
        assert syntax.record.deaths == 1
        syntax._answer_s = 30
        assert syntax.outline("y = 1\n", "python").parsed


def test_a_process_that_dies_is_replaced_until_it_dies_too_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parse_record, "MAX_DEATHS", 2)
    record = parse_record.ParseRecord(clock=lambda: 0.0)
    record._deaths = record._deaths.__class__(maxlen=2)
    record.died_of("a")
    assert (record.refuses("a"), record.refuses("b")) == (True, False)
    record.died_of("b")
    assert record.refuses("c")


async def test_the_asyncio_client_answers_the_same_and_survives_a_kill() -> None:
    syntax = AsyncSyntax(answer_s=30)
    try:
        text = "def f(a):\n    return a\n"
        with Syntax(answer_s=30) as other:
            assert await syntax.outline(text, "python") == other.outline(text, "python")
        assert syntax._process is not None
        syntax._process.kill()
        await syntax._process.wait()
        facts = await asyncio.gather(
            *(syntax.cursor(text + "#" * i, "python", 12) for i in range(5))
        )
        assert all(fact.place in ("body", "statement", "head", "top") for fact in facts)
        assert facts[-1].parsed
        assert syntax.record.deaths == 1
    finally:
        await syntax.aclose()


async def test_a_cancelled_question_does_not_get_another_ones_answer() -> None:
    syntax = AsyncSyntax(answer_s=30)
    try:
        await syntax.start()
        slow = asyncio.ensure_future(syntax.outline("a<" * 50_000, "cpp"))
        await asyncio.sleep(0.05)
        slow.cancel()
        units = await syntax.units("def only():\n    pass\n", "python")
        assert [unit.name for unit in units] == ["only"]
    finally:
        await syntax.aclose()


def test_hostile_neighbours_are_indexed_or_left_out_and_context_still_comes(
    tmp_path: Path,
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    endings = {"python": "py", "cpp": "cpp", "java": "java", "html": "html", "c": "c"}
    for number, (text, language) in enumerate(HOSTILE.values()):
        (root / f"h{number}.{endings.get(language, 'js')}").write_text(text)
    (root / "good.py").write_text("def wanted_helper(first, second):\n    return first\n")
    text = "from good import wanted_helper\n\nwanted_helper("
    site = CursorSite(path="open.py", language="python", text=text, offset=len(text))
    with WorkspaceContext(root, home=tmp_path / "home") as workspace:
        workspace.build()
        found = workspace.gather(site).snippets
    assert [snippet.path for snippet in found][:1] == ["good.py"]


@pytest.mark.parametrize(
    "line", ["x " * 20_000, "a.b" * 20_000, "(" * 50_000, "\t" * 50_000, "@\n" * 20_000]
)
def test_reading_by_indentation_takes_any_text(line: str) -> None:
    outline(line + "\n" + line)
