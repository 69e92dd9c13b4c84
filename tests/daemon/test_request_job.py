"""A job ends once, keeps what a slow reader has not taken, and counts time from arrival."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from glm_daemon.request_job import RequestJob
from glm_protocol.answers import Chunk, End, FinishReason, Timings
from glm_protocol.errors import EngineFailed
from tests.support.daemon_process import completion_request


def fresh() -> RequestJob:
    return RequestJob(key="k", request=completion_request(deadline_ms=1000))


def end(**timings: float) -> End:
    return End(finish=FinishReason.STOP, model="m", timings_ms=Timings(**timings))


async def test_texts_that_were_not_taken_come_as_one() -> None:
    job = fresh()
    for text in ("a", "b"):
        job.feed(Chunk(text=text))
    assert (await job.next()).text == "ab"
    job.feed(Chunk(text="c", end=end()))
    last = await job.next()
    assert last.text == "c"
    assert last.end is not None


async def test_next_waits() -> None:
    job = fresh()
    waiting = asyncio.create_task(job.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    job.feed(Chunk(text="a"))
    assert (await waiting).text == "a"


async def test_text_before_an_error_is_not_lost() -> None:
    job = fresh()
    job.feed(Chunk(text="a"))
    job.fail(EngineFailed("It died."))
    assert (await job.next()).text == "a"
    with pytest.raises(EngineFailed):
        await job.next()


async def test_it_ends_once() -> None:
    job = fresh()
    ends: list[RequestJob] = []
    job.on_done.append(ends.append)
    job.finish(FinishReason.SUPERSEDED, model="m")
    job.feed(Chunk(text="late", end=end()))
    job.fail(EngineFailed("late"))
    chunk = await job.next()
    assert chunk.text == ""
    assert chunk.end is not None
    assert chunk.end.finish is FinishReason.SUPERSEDED
    assert ends == [job]


async def test_times_count_from_arrival() -> None:
    job = fresh()
    await asyncio.sleep(0.02)
    job.begin_attempt()
    assert job.for_worker().deadline_ms < 1000
    assert job.for_worker().id == "k"
    job.feed(Chunk(text="a", end=end(queue=1.0, decode=2.0)))
    done = (await job.next()).end
    assert done is not None
    assert done.timings_ms.queue > 20
    assert done.timings_ms.decode == 2.0
    assert 20 < done.timings_ms.first_text <= done.timings_ms.total


async def test_a_further_attempt_says_again_what_was_said() -> None:
    job = fresh()
    job.begin_attempt()
    job.feed(Chunk(text="one two"))
    job.begin_attempt()
    for text in ("one", " two thr", "ee"):
        job.feed(Chunk(text=text))
    job.feed(Chunk(end=end()))
    assert (await job.next()).text == "one two three"


@pytest.mark.parametrize("piece", [Chunk(text="One"), Chunk(text="on", end=end())])
async def test_a_further_attempt_that_says_something_else_is_a_failure(piece: Chunk) -> None:
    job = fresh()
    job.begin_attempt()
    job.feed(Chunk(text="one"))
    job.begin_attempt()
    job.feed(piece)
    assert isinstance(job.error, EngineFailed)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [({}, True), ({"temperature": 0.5}, False), ({"temperature": 0.5, "seed": 1}, True)],
)
def test_what_can_be_said_again(fields: dict[str, Any], wanted: bool) -> None:
    assert RequestJob(key="k", request=completion_request(**fields)).repeatable == wanted
