"""Ghost text: what is asked, what is reused, what is answered and where it goes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import fields
from typing import Any

import pytest

from glm_lsp.documents import MAX_LINE
from glm_lsp.features import text_sync
from glm_protocol.completion import CompletionRequest
from glm_protocol.request_fields import Trigger
from tests.client.stub_daemon import StubDaemon
from tests.lsp_server.in_process import InProcessEditor, eventually
from tests.support.raw_lsp_client import at, insertion

URI = "file:///a.py"


def span(item: Any) -> tuple[int, int, int, int]:
    start, end = item["range"]["start"], item["range"]["end"]
    return start["line"], start["character"], end["line"], end["character"]


async def test_the_request_says_what_the_editor_knows(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    editor.server.folders.change([{"uri": "file:///ws"}], [])
    editor.open("a = 1\r\nfoo(\r\nb\r\n", "file:///ws/src/m%20x.py")
    item = await editor.ghost(1, 4, "file:///ws/src/m%20x.py")
    assert item["insertText"] == "completed"
    wire = daemon.requests[0]
    assert wire["context"] == {
        "path": "src/m x.py",
        "language": "python",
        "prefix": "a = 1\nfoo(",
        "suffix": "\nb\n",
        "snippets": [],
    }
    assert wire["model"] is None
    assert set(wire) == {field.name for field in fields(CompletionRequest)}
    assert daemon.headers[-1]["host"] == "glm-lsp"


async def test_the_range_begins_where_the_identifier_does(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    daemon.text = "value)"
    editor.open("foo(my_")
    item = await editor.ghost(0, 7)
    assert (item["insertText"], span(item)) == ("my_value)", (0, 4, 0, 7))
    assert item["command"]["command"] == "glm.server.accepted"


async def test_typing_along_makes_no_call(editor: InProcessEditor, daemon: StubDaemon) -> None:
    daemon.text = "bar(1)\n  baz"
    editor.open("x = \nrest\n")
    await editor.ghost(0, 4)
    for typed in range(1, 7):
        editor.type(0, 3 + typed, daemon.text[typed - 1])
        item = await editor.ghost(0, 4 + typed)
        start = item["range"]["start"]["character"]
        assert ("x = " + daemon.text)[start:] == item["insertText"]
    editor.type(0, 10, "\n  ")
    item = await editor.ghost(1, 2)
    assert (item["insertText"], span(item)) == ("baz", (1, 2, 1, 2))
    for typed in range(3):
        editor.type(1, 2 + typed, "baz"[typed])
        item = await editor.ghost(1, 3 + typed)
    assert item is None  # typed to its end: still no call
    assert len(daemon.requests) == 1


async def test_going_back_within_a_suggestion_makes_no_call(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    editor.open("x = ")
    await editor.ghost(0, 4)
    editor.type(0, 4, "comp")
    assert (await editor.ghost(0, 8))["insertText"] == "completed"
    where = {"start": {"line": 0, "character": 6}, "end": {"line": 0, "character": 8}}
    editor.change({"range": where, "text": ""})
    assert (await editor.ghost(0, 6))["insertText"] == "completed"
    assert len(daemon.requests) == 1


async def test_typing_something_else_asks_anew(editor: InProcessEditor, daemon: StubDaemon) -> None:
    editor.open("x = ")
    await editor.ghost(0, 4)
    editor.type(0, 4, "z")
    await editor.ghost(0, 5)
    assert [wire["context"]["prefix"] for wire in daemon.requests] == ["x = ", "x = z"]


@pytest.mark.parametrize("with_command", [True, False])
async def test_behind_an_accepted_suggestion_a_new_one_comes(
    editor: InProcessEditor, daemon: StubDaemon, with_command: bool
) -> None:
    editor.open("x = ")
    item = await editor.ghost(0, 4)
    editor.type(0, 4, item["insertText"])
    if with_command:
        command = item["command"]
        await editor.ask(
            "workspace/executeCommand",
            {"command": command["command"], "arguments": command["arguments"]},
        )
        assert editor.server.accepted == 1
    assert (await editor.ghost(0, 13))["insertText"] == "completedcompleted"
    assert len(daemon.requests) == 2


async def test_a_running_generation_is_kept_while_it_may_lead_here(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    daemon.delay_s = 0.05
    editor.open("x = ")
    first = editor.request("textDocument/inlineCompletion", at(URI, 0, 4))
    generation = editor.server.completer._generations[URI]
    await eventually(lambda: generation.text)
    editor.type(0, 4, "co")
    second = await editor.ghost(0, 6)
    assert second["insertText"] == "completed"
    assert (await editor.reply(first))["result"]["items"][0]["insertText"] == "completed"
    assert len(daemon.requests) == 1


async def test_a_newer_request_takes_the_older_one_s_place(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    daemon.delay_s = 0.1
    editor.open("x = ")
    older = editor.request("textDocument/inlineCompletion", at(URI, 0, 4))
    await eventually(lambda: daemon.requests)
    editor.type(0, 4, "zz")
    daemon.delay_s = 0
    assert (await editor.ghost(0, 6))["insertText"] == "zzcompleted"
    assert (await editor.reply(older))["error"]["code"] == -32801
    await eventually(lambda: daemon.gone == 1)


async def test_cancel_closes_the_stream(editor: InProcessEditor, daemon: StubDaemon) -> None:
    daemon.delay_s = 5
    editor.open("x = ")
    number = editor.request("textDocument/inlineCompletion", at(URI, 0, 4))
    await eventually(lambda: daemon.requests)
    started = time.perf_counter()
    editor.notify("$/cancelRequest", {"id": number})
    assert (await editor.reply(number))["error"]["code"] == -32800
    await eventually(lambda: daemon.gone == 1)
    assert time.perf_counter() - started < 0.2


async def test_closing_the_document_ends_the_generation(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    daemon.delay_s = 5
    editor.open("x = ")
    number = editor.request("textDocument/inlineCompletion", at(URI, 0, 4))
    await eventually(lambda: daemon.requests)
    editor.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    assert (await editor.reply(number))["error"]["code"] == -32801
    await eventually(lambda: daemon.gone == 1)


@pytest.mark.parametrize("reopen", [True, False])
async def test_an_edit_elsewhere_meanwhile_makes_the_answer_void(
    editor: InProcessEditor, daemon: StubDaemon, reopen: bool
) -> None:
    daemon.delay_s = 0.05
    editor.open("a\nx = ")
    number = editor.request("textDocument/inlineCompletion", at(URI, 1, 4))
    await eventually(lambda: daemon.requests)
    if reopen:
        editor.open("a\nx = ")
    else:
        editor.type(0, 0, "b")
    assert (await editor.reply(number))["error"]["code"] == -32801


async def test_an_answer_to_a_stale_request_covers_what_was_typed(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    """Neovim does not ask again while a request is open."""
    daemon.delay_s = 0.05
    editor.open("x = c  # note\n")
    number = editor.request("textDocument/inlineCompletion", at(URI, 0, 5))
    await eventually(lambda: daemon.requests)
    daemon.text = "unused"
    editor.type(0, 5, "com")
    item = (await editor.reply(number))["result"]["items"][0]
    assert (item["insertText"], span(item)) == ("ccompleted", (0, 4, 0, 8))


async def test_nothing_slower_than_two_seconds(
    editor: InProcessEditor, daemon: StubDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glm_lsp.features.inline_completion.PATIENCE_S", 0.6)
    daemon.delay_s = 0.4
    editor.open("x = ")
    await editor.state("ready")
    started = time.perf_counter()
    item = await editor.ghost(0, 4)
    assert time.perf_counter() - started < 0.9
    assert item["insertText"] == "com"  # what was there in time
    await eventually(lambda: daemon.gone == 1)


@pytest.mark.parametrize(
    ("kinds", "triggers"),
    [
        ([1, 2], [Trigger.EXPLICIT, Trigger.AUTOMATIC]),
        ([0, 1, 1], [Trigger.EXPLICIT, Trigger.AUTOMATIC, Trigger.AUTOMATIC]),
        ([1, 0, 1, 2, 1], ["explicit", "explicit", "automatic", "automatic", "explicit"]),
        ([None, "1", 7], [Trigger.AUTOMATIC] * 3),
    ],
)
async def test_trigger_kinds_of_both_countings(
    editor: InProcessEditor, daemon: StubDaemon, kinds: list[Any], triggers: list[Any]
) -> None:
    for number, kind in enumerate(kinds):
        uri = f"file:///{number}.py"
        editor.open("x = ", uri)
        await editor.ghost(0, 4, uri, kind=kind)
    assert [wire["trigger"] for wire in daemon.requests] == triggers


async def test_the_menu_s_selected_entry_is_gone_on_from(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    daemon.text = "(a, b)"
    editor.open("os.pa\n")
    where = {"start": {"line": 0, "character": 3}, "end": {"line": 0, "character": 5}}
    item = await editor.ghost(0, 5, selectedCompletionInfo={"range": where, "text": "path"})
    assert (item["insertText"], item["range"]) == ("path(a, b)", where)
    assert daemon.requests[0]["context"]["prefix"] == "os.path"


@pytest.mark.parametrize(
    ("text", "line_end", "name", "inserted"),
    [
        ("if x:\r\n", "\r\n", "Visual Studio Code", "a\r\nb"),
        ("if x:\n", "\n", "Visual Studio Code", "a\nb"),
        ("if x:\r", "\r", "some editor", "a\rb"),
        ("if x:\r\n", "\r\n", "Neovim", "a\nb"),
    ],
)
async def test_line_ends_are_the_document_s(
    daemon: StubDaemon, text: str, line_end: str, name: str, inserted: str
) -> None:
    daemon.text = "a\nb"
    editor = InProcessEditor()
    await editor.initialize(clientInfo={"name": name})
    editor.open(text)
    assert (await editor.ghost(1, 0))["insertText"] == inserted
    await editor.server.close()


async def test_hostile_text_arrives_plain(editor: InProcessEditor, daemon: StubDaemon) -> None:
    daemon.text = "a\x1b]0;x\x07\u202eb\u2028\U000e0041c\x85\ud83d$1{}"
    daemon.pieces = 1
    daemon.raw_answer = None
    daemon.text = daemon.text.replace("\ud83d", "")
    editor.open("x = ")
    assert (await editor.ghost(0, 4))["insertText"] == "a]0;xbc$1{}"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
@pytest.mark.parametrize("head", ["😀 = ", "\t한글 = ", "e\u0301𝒳\u2028\x0c= ", "é" * 50 + " = "])
async def test_columns_are_counted_as_agreed(daemon: StubDaemon, encoding: str, head: str) -> None:
    codec, width = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}[
        encoding
    ]
    column = len(head.encode(codec)) // width
    editor = InProcessEditor()
    capabilities = {"general": {"positionEncodings": [encoding, "utf-16"]}}
    result = await editor.initialize(capabilities)
    assert result["capabilities"]["positionEncoding"] == encoding
    editor.open(f"first\r\n{head}\r\nlast")
    item = await editor.ghost(1, column)
    assert span(item) == (1, column, 1, column)
    assert daemon.requests[0]["context"]["prefix"] == f"first\n{head}"
    await editor.server.close()


async def test_lone_surrogates_at_the_cursor(editor: InProcessEditor, daemon: StubDaemon) -> None:
    editor.open("x = '\ud83d")
    item = await editor.ghost(0, 6)
    assert daemon.requests[0]["context"]["prefix"] == "x = '\ufffd"
    assert span(item) == (0, 6, 0, 6)


@pytest.mark.parametrize(
    "text", ["x" * (MAX_LINE + 1), "x = \0\x01\x02", "GIF89a\0" * 9000], ids=["long", "nul", "gif"]
)
async def test_no_completions_in_what_is_no_source(
    editor: InProcessEditor, daemon: StubDaemon, text: str
) -> None:
    editor.open(text)
    assert await editor.ghost(0, 4) is None
    assert daemon.requests == []


async def test_an_empty_file_gets_completions(editor: InProcessEditor, daemon: StubDaemon) -> None:
    editor.open("")
    assert (await editor.ghost(0, 0))["insertText"] == "completed"


async def test_a_stale_document_gets_none_until_it_is_whole_again(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    editor.open("x = ")
    editor.change(insertion(7, 0, "y"))
    assert await editor.ghost(0, 4) is None
    editor.change({"text": "y = "})
    assert await editor.ghost(0, 4) is not None
    editor.change({"nonsense": 1})
    assert await editor.ghost(0, 4) is None
    editor.open("z = ")
    assert await editor.ghost(0, 4) is not None


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"textDocument": {"uri": 1}, "position": {"line": 0, "character": 0}},
        {"textDocument": {"uri": ""}, "position": {"line": 0, "character": 0}},
        {"textDocument": {"uri": URI}},
        {"textDocument": {"uri": URI}, "position": {"line": -1, "character": 0}},
        {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 1.5}},
        {"textDocument": {"uri": URI}, "position": {"line": True, "character": 0}},
        at(URI, 0, 0, selectedCompletionInfo={"range": 1, "text": ""}),
        at(URI, 0, 0, selectedCompletionInfo=[]),
    ],
)
async def test_wrong_parameters_are_named(editor: InProcessEditor, params: Any) -> None:
    editor.open("x = ")
    reply = await editor.reply(editor.request("textDocument/inlineCompletion", params))
    assert reply["error"]["code"] == -32602
    assert "data" not in reply["error"]


@pytest.mark.parametrize(
    ("uri", "line", "character"),
    [("file:///other", 0, 0), ("file:///dev/zero", 0, 0), (URI, 99, 0), (URI, 2**52, 2**52)],
)
async def test_places_that_do_not_exist_get_nothing(
    editor: InProcessEditor, daemon: StubDaemon, uri: str, line: int, character: int
) -> None:
    editor.open("x = ")
    assert await editor.ghost(line, character, uri) is None
    assert daemon.requests == []


async def test_a_column_beyond_the_line_is_its_end(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    editor.open("x = \ny")
    await editor.ghost(0, 2**31)
    assert daemon.requests[0]["context"]["prefix"] == "x = "


async def test_languages_can_be_switched_off(daemon: StubDaemon) -> None:
    editor = InProcessEditor({"disabledLanguages": ["markdown"]})
    await editor.initialize()
    editor.open("x = ", "file:///a.md", "markdown")
    assert await editor.ghost(0, 4, "file:///a.md") is None
    editor.open("x = ", URI)
    assert await editor.ghost(0, 4) is not None
    await editor.server.close()


async def test_a_burst_leaves_one_generation(editor: InProcessEditor, daemon: StubDaemon) -> None:
    daemon.delay_s = 0.02
    editor.open("")
    numbers = []
    for column in range(300):
        editor.type(0, column, "z")
        numbers.append(editor.request("textDocument/inlineCompletion", at(URI, 0, column + 1)))
        if column % 8 == 7:
            await asyncio.sleep(0)
    last = (await editor.reply(numbers[-1]))["result"]["items"][0]["insertText"]
    assert last.endswith("zcompleted")
    for number in numbers[:-1]:
        assert (await editor.reply(number))["error"]["code"] in (-32801, -32803)
    assert daemon.requests[-1]["context"]["prefix"] == "z" * 300


async def test_reuse_answers_within_5_ms(editor: InProcessEditor, daemon: StubDaemon) -> None:
    daemon.text = "x" * 300
    editor.open("line\n" * 2000 + "y = ")
    await editor.ghost(2000, 4)
    times = []
    for typed in range(100):
        editor.type(2000, 4 + typed, "x")
        started = time.process_time()
        assert await editor.ghost(2000, 5 + typed) is not None
        times.append(time.process_time() - started)
    assert sorted(times)[50] < 0.005
    assert len(daemon.requests) == 1


async def test_a_document_that_is_opened_is_read_ahead(
    editor: InProcessEditor, daemon: StubDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_sync, "SETTLED_S", 0.0)
    editor.open("a = 1\n")
    await editor.ghost(0, 5)  # the daemon is there now
    asked = len(daemon.requests)
    editor.open("x = 1\ny = 2\n", "file:///other.py")
    editor.open("def f():\n    pass\n", "file:///b.py")
    await eventually(lambda: len(daemon.requests) > asked)
    ahead = daemon.requests[-1]
    assert (ahead["trigger"], ahead["max_tokens"], ahead["ghost"]) == ("background", 1, None)
    assert ahead["context"]["prefix"] == "def f():\n    pass\n"
    await editor.ghost(1, 4, "file:///b.py")
    assert daemon.requests[-1]["document"] != ahead["document"], "it ends no real request"
    assert [wire["context"]["path"] for wire in daemon.requests].count("other.py") == 0
    assert len(daemon.requests) == asked + 2
