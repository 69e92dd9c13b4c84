"""One JSON-RPC session with one editor: lifecycle, ids, dispatch, cancel.

Invariants: exactly one reply per request id; a handler may fail in any way (SystemExit included)
without ending the process; nothing that the user typed reaches the log. Handlers are plain
functions called in the order of the messages, so an edit is applied before the next message
is looked at. A request's handler may also answer at once, or decide at once what an older request
has to yield, and give a coroutine for the rest. Not here: frames, documents, any feature.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from enum import StrEnum
from typing import Any, TypeGuard

from glm_lsp.json_body import JsonError, JsonObject, encode_body, parse_body
from glm_lsp.rpc_errors import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    NOT_INITIALIZED,
    PARSE_ERROR,
    REQUEST_CANCELLED,
    REQUEST_FAILED,
    LspError,
)

MAX_IN_FLIGHT = 64  # requests of the editor being answered at once

RequestId = int | str
RequestHandler = Callable[[JsonObject], Any]  # the result, or a coroutine of it
NotificationHandler = Callable[[JsonObject], None]

log = logging.getLogger(__name__)


class Phase(StrEnum):
    """Where the session stands between the first message and the last."""

    NEW = "new"
    RUNNING = "running"
    SHUT_DOWN = "shut down"


class Session:
    """Answers one editor. `send` takes encoded bodies; `on_end` is told the exit code."""

    def __init__(self, send: Callable[[bytes], None], on_end: Callable[[int], None]) -> None:
        self.phase = Phase.NEW
        self._send = send
        self._on_end = on_end
        self._requests: Mapping[str, RequestHandler] = {}
        self._notifications: Mapping[str, NotificationHandler] = {}
        self._in_flight: dict[RequestId, asyncio.Task[bytes]] = {}
        self._asked: dict[RequestId, asyncio.Future[Any]] = {}  # our requests to the editor
        self._background: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)

    def register(
        self,
        requests: Mapping[str, RequestHandler],
        notifications: Mapping[str, NotificationHandler],
    ) -> None:
        """The methods this session understands, `initialize` among the requests."""
        self._requests = requests
        self._notifications = notifications

    # What we say

    def notify(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._send(encode_body({"jsonrpc": "2.0", "method": method, "params": params}))

    async def ask(self, method: str, params: Any, timeout: float = 5.0) -> Any:  # noqa: ASYNC109
        """Send a request and give its result. Raises LspError on an error or no answer."""
        number = f"glm-{next(self._numbers)}"
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        self._send(encode_body(request))
        try:
            # Not `wait_for`: that loses a cancel which comes together with the answer (3.11).
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError as error:
            raise LspError(REQUEST_FAILED, f"The editor did not answer {method}.") from error
        finally:
            self._asked.pop(number, None)

    def in_background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run `work` beside the requests, guarded as they are; it ends with the session."""

        async def guarded() -> None:
            try:
                await work
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001 - the edge: nothing may end the process
                log.error("%s failed: %s", name, type(error).__name__)

        task = asyncio.get_running_loop().create_task(guarded(), name=name)
        self._background.add(task)

        def done(ended: asyncio.Task[None]) -> None:
            work.close()  # one cancelled unstarted
            self._background.discard(ended)

        task.add_done_callback(done)

    async def close(self) -> None:
        """Cancel whatever still runs and wait for it."""
        tasks = [*self._in_flight.values(), *self._background]
        for task in tasks:
            task.cancel()
        self._requests, self._notifications = {}, {}
        await asyncio.gather(*tasks, return_exceptions=True)

    # What we hear

    def receive(self, body: bytes) -> None:
        """Handle one message body. Raises nothing."""
        try:
            message = parse_body(body)
        except JsonError as error:
            self._reply_error(None, LspError(PARSE_ERROR, str(error)))
            return
        if not isinstance(message, dict):
            self._reply_error(None, LspError(INVALID_REQUEST, "A message is one JSON object."))
            return
        method = message.get("method")
        if isinstance(method, str) and "id" not in message:
            self._take_notification(method, message.get("params"))
        elif isinstance(method, str):
            self._take_request(message["id"], method, message.get("params"))
        elif "result" in message or "error" in message:
            self._take_answer(message)
        else:
            number = message.get("id")
            number = number if is_request_id(number) else None
            self._reply_error(number, LspError(INVALID_REQUEST, "The message has no method."))

    def _take_notification(self, method: str, params: Any) -> None:
        if method == "exit":
            self._on_end(0 if self.phase is Phase.SHUT_DOWN else 1)
            return
        if method == "$/cancelRequest":
            self._cancel(params)
            return
        handler = self._notifications.get(method)
        if self.phase is not Phase.RUNNING or handler is None:
            if not method.startswith("$/"):  # those are the editor's own and may be ignored
                log.debug("notification ignored in phase %s: %.60s", self.phase, method)
            return
        try:
            handler(params if isinstance(params, dict) else {})
        except LspError as error:
            log.warning("%.60s: %s", method, error.message)
        except BaseException as error:  # noqa: BLE001 - the edge: SystemExit of a library included
            log.error("%.60s failed: %s", method, type(error).__name__)

    def _take_request(self, number: Any, method: str, params: Any) -> None:
        if not is_request_id(number):
            message = "A request id is a string or an integer."
            self._reply_error(None, LspError(INVALID_REQUEST, message))
            return
        if number in self._in_flight:
            # The first one will be answered; a second reply to the id would break the editor.
            log.warning("a request id is in use already; the second request is ignored")
            return
        try:
            self._check_phase(method)
            if params is not None and not isinstance(params, dict):
                raise LspError(INVALID_REQUEST, "Parameters are one JSON object.")
            handler = self._requests.get(method)
            if handler is None:
                raise LspError(METHOD_NOT_FOUND, f"Unknown method {method[:100]!r}.")
            if len(self._in_flight) >= MAX_IN_FLIGHT:
                raise LspError(REQUEST_FAILED, f"{MAX_IN_FLIGHT} requests are being answered.")
        except LspError as error:
            self._reply_error(number, error)
            return
        if method == "initialize":
            self.phase = Phase.RUNNING
        elif method == "shutdown":
            self.phase = Phase.SHUT_DOWN
        self._answer(number, method, handler, params or {})

    def _check_phase(self, method: str) -> None:
        if self.phase is Phase.NEW and method != "initialize":
            raise LspError(NOT_INITIALIZED, "The first request is `initialize`.")
        if self.phase is Phase.RUNNING and method == "initialize":
            raise LspError(INVALID_REQUEST, "The session is initialized already.")
        if self.phase is Phase.SHUT_DOWN:
            raise LspError(INVALID_REQUEST, "The session is shut down.")

    def _answer(
        self, number: RequestId, method: str, handler: RequestHandler, params: JsonObject
    ) -> None:
        """Call the handler; reply now, or when the coroutine that it gave is done."""
        try:
            result = handler(params)
            if not asyncio.iscoroutine(result):
                self._send(result_body(number, result))
                return
        except BaseException as error:  # noqa: BLE001 - the edge: nothing may end the process
            self._reply_error(number, as_lsp_error(error, method))
            return
        coroutine: Coroutine[Any, Any, Any] = result

        started = time.monotonic()

        async def body() -> bytes:
            try:
                return result_body(number, await coroutine)
            except asyncio.CancelledError:
                raise
            except BaseException as error:  # noqa: BLE001 - as above
                return error_body(number, as_lsp_error(error, method))

        def done(task: asyncio.Task[bytes]) -> None:
            # The only place that replies for a coroutine: also for one cancelled unstarted.
            coroutine.close()
            del self._in_flight[number]
            log.debug("%.60s: %.1f ms", method, 1e3 * (time.monotonic() - started))
            cancelled = LspError(REQUEST_CANCELLED, "Cancelled.")
            self._send(error_body(number, cancelled) if task.cancelled() else task.result())

        task = asyncio.get_running_loop().create_task(body(), name=method)
        self._in_flight[number] = task
        task.add_done_callback(done)

    def _cancel(self, params: Any) -> None:
        number = params.get("id") if isinstance(params, dict) else None
        if is_request_id(number) and (task := self._in_flight.get(number)) is not None:
            task.cancel()

    def _take_answer(self, message: JsonObject) -> None:
        number = message.get("id")
        future = self._asked.get(number) if is_request_id(number) else None
        if future is None or future.done():
            return
        error = message.get("error")
        if error is None:
            future.set_result(message.get("result"))
        else:
            text = error.get("message") if isinstance(error, dict) else None
            future.set_exception(LspError(REQUEST_FAILED, f"The editor answered: {text}"))

    def _reply_error(self, number: RequestId | None, error: LspError) -> None:
        self._send(error_body(number, error))


def result_body(number: RequestId, result: Any) -> bytes:
    """A successful reply."""
    return encode_body({"jsonrpc": "2.0", "id": number, "result": result})


def error_body(number: RequestId | None, error: LspError) -> bytes:
    """A failed reply; `number` is None where the request could not be read."""
    return encode_body({"jsonrpc": "2.0", "id": number, "error": error.to_wire()})


def as_lsp_error(error: BaseException, method: str) -> LspError:
    """What the editor is told; a fault of ours is logged by place, without any value."""
    if isinstance(error, LspError):
        return error
    import traceback

    where = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    log.error("%.60s failed: %s\n%s", method, type(error).__name__, where)
    return LspError(INTERNAL_ERROR, "An internal fault; see the server's log.")


def is_request_id(value: Any) -> TypeGuard[RequestId]:
    """True for what JSON-RPC of LSP allows as an id."""
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
