"""A raw LSP client over a real server's pipes: it can also say what a typed client cannot.

    with RawLspClient() as client:
        client.initialize()
        client.open("file:///a.py", "x = foo(")
        answer = client.ask("textDocument/inlineCompletion", at("file:///a.py", 0, 8))

A thread reads; every message is kept with its time. `check_one_reply_per_id` is the invariant I2,
`check_notices` the "at most one" of I7. Requests of the server are answered from `settings`.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

Json = dict[str, Any]
PATIENCE_S = 15.0  # a busy machine is no fault; what must be quick is measured by the test
SERVER = (sys.executable, "-P", "-c", "from glm_lsp.cli.main import main; main()")
FULL_CAPABILITIES: Json = {
    "general": {"positionEncodings": ["utf-16"]},
    "textDocument": {"inlineCompletion": {}, "completion": {"dynamicRegistration": True}},
    "workspace": {"configuration": True, "didChangeConfiguration": {"dynamicRegistration": True}},
    "window": {"workDoneProgress": True},
}


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One message from the server and when it came (time.monotonic)."""

    message: Json
    at: float


class RawLspClient:
    """One server process and the pipes to it."""

    def __init__(
        self,
        argv: Sequence[str] = SERVER,
        *,
        environ: Mapping[str, str] | None = None,
        settings: Json | None = None,
        answer_requests: bool = True,
    ) -> None:
        self.settings = settings
        self.sent_ids: list[int | str] = []
        self.heard: list[Heard] = []
        self.bad_bytes = b""  # what the server wrote that is no frame
        self._answer_requests = answer_requests
        self._numbers = itertools.count(1)
        self._news = threading.Condition()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `wait_end`
        self._log_at_end: str | None = None
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={**os.environ, **(environ or {})},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # Saying

    def send_bytes(self, data: bytes) -> None:
        """Anything at all. A server that is gone does not hear it."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):
            self.process.stdin.write(data)
            self.process.stdin.flush()

    def send_body(self, body: bytes) -> None:
        self.send_bytes(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def send(self, message: Json) -> None:
        self.send_body(json.dumps(message).encode())

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def request(self, method: str, params: Any = None) -> int:
        """Send a request; its id."""
        number = next(self._numbers)
        self.sent_ids.append(number)
        self.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return number

    def ask(self, method: str, params: Any = None, timeout: float = PATIENCE_S) -> Any:
        """Send a request and give its result. Raises AssertionError on an error."""
        reply = self.reply(self.request(method, params), timeout)
        assert "error" not in reply, reply
        return reply["result"]

    def cancel(self, number: int | str) -> None:
        self.notify("$/cancelRequest", {"id": number})

    # Hearing

    def reply(self, number: int | str | None, timeout: float = PATIENCE_S) -> Json:
        """The first reply to an id."""
        return self.wait_for(lambda m: "method" not in m and m.get("id") == number, timeout)

    def notified(self, method: str, timeout: float = PATIENCE_S) -> Any:
        """Parameters of the first such notification."""
        return self.wait_for(lambda m: m.get("method") == method, timeout)["params"]

    def wait_for(self, matches: Any, timeout: float = PATIENCE_S) -> Json:
        """The first message, old or new, that `matches`."""
        give_up = time.monotonic() + timeout
        looked_at = 0
        with self._news:
            while True:
                for heard in self.heard[looked_at:]:
                    if matches(heard.message):
                        return heard.message
                looked_at = len(self.heard)
                left = give_up - time.monotonic()
                assert left > 0, f"nothing came in {timeout} s; log: {self.log()[-2000:]}"
                self._news.wait(left)

    def all_notified(self, method: str) -> list[Any]:
        """Parameters of every such notification so far."""
        return [h.message["params"] for h in list(self.heard) if h.message.get("method") == method]

    # The usual

    def initialize(self, capabilities: Json | None = None, **params: Any) -> Json:
        """`initialize` and `initialized`; the result."""
        capabilities = FULL_CAPABILITIES if capabilities is None else capabilities
        wire = {"processId": os.getpid(), "rootUri": None, "capabilities": capabilities, **params}
        result: Json = self.ask("initialize", wire)
        self.notify("initialized", {})
        return result

    def open(self, uri: str, text: str, language: str = "python", version: int = 1) -> None:
        item = {"uri": uri, "languageId": language, "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, uri: str, version: int, *changes: Json) -> None:
        document = {"uri": uri, "version": version}
        wire = {"textDocument": document, "contentChanges": list(changes)}
        self.notify("textDocument/didChange", wire)

    def stop(self, timeout: float = PATIENCE_S) -> int:
        """shutdown, exit; the exit code. Kills a server that does not end."""
        if self.process.poll() is None:
            self.request("shutdown")
            self.notify("exit")
        return self.wait_end(timeout)

    def wait_end(self, timeout: float = PATIENCE_S) -> int:
        """The exit code of a server that should be ending. Kills one that is not."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self._reader.join(5)
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None and not pipe.closed:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
            if self._log_at_end is None:
                self._log_at_end = self._read_log()
                self._stderr.close()
        return self.process.returncode

    def log(self) -> str:
        """What the server wrote to stderr so far."""
        return self._read_log() if self._log_at_end is None else self._log_at_end

    def _read_log(self) -> str:
        size = self._stderr.seek(0, os.SEEK_END)
        return os.pread(self._stderr.fileno(), size, 0).decode("utf-8", "replace")

    # Invariants

    def check_one_reply_per_id(self) -> None:
        """I2: every request has exactly one reply, and no frame was broken."""
        replies = Counter(
            h.message["id"]
            for h in self.heard
            if "method" not in h.message and h.message.get("id") is not None
        )
        assert not self.bad_bytes, self.bad_bytes[:200]
        asked = Counter(self.sent_ids)
        assert set(replies) == set(asked), (
            f"unanswered: {sorted(set(asked) - set(replies), key=str)[:10]}, "
            f"unasked: {sorted(set(replies) - set(asked), key=str)[:10]}"
        )
        assert all(count == 1 for count in replies.values()), replies.most_common(3)

    def check_notices(self, most: int) -> None:
        """At most so many messages in front of the user."""
        notices = self.all_notified("window/showMessage")
        assert len(notices) <= most, notices

    def _read(self) -> None:
        assert self.process.stdout is not None
        stream = self.process.stdout
        while line := stream.readline():
            if not line.lower().startswith(b"content-length:"):
                self.bad_bytes += line
                continue
            size = int(line.split(b":")[1])
            while stream.readline().strip():
                pass
            message = json.loads(stream.read(size))
            with self._news:
                self.heard.append(Heard(message=message, at=time.monotonic()))
                self._news.notify_all()
            if self._answer_requests and "method" in message and "id" in message:
                self._answer(message)

    def _answer(self, message: Json) -> None:
        result = [self.settings] if message["method"] == "workspace/configuration" else None
        self.send({"jsonrpc": "2.0", "id": message["id"], "result": result})


def at(uri: str, line: int, character: int, kind: int = 2, **context: Any) -> Json:
    """Parameters of `textDocument/inlineCompletion` or `textDocument/completion`."""
    return {
        "textDocument": {"uri": uri},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": kind, **context},
    }


def insertion(line: int, character: int, text: str) -> Json:
    """A content change that inserts."""
    place = {"line": line, "character": character}
    return {"range": {"start": place, "end": place}, "text": text}
