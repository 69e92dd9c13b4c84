"""A minimal editor: drives `glm-lsp` over stdio and times it. For the demo and the benches.

It sends what VS Code sends (UTF-16 columns, incremental changes, inline completion). The tests
have their own raw client, which can also misbehave.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ANSWER_S = 60.0
CAPABILITIES = {
    "general": {"positionEncodings": ["utf-16"]},
    "textDocument": {"inlineCompletion": {"dynamicRegistration": False}},
    "window": {"workDoneProgress": False},
}


def utf16_length(text: str) -> int:
    """Code units of `text` in UTF-16, which LSP counts by default."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A request's result and how long it took, in milliseconds."""

    result: Any
    ms: float


class Editor:
    """One editor with one language server; `with Editor(root, environ) as editor:`."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self._root = root
        self._started = time.perf_counter()
        self._process = subprocess.Popen(
            [str(Path(sys.executable).with_name("glm-lsp")), "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
        )
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self.notifications: list[dict[str, Any]] = []
        self._next_id = 0
        self._versions: dict[str, int] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> Self:
        self.initialize_ms = self.initialize()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.request("shutdown", None)
            self.notify("exit", None)
            self._process.wait(5)
        except (OSError, RuntimeError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def initialize(self) -> float:
        """Milliseconds from the start of the process to the answer of `initialize`."""
        params = {
            "processId": None,
            "rootUri": self._root.as_uri(),
            "workspaceFolders": [{"uri": self._root.as_uri(), "name": self._root.name}],
            "capabilities": CAPABILITIES,
            "clientInfo": {"name": "demo"},
        }
        self.request("initialize", params)
        took = 1e3 * (time.perf_counter() - self._started)
        self.notify("initialized", {})
        return took

    def wait_until_ready(self, seconds: float = 60.0) -> None:
        """Until the server says that the model is loaded. Raises RuntimeError with its words."""
        give_up = time.perf_counter() + seconds
        last: dict[str, Any] = {}
        while time.perf_counter() < give_up:
            told = [one for one in self.notifications if one["method"] == "glm/status"]
            last = told[-1]["params"] if told else {}
            if last.get("state") == "ready":
                return
            if last.get("state") in ("failed", "off"):
                break
            time.sleep(0.01)
        raise RuntimeError(f"no model: {last.get('state', 'silence')} {last.get('message', '')}")

    def open(self, path: Path, language: str, text: str) -> str:
        """Open a buffer; returns its URI."""
        uri = path.as_uri()
        self._versions[uri] = 1
        document = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return uri

    def type(self, uri: str, line: int, column: int, text: str) -> None:
        """Insert text at a 0-based UTF-16 position."""
        self._versions[uri] += 1
        place = {"line": line, "character": column}
        change = {"range": {"start": place, "end": place}, "text": text}
        document = {"uri": uri, "version": self._versions[uri]}
        self.notify(
            "textDocument/didChange", {"textDocument": document, "contentChanges": [change]}
        )

    def inline_completion(self, uri: str, line: int, column: int, *, explicit: bool) -> Answer:
        """Ask for ghost text at a 0-based UTF-16 position."""
        params = {
            "textDocument": {"uri": uri},
            "position": {"line": line, "character": column},
            "context": {"triggerKind": 1 if explicit else 2},
        }
        return self.request("textDocument/inlineCompletion", params)

    def request(self, method: str, params: Any) -> Answer:
        """Send a request and wait. Raises RuntimeError on an error or a dead server."""
        began = time.perf_counter()
        message = self.answer(self.send(method, params))
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']['message']}")
        return Answer(result=message.get("result"), ms=1e3 * (time.perf_counter() - began))

    def answer(self, number: int) -> dict[str, Any]:
        """Wait for the answer to what was sent; others are dropped. Raises RuntimeError."""
        while True:
            message = self._answers.get(timeout=ANSWER_S)
            if message is None:
                raise RuntimeError("the language server ended")
            if message.get("id") == number:
                return message

    def send(self, method: str, params: Any) -> int:
        """Send a request without waiting; returns its id."""
        self._next_id += 1
        self._write({"id": self._next_id, "method": method, "params": params})
        return self._next_id

    def notify(self, method: str, params: Any) -> None:
        self._write({"method": method, "params": params})

    def _write(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _read(self) -> None:
        stream = self._process.stdout
        assert stream is not None
        while header := stream.readline():
            length = int(header.split(b":")[1])
            while stream.readline().strip():
                pass
            message = json.loads(stream.read(length))
            if "id" in message and "method" in message:  # the server asks: nothing to tell
                empty = [None] * len((message.get("params") or {}).get("items", []))
                self._write({"id": message["id"], "result": empty or None})
            elif "id" in message:
                self._answers.put(message)
            else:
                self.notifications.append(message)
        self._answers.put(None)
