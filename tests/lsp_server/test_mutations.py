"""Hundreds of messages, each wrong in one place: nothing breaks, each id is answered (T-13)."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.client.stub_daemon import StubDaemon
from tests.lsp_server.in_process import InProcessEditor
from tests.support.raw_lsp_client import FULL_CAPABILITIES, Json, at, insertion

URI = "file:///m.py"
DOCUMENT = {"uri": URI, "version": 9, "languageId": "python", "text": "x = 😀\r\n"}
SPAN = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 2}}
SELECTED = {"range": SPAN, "text": "y"}
CHANGED = {"textDocument": DOCUMENT, "contentChanges": [insertion(0, 1, "z"), {"text": "all"}]}
FOLDERS = {"event": {"added": [{"uri": "file:///w"}], "removed": []}}
REQUESTS: list[tuple[str, Json]] = [
    ("initialize", {"capabilities": FULL_CAPABILITIES, "initializationOptions": {"model": "m"}}),
    ("textDocument/inlineCompletion", at(URI, 0, 4)),
    ("textDocument/inlineCompletion", at(URI, 0, 4, selectedCompletionInfo=SELECTED)),
    ("textDocument/completion", at(URI, 0, 4, 1)),
    ("workspace/executeCommand", {"command": "glm.server.accepted", "arguments": [{"uri": URI}]}),
    ("workspace/executeCommand", {"command": "glm.server.status"}),
    ("glm/status", {}),
    ("no/such/method", {"a": 1}),
]  # fmt: skip
NOTIFICATIONS: list[tuple[str, Json]] = [
    ("initialized", {}),
    ("textDocument/didOpen", {"textDocument": DOCUMENT}),
    ("textDocument/didChange", CHANGED),
    ("textDocument/didClose", {"textDocument": DOCUMENT}),
    ("workspace/didChangeConfiguration", {"settings": {"glm": {"model": "n"}}}),
    ("workspace/didChangeWorkspaceFolders", FOLDERS),
    ("$/cancelRequest", {"id": 1}),
]  # fmt: skip
ODD: list[Any] = [
    None, True, -1, 0, 2**53 - 1, 1.5, "", "x" * 10_000, "\ud83d", "\0", [], [[]], {}, {"a": {}},
    [None], "file:///dev/zero", "file:///../../etc/passwd", "\u2028", {"__proto__": 1}, -(2**40),
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all nodes."""
    yield path
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(child, (*path, key))


def mutated(params: Json, dice: random.Random) -> Any:
    """A copy with one node replaced or gone."""
    copied = copy.deepcopy(params)
    path = dice.choice(list(places(copied)))
    if not path:
        return dice.choice(ODD)
    parent: Any = copied
    for key in path[:-1]:
        parent = parent[key]
    if dice.random() < 0.2:
        del parent[path[-1]]
    else:
        parent[path[-1]] = dice.choice(ODD)
    return copied


@pytest.mark.parametrize("seed", range(8))
async def test_mutated_messages(
    daemon: StubDaemon, seed: int, caplog: pytest.LogCaptureFixture
) -> None:
    dice = random.Random(seed)
    editor = InProcessEditor()
    await editor.initialize()
    numbers = []
    for step in range(100):
        if dice.random() < 0.3:
            editor.open("x = ", URI)
        method, params = dice.choice(REQUESTS if dice.random() < 0.5 else NOTIFICATIONS)
        changed = mutated(params, dice)
        if (method, params) in REQUESTS:
            numbers.append(editor.request(method, changed))
        else:
            editor.notify(method, changed)
        if step % 10 == 9:
            await asyncio.sleep(0)
    for number in numbers:
        reply = await editor.reply(number)
        assert reply.get("error", {}).get("code") != -32603, reply
    editor.open("x = ", "file:///fresh.py")
    assert await editor.ghost(0, 4, "file:///fresh.py") is not None
    assert " failed" not in caplog.text
    await editor.server.close()
    editor.check()
