"""A language server inside the test's own loop, and an editor's buffers in front of it."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

from glm_lsp.server import LanguageServer
from tests.support.raw_lsp_client import FULL_CAPABILITIES, Json, at, insertion


async def eventually(true: Callable[[], Any], seconds: float = 5.0) -> None:
    """Wait until `true()` is."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)


class InProcessEditor:
    """Speaks JSON-RPC bodies with a `LanguageServer` object; no process, no pipes."""

    def __init__(self, settings: Json | None = None) -> None:
        self.settings = settings
        self.settings_of: dict[str, Json] = {}  # by URI
        self.sent: list[Json] = []
        self.versions: dict[str, int] = {}
        self.server = LanguageServer(self._hear, lambda code: None)
        self._numbers = itertools.count(1)
        self._asked = 0
        self._news = asyncio.Event()

    def _hear(self, body: bytes) -> None:
        message = json.loads(body)
        self.sent.append(message)
        self._news.set()
        if "method" in message and "id" in message:
            wanted = message["method"] == "workspace/configuration"
            result = self._configuration(message["params"]["items"]) if wanted else None
            self._say(id=message["id"], result=result)

    def _configuration(self, items: list[Json]) -> list[Any]:
        """Section by section, a document's own before everybody's."""
        return [self.settings_of.get(item.get("scopeUri", ""), self.settings) for item in items[:1]]

    def _say(self, **message: Any) -> None:
        self.server.session.receive(json.dumps({"jsonrpc": "2.0", **message}).encode())

    def notify(self, method: str, params: Any = None) -> None:
        self._say(method=method, params=params)

    def request(self, method: str, params: Any = None) -> int:
        number = next(self._numbers)
        self._asked += 1
        self._say(id=number, method=method, params=params)
        return number

    async def wait_for(self, matches: Callable[[Json], bool], seconds: float = 5.0) -> Json:
        async with asyncio.timeout(seconds):
            while True:
                for message in self.sent:
                    if matches(message):
                        return message
                self._news.clear()
                await self._news.wait()

    async def reply(self, number: int, seconds: float = 5.0) -> Json:
        return await self.wait_for(lambda m: "method" not in m and m["id"] == number, seconds)

    async def ask(self, method: str, params: Any = None) -> Any:
        reply = await self.reply(self.request(method, params))
        assert "error" not in reply, reply
        return reply["result"]

    async def state(self, state: str) -> Json:
        """Wait for a `glm/status` of that state."""
        found = await self.wait_for(
            lambda m: m.get("method") == "glm/status" and m["params"]["state"] == state, 10
        )
        wire: Json = found["params"]
        return wire

    def notices(self) -> list[str]:
        return [
            m["params"]["message"] for m in self.sent if m.get("method") == "window/showMessage"
        ]

    async def initialize(self, capabilities: Json | None = None, **params: Any) -> Json:
        capabilities = FULL_CAPABILITIES if capabilities is None else capabilities
        result: Json = await self.ask("initialize", {"capabilities": capabilities, **params})
        self.notify("initialized", {})
        await asyncio.wait_for(self.server.configured.wait(), 5)
        return result

    def open(self, text: str, uri: str = "file:///a.py", language: str = "python") -> None:
        self.versions[uri] = 1
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, *changes: Json, uri: str = "file:///a.py") -> None:
        self.versions[uri] += 1
        document = {"uri": uri, "version": self.versions[uri]}
        wire = {"textDocument": document, "contentChanges": list(changes)}
        self.notify("textDocument/didChange", wire)

    def type(self, line: int, character: int, text: str, uri: str = "file:///a.py") -> None:
        self.change(insertion(line, character, text), uri=uri)

    async def ghost(self, line: int, character: int, uri: str = "file:///a.py", **more: Any) -> Any:
        """The inline completion's one item, or None."""
        wire = at(uri, line, character, **more)
        items = (await self.ask("textDocument/inlineCompletion", wire))["items"]
        assert len(items) <= 1
        return items[0] if items else None

    def check(self) -> None:
        """I2: one reply to every request."""
        replies = Counter(m["id"] for m in self.sent if "method" not in m)
        assert len(replies) == self._asked
        assert all(count == 1 for count in replies.values())
