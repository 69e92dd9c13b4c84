"""What an end's report does to ghost text: final text, alternatives, reasons, memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from glm_lsp.memory_feeding import MemoryFeeding, text_of, texts_of
from glm_protocol.answers import Chunk, End, FinishReason
from glm_protocol.completion import CompletionRequest
from glm_protocol.remembering import RememberRequest
from glm_protocol.request_fields import Trigger
from tests.lsp_server.in_process import InProcessEditor, eventually
from tests.support.raw_lsp_client import at

URI = "file:///a.py"


class Scripted:
    """Stands in for the daemon: says `text`, ends with `report`."""

    def __init__(self, text: str, report: dict[str, Any]) -> None:
        self.text, self.report = text, report
        self.requests: list[CompletionRequest] = []

    async def __call__(self, request: CompletionRequest) -> AsyncGenerator[Chunk, None]:
        self.requests.append(request)
        yield Chunk(text=self.text)
        yield Chunk(end=End(finish=FinishReason.STOP, model="scripted", report=self.report))


def scripted(editor: InProcessEditor, text: str, report: dict[str, Any]) -> Scripted:
    """An editor with an open file whose daemon is a script."""
    daemon = Scripted(text, report)
    editor.server.completer._complete = daemon
    editor.open("x = \n")
    return daemon


async def test_the_final_text_is_shown_in_place_of_the_stream(editor: InProcessEditor) -> None:
    scripted(editor, "call())", {"final": "call()"})
    item = await editor.ghost(0, 4)
    assert item["insertText"].endswith("call()")


async def test_withheld_text_is_not_shown_and_explained(editor: InProcessEditor) -> None:
    report = {"final": "", "gate": {"withheld": "confidence", "quiet": 0.3}, "confidence": 0.1}
    scripted(editor, "doubtful", report)
    assert not (await editor.ask("glm/explainLast", {}))["found"]
    assert await editor.ghost(0, 4) is None
    explained = await editor.ask("glm/explainLast", {"textDocument": {"uri": URI}})
    assert explained["found"]
    assert "not sure enough" in explained["why"]
    assert explained["confidence"] == 0.1
    assert explained["trigger"] == "automatic"
    assert {"timings_ms", "tokens", "model", "gate"} <= explained.keys()
    assert "final" not in explained, "no code"


async def test_alternatives_are_offered_to_who_asks(editor: InProcessEditor) -> None:
    daemon = scripted(editor, "one", {"final": "one", "alternatives": ["two", "three"]})
    wire = at(URI, 0, 4, kind=1)
    answer = await editor.ask("textDocument/inlineCompletion", wire)
    texts = [item["insertText"] for item in answer["items"]]
    assert texts == ["one", "two", "three"]
    asked = daemon.requests[0]
    assert asked.trigger is Trigger.EXPLICIT
    assert asked.ghost is not None
    assert (asked.ghost.count, asked.ghost.quiet) == (3, 0.0)


async def test_the_dial_goes_along_while_typing(editor: InProcessEditor) -> None:
    daemon = scripted(editor, "one", {})
    await editor.ghost(0, 4)
    ghost = daemon.requests[0].ghost
    assert ghost is not None
    assert ghost.count == 1
    assert ghost.quiet == editor.server.settings.inline_completion.quiet / 100


async def test_after_an_accept_the_next_is_prepared(editor: InProcessEditor) -> None:
    daemon = scripted(editor, "one", {})
    item = await editor.ghost(0, 4)
    await editor.ask("workspace/executeCommand", item["command"])
    await eventually(lambda: len(daemon.requests) == 2)
    assert daemon.requests[1].context.prefix == "x = one"
    editor.type(0, 4, "one")
    await editor.ghost(0, 7)
    assert len(daemon.requests) == 2, "what was prepared is the answer"


class Remembering:
    """Stands in for an engine with a memory."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.off = False

    async def __call__(self, request: RememberRequest) -> AsyncGenerator[Chunk, None]:
        for file in request.files:
            self.held[file.path] = file.text
        report = {"documents": 0 if self.off else len([t for t in self.held.values() if t])}
        yield Chunk(end=End(finish=FinishReason.STOP, model="m", report=report))


def feeding_of(root: Path, engine: Remembering) -> MemoryFeeding:
    def path_of(uri: str) -> str:
        return Path(uri.removeprefix("file://")).relative_to(root).as_posix()

    found: Any = root
    return MemoryFeeding(lambda _: found, path_of, engine)


def test_a_folder_is_given_once_and_again_to_a_new_engine(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    (tmp_path / "b.py").write_text('token = "ghp_' + "aB3dE5gH7j" * 3 + 'aB3dE5"\n')
    (tmp_path / ".env").write_text("SECRET=1\n")
    (tmp_path / ".gitignore").write_text("c.py\n")
    (tmp_path / "c.py").write_text("hidden = 1\n")
    uri = f"file://{tmp_path}/a.py"

    async def scenario() -> None:
        engine = Remembering()
        feeding = feeding_of(tmp_path, engine)
        feeding.heard(uri, {})
        feeding.heard(uri, {"memory": None})
        assert not feeding._tasks, "an engine without a memory is given nothing"
        feeding.heard(uri, {"memory": {"documents": 0}})
        await eventually(lambda: not feeding._tasks)
        assert engine.held.keys() == {"a.py", "b.py"}
        assert "ghp_" not in engine.held["b.py"]
        feeding.heard(uri, {"memory": {"documents": 2}})
        assert not feeding._tasks, "once"
        (tmp_path / "a.py").write_text("x = 2\n")
        feeding.changed([uri])
        await eventually(lambda: engine.held["a.py"] == "x = 2\n")
        engine.held.clear()
        await eventually(lambda: not feeding._tasks)
        feeding.heard(uri, {"memory": {"documents": 0}})
        await eventually(lambda: len(engine.held) == 2)
        feeding.wanted = False
        await feeding.aclose()
        feeding.heard(uri, {"memory": {"documents": 0}})
        assert not feeding._tasks, "a team's daemon is given nothing"

    asyncio.run(scenario())


def test_a_file_that_is_gone_is_empty(tmp_path: Path) -> None:
    assert text_of(tmp_path, "gone.py") == ""
    assert list(texts_of(tmp_path)) == []
