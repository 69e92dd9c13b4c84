"""The steps of a run in a row, with its lock held; what `glm-lsp finetune` and a job do."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

from glm_client.daemon_client import Answer, DaemonClient
from glm_codegen.finetune.loss_curve import draw_curve
from glm_codegen.finetune.pipeline import ADAPTER, Pipeline, Trained
from glm_codegen.finetune.ranks import Ranks
from glm_codegen.finetune.receipt import WAYS, Asks, Judged, ask_all, examples, write_receipt
from glm_codegen.finetune.report_page import report_page
from glm_codegen.finetune.run_files import write_bytes
from glm_codegen.finetune.training_loop import Interrupted
from glm_protocol.completion import CompletionRequest
from glm_protocol.errors import (
    BadRequest,
    DaemonUnreachable,
    EngineFailed,
    NotReady,
    Overloaded,
)
from glm_runtime.adapter import CANDIDATE, Adapter, AdapterShelf

PAUSES_S = (1.0, 2.0, 5.0, 10.0, 20.0)  # between attempts of one question
Tell = Callable[[str, Mapping[str, Any]], None]


@asynccontextmanager
async def real_daemon() -> AsyncIterator[Asks]:
    """The user's daemon, started if none runs. Raises DaemonUnreachable, ProtocolMismatch."""
    async with DaemonClient() as client:
        await client.connect()
        yield PatientClient(client)


class PatientClient:
    """Asks again for a while when the daemon is replaced or its engine starts anew: a receipt
    takes minutes, and other clients come and go meanwhile."""

    def __init__(self, client: DaemonClient) -> None:
        self._client = client

    async def whole(self, request: CompletionRequest, /) -> Answer:
        """Raises GlmError when patience has run out."""
        for pause_s in PAUSES_S:
            try:
                return await self._client.whole(request)
            except (DaemonUnreachable, NotReady, EngineFailed, Overloaded):
                await asyncio.sleep(pause_s)
                with suppress(DaemonUnreachable):
                    await self._client.connect()
        return await self._client.whole(request)


Daemon = Callable[[], AbstractAsyncContextManager[Asks]]


def whole_run(
    pipeline: Pipeline,
    shelf: AdapterShelf,
    tell: Tell,
    *,
    resume: bool,
    force: bool,
    daemon: Daemon = real_daemon,
) -> dict[str, Any] | None:
    """The receipt; None when stopped on request, or in a process that does not lead.

    Raises GlmError.
    """
    ranks = Ranks.join(pipeline.wanted.spread)
    resume = resume or (ranks.restarted and pipeline.folder.exists())
    try:
        if not ranks.leads:
            ranks.wait()
            pipeline.train(resume=resume, ranks=ranks)
            return None
        with pipeline.folder.open():
            pipeline.listen()
            if resume and not pipeline.folder.exists():
                raise BadRequest(
                    f"There is no run named {pipeline.wanted.name!r} to resume.",
                    remedy="Begin it without --resume.",
                )
            if not resume:
                pipeline.prepare()
            ranks.wait()
            trained = pipeline.train(resume=resume, ranks=ranks)
            candidate = _candidate(pipeline, trained, shelf)
            canary = {} if ranks.sharded else pipeline.canary(trained)
            began = time.monotonic()
            own, general = asyncio.run(_ask(pipeline, candidate, tell, daemon))
            run = pipeline.folder.read("run.json")
            receipt = write_receipt(own, general, run, canary)
            receipt["receipt_seconds"] = round(time.monotonic() - began, 1)
            _settle(receipt, trained, pipeline.wanted.name, force=force)
            _publish(shelf, candidate, pipeline.wanted.name, receipt)
            _report(pipeline, trained, receipt, own)
            state = "published" if receipt["published"] else f"kept aside as {candidate.name}"
            page = pipeline.folder.path / "report.html"
            tell("said", {"text": f"{state}: {receipt['reason']}\nreport: {page}"})
            return receipt
    except Interrupted:
        tell("said", {"text": "stopped; go on with --resume"})
        return None
    finally:
        ranks.leave()


def _candidate(pipeline: Pipeline, trained: Trained, shelf: AdapterShelf) -> Adapter:
    """On the shelf, by a name that nobody gets unasked."""
    snapshot = pipeline.folder.read("run.json")["snapshot"]
    source = pipeline.folder.path / ADAPTER
    candidate = Adapter(
        name=pipeline.wanted.name + CANDIDATE,
        folder=source,
        base=trained.base.name,
        fingerprint=trained.base.fingerprint,
        remote=str(snapshot["remote"]),
        created=time.time(),
        commit=str(snapshot["commit"]),
    )
    return shelf.place(candidate.name, source, candidate)


def _settle(receipt: dict[str, Any], trained: Trained, name: str, *, force: bool) -> None:
    """Add what became of it, and what it took."""
    wins = bool(receipt.pop("wins"))
    receipt |= {
        "name": name,
        "model": trained.base.name,
        "published": wins or force,
        "forced": force and not wins,
        "training": {
            "steps": trained.state.step,
            "tokens": trained.state.tokens,
            "seconds": round(trained.state.seconds, 1),
            "best_step": trained.best.step,
        },
    }


def _report(pipeline: Pipeline, trained: Trained, receipt: dict[str, Any], own: Judged) -> None:
    """Receipt, page and curve into the run's folder; the user's text out of it."""
    folder = pipeline.folder
    curve = draw_curve(trained.state.losses, trained.state.looks)
    write_bytes(folder.path / "curve.png", curve)
    page = report_page(pipeline.wanted.name, receipt, examples(own), curve)
    write_bytes(folder.path / "report.html", page.encode())
    folder.write("receipt.json", receipt)
    folder.forget_text()
    shutil.rmtree(folder.path / ADAPTER)


def _publish(shelf: AdapterShelf, candidate: Adapter, name: str, receipt: dict[str, Any]) -> None:
    """Onto the shelf under its name, or the candidate stays, with its receipt either way."""
    published = bool(receipt["published"])
    source = shelf.folder / candidate.name
    final = name if published else candidate.name
    shelf.place(final, source, replace(candidate, name=final, published=published, report=receipt))
    if published:
        shelf.remove(candidate.name)


async def _ask(
    pipeline: Pipeline, adapter: Adapter, tell: Tell, daemon: Daemon
) -> tuple[Judged, Judged]:
    questions = pipeline.folder.read_questions()
    of = len(questions["own"]) + len(questions["general"])

    def told(before: int) -> Callable[[int, int], None]:
        def done(number: int, _: int) -> None:
            if (before + number) % 20 == 0 or before + number == of:
                tell("asking", {"done": before + number, "of": of})

        return done

    async with daemon() as client:
        own = await ask_all(
            client, questions["own"], WAYS,
            model=adapter.base, adapter=adapter.name, done=told(0),
        )  # fmt: skip
        ways = [way for way in WAYS if not way.related]
        general = await ask_all(
            client, questions["general"], ways,
            model=adapter.base, adapter=adapter.name, done=told(len(questions["own"])),
        )  # fmt: skip
    return own, general
