"""The JSON-RPC session: one reply per id whatever happens (I2, F9, fault 29)."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from glm_lsp.rpc_errors import InvalidParams, LspError
from glm_lsp.session import MAX_IN_FLIGHT, Session

Json = dict[str, Any]


class Wire:
    """A session without a process: bodies in, messages out."""

    def __init__(self) -> None:
        self.sent: list[Json] = []
        self.exit_code: int | None = None
        self.running = asyncio.Event()
        self.stopped = 0
        self.session = Session(lambda body: self.sent.append(json.loads(body)), self._end)
        self.session.register(
            {
                "initialize": lambda params: {"capabilities": {}},
                "shutdown": lambda params: None,
                "now": lambda params: params,
                "later": self._later,
                "forever": self._forever,
                "raise": self._raise,
                "raise/later": self._raise_later,
                "unfit": lambda params: {1, 2},
            },
            {"note": self._raise},
        )

    def _end(self, code: int) -> None:
        self.exit_code = code

    def say(self, **message: Any) -> None:
        self.session.receive(json.dumps({"jsonrpc": "2.0", **message}).encode())

    def begin(self) -> None:
        self.say(id="begin", method="initialize", params={})
        self.sent.clear()

    def replies(self) -> dict[Any, Json]:
        counted = Counter(message["id"] for message in self.sent if "method" not in message)
        assert all(count == 1 for count in counted.values()), counted
        return {message["id"]: message for message in self.sent if "method" not in message}

    def code(self, number: Any) -> int:
        code: int = self.replies()[number]["error"]["code"]
        return code

    async def _later(self, params: Json) -> Json:
        await asyncio.sleep(0)
        return params

    async def _forever(self, params: Json) -> None:
        self.running.set()
        try:
            await asyncio.sleep(1000)
        finally:
            self.stopped += 1

    def _raise(self, params: Json) -> None:
        raise FAULTS[params["fault"]]

    async def _raise_later(self, params: Json) -> None:
        await asyncio.sleep(0)
        raise FAULTS[params["fault"]]


FAULTS: dict[str, BaseException] = {
    "exit": SystemExit(0),
    "interrupt": KeyboardInterrupt(),
    "memory": MemoryError(),
    "recursion": RecursionError(),
    "value": ValueError("secret text of the user"),
    "lsp": LspError(-32803, "a sentence"),
    "generator": GeneratorExit(),
}


@pytest.fixture
async def wire() -> Wire:
    return Wire()


@pytest.fixture
async def begun(wire: Wire) -> Wire:
    wire.begin()
    return wire


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_results_now_and_later(begun: Wire) -> None:
    begun.say(id=1, method="now", params={"a": 1})
    begun.say(id="two", method="later", params={"b": 2})
    await settle()
    assert begun.replies()[1]["result"] == {"a": 1}
    assert begun.replies()["two"]["result"] == {"b": 2}


@pytest.mark.parametrize("method", ["raise", "raise/later"])
@pytest.mark.parametrize("fault", sorted(FAULTS))
async def test_no_fault_of_a_handler_ends_anything(
    begun: Wire, method: str, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    begun.say(id=1, method=method, params={"fault": fault})
    begun.say(method="note", params={"fault": fault})
    await settle()
    error = begun.replies()[1]["error"]
    assert error["code"] == (-32803 if fault == "lsp" else -32603)
    assert "data" not in error
    assert "secret" not in json.dumps(error) + caplog.text
    begun.say(id=2, method="now")
    assert begun.replies()[2]["result"] == {}


async def test_a_result_that_is_no_json_is_a_fault_of_ours(begun: Wire) -> None:
    begun.say(id=1, method="unfit")
    assert begun.code(1) == -32603


async def test_cancel_stops_the_work(begun: Wire) -> None:
    begun.say(id=1, method="forever")
    await begun.running.wait()
    begun.say(method="$/cancelRequest", params={"id": 1})
    await settle()
    assert begun.code(1) == -32800
    assert begun.stopped == 1


async def test_cancel_before_the_work_began_is_answered_too(begun: Wire) -> None:
    begun.say(id=1, method="forever")
    begun.say(method="$/cancelRequest", params={"id": 1})
    await settle()
    assert begun.code(1) == -32800
    assert begun.stopped == 0


async def test_cancel_of_nothing_is_nothing(begun: Wire) -> None:
    begun.say(id=1, method="now")
    oddities: list[Any] = [{"id": 1}, {"id": 77}, {"id": None}, {"id": {}}, {}, None, [1]]
    for params in oddities:
        begun.say(method="$/cancelRequest", params=params)
    await settle()
    assert list(begun.replies()) == [1]


async def test_a_duplicate_id_gets_no_second_reply(begun: Wire) -> None:
    begun.say(id=1, method="forever")
    begun.say(id=1, method="now")
    await begun.running.wait()
    begun.say(method="$/cancelRequest", params={"id": 1})
    await settle()
    assert begun.code(1) == -32800
    begun.sent.clear()
    begun.say(id=1, method="now")  # in order to be used again
    assert begun.replies()[1]["result"] == {}


async def test_too_many_requests_at_once_are_refused(begun: Wire) -> None:
    for number in range(MAX_IN_FLIGHT + 5):
        begun.say(id=number, method="forever")
    await settle()
    assert [begun.code(number) for number in range(MAX_IN_FLIGHT, MAX_IN_FLIGHT + 5)] == [
        -32803
    ] * 5
    await begun.session.close()
    assert len(begun.replies()) == MAX_IN_FLIGHT + 5


async def test_the_life_of_a_session(wire: Wire) -> None:
    wire.say(id=1, method="now")
    wire.say(method="note", params={"fault": "exit"})
    assert wire.code(1) == -32002
    wire.say(id=2, method="initialize", params={})
    assert "result" in wire.replies()[2]
    wire.say(id=3, method="initialize", params={})
    assert wire.code(3) == -32600
    wire.say(id=4, method="now")
    assert "result" in wire.replies()[4]
    wire.say(id=5, method="shutdown")
    assert wire.replies()[5]["result"] is None
    wire.say(id=6, method="now")
    wire.say(id=7, method="shutdown")
    wire.say(id=8, method="initialize", params={})
    assert [wire.code(number) for number in (6, 7, 8)] == [-32600] * 3
    wire.say(method="exit")
    assert wire.exit_code == 0


@pytest.mark.parametrize("begin", [True, False])
async def test_exit_without_shutdown_is_code_1(wire: Wire, begin: bool) -> None:
    if begin:
        wire.begin()
    wire.say(method="exit")
    assert wire.exit_code == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"nonsense", -32700),
        (b"[" * 1000, -32700),
        (b'{"jsonrpc":"2.0","id":NaN,"method":"now"}', -32700),
        (b"[]", -32600),
        (b"1", -32600),
        (b"null", -32600),
        (b"{}", -32600),
        (b'{"jsonrpc":"2.0"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"now"}', -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"now"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"now"}', -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"now"}', -32600),
        (b'{"jsonrpc":"2.0","method":7}', -32600),
    ],
)
async def test_what_is_no_request_is_answered_without_an_id(
    begun: Wire, body: bytes, code: int
) -> None:
    begun.session.receive(body)
    assert begun.code(None) == code


async def test_wrong_requests_are_answered_by_their_id(begun: Wire) -> None:
    begun.say(id=1, method="no/such/method", params={})
    begun.say(id=2, method="now", params=[1])
    begun.say(id=3, method="now", params="text")
    begun.say(id=4, params={})
    begun.say(id=5, method=None)
    assert [begun.code(number) for number in range(1, 6)] == [-32601, *[-32600] * 4]


async def test_unknown_notifications_and_answers_are_nothing(begun: Wire) -> None:
    begun.say(method="$/setTrace", params={"value": "off"})
    begun.say(method="no/such", params=None)
    begun.say(id="glm-99", result=1)
    begun.say(id=[], result=1)
    begun.say(id=None, error={"code": 1})
    assert begun.sent == []


async def test_asking_the_editor(begun: Wire) -> None:
    asked = asyncio.ensure_future(begun.session.ask("workspace/configuration", {}))
    refused = asyncio.ensure_future(begun.session.ask("client/registerCapability", {}))
    ignored = asyncio.ensure_future(begun.session.ask("window/showDocument", {}, timeout=0.01))
    await settle()
    first, second, _ = [message["id"] for message in begun.sent]
    begun.say(id=first, result=[{"a": 1}])
    begun.say(id=first, result=["twice"])
    begun.say(id=second, error={"code": -32601, "message": "no"})
    assert await asked == [{"a": 1}]
    with pytest.raises(LspError, match="no"):
        await refused
    with pytest.raises(LspError, match="did not answer"):
        await ignored


async def test_a_cancel_that_comes_with_the_answer_is_not_lost(begun: Wire) -> None:
    """`asyncio.wait_for` of Python 3.11 would go on as if nobody had cancelled."""

    async def work() -> None:
        await begun.session.ask("workspace/configuration", {})
        await begun.session.ask("client/registerCapability", {})

    begun.session.in_background(work(), "work")
    await settle()
    begun.say(id=begun.sent[0]["id"], result=[])
    async with asyncio.timeout(1):
        await begun.session.close()
    assert len(begun.sent) == 1


async def test_background_work_may_fail(begun: Wire, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise SystemExit(0)

    begun.session.in_background(work(), "some work")
    await settle()
    assert "some work failed: SystemExit" in caplog.text


def test_invalid_params_never_show_the_value() -> None:
    assert InvalidParams("position is missing.").to_wire() == {
        "code": -32602,
        "message": "position is missing.",
    }
