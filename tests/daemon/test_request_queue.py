"""Order of service."""

from __future__ import annotations

from glm_daemon.request_job import RequestJob
from glm_daemon.request_queue import RequestQueue
from glm_protocol.answers import FinishReason
from glm_protocol.request_fields import Trigger
from tests.support.daemon_process import completion_request


def job(key: str, trigger: Trigger = Trigger.AUTOMATIC, tenant: str = "") -> RequestJob:
    return RequestJob(key=key, request=completion_request(trigger=trigger), tenant=tenant)


def drain(queue: RequestQueue) -> list[str]:
    keys = []
    while taken := queue.pop():
        keys.append(taken.key)
    return keys


async def test_explicit_before_automatic_before_background_then_by_arrival() -> None:
    queue = RequestQueue()
    for key, trigger in [
        ("b1", Trigger.BACKGROUND),
        ("a1", Trigger.AUTOMATIC),
        ("e1", Trigger.EXPLICIT),
        ("a2", Trigger.AUTOMATIC),
        ("e2", Trigger.EXPLICIT),
    ]:
        queue.push(job(key, trigger))
    assert drain(queue) == ["e1", "e2", "a1", "a2", "b1"]


async def test_what_comes_back_goes_before_its_equals() -> None:
    queue = RequestQueue()
    first, second = job("1"), job("2")
    queue.push(first)
    queue.push(second)
    assert queue.pop() is first
    queue.push_again(first)
    assert drain(queue) == ["1", "2"]


async def test_what_ended_while_waiting_is_neither_counted_nor_given() -> None:
    queue = RequestQueue()
    jobs = [job(str(number)) for number in range(3)]
    for each in jobs:
        queue.push(each)
    jobs[1].finish(FinishReason.CANCELLED, model="fake")
    assert len(queue) == 2
    queue.drop_done()
    assert queue.jobs() == [jobs[0], jobs[2]]
    assert drain(queue) == ["0", "2"]


async def test_tenants_take_turns() -> None:
    queue = RequestQueue()
    for key in ("a1", "a2", "a3", "b1", "c1", "b2"):
        queue.push(job(key, tenant=key[0]))
    queue.push(job("a0", Trigger.EXPLICIT, tenant="a"))
    assert drain(queue) == ["a0", "a1", "b1", "c1", "a2", "b2", "a3"]
