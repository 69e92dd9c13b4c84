"""The ordinary completion menu as the fallback: quick, incomplete, never in the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from glm_lsp.features.completion import TYPING_S
from tests.client.stub_daemon import StubDaemon
from tests.lsp_server.in_process import InProcessEditor, eventually
from tests.support.raw_lsp_client import Json, at

URI = "file:///a.py"


@pytest.fixture
async def menu(daemon: StubDaemon) -> AsyncIterator[InProcessEditor]:
    """An editor without ghost text, connected."""
    made = InProcessEditor()
    await made.initialize({"workspace": {"configuration": True}})
    made.open("start", "file:///other.py")
    await made.state("ready")
    yield made
    await made.server.close()
    made.check()


async def listed(menu: InProcessEditor, line: int, character: int, kind: int = 1) -> list[Json]:
    answer = await menu.ask("textDocument/completion", at(URI, line, character, kind))
    assert answer["isIncomplete"] is True
    items: list[Json] = answer["items"]
    return items


async def test_the_entry_is_plain_text_at_its_place(
    menu: InProcessEditor, daemon: StubDaemon
) -> None:
    daemon.text = "ue)\n    return $1"
    menu.open("foo(val\r\n")
    (item,) = await listed(menu, 0, 7)
    where = {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 7}}
    assert item["textEdit"] == {"range": where, "newText": "value)\r\n    return $1"}
    assert (item["label"], item["filterText"]) == ("value)", "value)")
    assert (item["insertTextFormat"], item["insertTextMode"]) == (1, 1)
    assert item["documentation"]["kind"] == "plaintext"


async def test_typing_is_answered_within_50_ms_and_the_text_comes_at_the_next_key(
    menu: InProcessEditor, daemon: StubDaemon
) -> None:
    daemon.delay_s = 0.2
    times: list[float] = []
    while not times or (min(times) > 0.05 and len(times) < 20):  # the machine may be busy
        menu.open("x = ")
        menu.type(0, 4, "c")
        started = time.perf_counter()
        assert await listed(menu, 0, 5) == []
        times.append(time.perf_counter() - started)
    assert min(times) < 0.05
    daemon.requests[:-1] = []
    daemon.text = "never"
    await eventually(lambda: menu.server.completer._generations[URI].finished)
    menu.type(0, 5, "c")
    (item,) = await listed(menu, 0, 6, kind=3)
    assert item["textEdit"]["newText"] == "ccompleted"
    assert len(daemon.requests) == 1


@pytest.mark.parametrize("kind", [2, 3])
async def test_trigger_characters_do_not_wait(
    menu: InProcessEditor, daemon: StubDaemon, kind: int
) -> None:
    daemon.delay_s = 0.1
    menu.open("x.")
    assert await listed(menu, 0, 2, kind) == []
    assert daemon.requests[0]["trigger"] == "automatic"


async def test_an_invocation_waits(menu: InProcessEditor, daemon: StubDaemon) -> None:
    daemon.delay_s = 0.05
    menu.open("x = ")
    menu.type(0, 4, "1")
    await asyncio.sleep(TYPING_S + 0.02)
    assert len(await listed(menu, 0, 5)) == 1
    assert daemon.requests[0]["trigger"] == "explicit"


async def test_nothing_worth_an_entry_makes_none(menu: InProcessEditor, daemon: StubDaemon) -> None:
    daemon.text = "\n    "
    menu.open("x = ")
    assert await listed(menu, 0, 4) == []
    menu.open("\0binary")
    assert await listed(menu, 0, 3) == []
    assert await listed(menu, 9, 3) == []


async def test_a_long_first_line_is_shortened_in_the_label_only(
    menu: InProcessEditor, daemon: StubDaemon
) -> None:
    daemon.text = "y" * 200
    menu.open("x")
    (item,) = await listed(menu, 0, 1)
    assert len(item["label"]) == 60
    assert item["textEdit"]["newText"] == "x" + "y" * 200


INLINE: Json = {"textDocument": {"inlineCompletion": {}}}


@pytest.mark.parametrize(
    ("capabilities", "fallback", "offered"),
    [
        ({}, None, True),
        ({}, "auto", True),
        ({}, "off", False),
        (INLINE, None, False),
        (INLINE, "auto", False),
        (INLINE, "on", True),
        (INLINE, "off", False),
    ],
)
async def test_who_gets_the_menu(
    daemon: StubDaemon, capabilities: Any, fallback: str | None, offered: bool
) -> None:
    settings = {} if fallback is None else {"completion": {"fallback": fallback}}
    editor = InProcessEditor()
    result = await editor.initialize(capabilities, initializationOptions=settings)
    assert ("completionProvider" in result["capabilities"]) is offered
    editor.open("x = ")
    items = (await editor.ask("textDocument/completion", at(URI, 0, 4, 1)))["items"]
    assert bool(items) is offered
    await editor.server.close()


async def test_switched_on_later_it_is_registered(daemon: StubDaemon) -> None:
    editor = InProcessEditor({"completion": {"fallback": "on"}})
    await editor.initialize()
    asked = await editor.wait_for(
        lambda m: "textDocument/completion" in str(m) and m["method"] == "client/registerCapability"
    )
    options = asked["params"]["registrations"][0]["registerOptions"]
    assert "." in options["triggerCharacters"]
    await editor.server.close()
