"""A deterministic engine without a model, for tests and for `glm-lsp serve --model fake`.

What it answers depends on the request alone (`fake_answers`). `FakeScript.text` replaces it.

A "token" is eight characters: a text comes in pieces of one token, one a step and row;
`max_tokens`, `stop` and `deadline_ms` are obeyed. A drawing takes `DRAW_STEPS` steps, then sends
one picture a step. The prompt counts ceil(length / 8) tokens, of which those that start like the
previous request's prompt are `reused`. The first step of a request is its prefill and gives
nothing.

`FakeScript` scripts delays and faults. In a worker process it comes from the environment
variable GLM_FAKE_SCRIPT, a JSON object with its fields. `seen` holds every request taken; with
`journal`, each load, submit, cancel and step is appended to that file as one JSON line with
ids, counts and hashes, so that a test can watch an engine in another process.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from glm_protocol.answers import Chunk, End, FinishReason, Progress, Timings, TokenCounts
from glm_protocol.drawing import DrawRequest
from glm_protocol.errors import BadRequest, EngineFailed, GlmError, ModelUnusable, PromptTooLong
from glm_protocol.remembering import RememberRequest
from glm_protocol.requests import AnyRequest
from glm_protocol.translation import TranslationRequest
from glm_runtime.engine import EngineInfo, EngineOptions
from glm_runtime.fake_answers import FakeAnswer, fake_answer, request_hash, said

TOKEN = 8  # characters
CONTEXT_LENGTH = 2**18  # tokens
DRAW_STEPS = 4
SCRIPT_VARIABLE = "GLM_FAKE_SCRIPT"


class Fault(StrEnum):
    """What can go wrong in a step."""

    OOM = "oom"  # `step` raises MemoryError
    NAN = "nan"  # the rows at work end with a GlmError
    CRASH = "crash"  # SIGKILL to itself
    HANG = "hang"  # `step` never returns
    MOVE = "move"  # the model goes on, on another device


@dataclass(frozen=True, kw_only=True, slots=True)
class FakeScript:
    """What should happen, and when.

    `fault` happens in the step number `at_step` (from 1, over the life of the engine), or, with
    `poison`, in every step that works on a request whose text holds it. `once` is a
    path: a fault happens only while nothing is there and leaves a file there, so that a
    restarted worker goes on without it.
    """

    text: str | None = None
    rows: int = 1
    load_delay_s: float = 0.0
    step_delay_s: float = 0.0
    fault: Fault | None = None
    at_step: int = 1
    poison: str = ""
    crash_at_load: bool = False
    load_error: str | None = None  # message of a ModelUnusable
    banner: str = ""  # printed to stdout at load, as some libraries do
    once: str | None = None
    journal: str | None = None

    @classmethod
    def from_environment(cls) -> FakeScript:
        """Raises TypeError or ValueError when GLM_FAKE_SCRIPT is not such an object."""
        fields = json.loads(os.environ.get(SCRIPT_VARIABLE, "{}"))
        fault = fields.pop("fault", None)
        return cls(fault=None if fault is None else Fault(fault), **fields)

    def to_environment(self) -> dict[str, str]:
        """Inverse of `from_environment`."""
        return {SCRIPT_VARIABLE: json.dumps(asdict(self))}


@dataclass(kw_only=True, slots=True)
class _Row:
    """A request at work: its answer, how far it is, when it came."""

    request: AnyRequest
    answer: FakeAnswer
    finish: FinishReason
    prompt: int
    reused: int = 0
    arrived: float = 0.0
    started: float | None = None
    prefilled: float | None = None
    sent: int = 0  # characters, or steps and pictures of a drawing

    def end(self, now: float, finish: FinishReason) -> End:
        started = self.started or now
        prefilled = self.prefilled or now
        return End(
            finish=finish,
            model="fake",
            timings_ms=Timings(
                queue=1e3 * (started - self.arrived),
                prefill=1e3 * (prefilled - started),
                decode=1e3 * (now - prefilled),
                first_text=1e3 * (prefilled - self.arrived),
                total=1e3 * (now - self.arrived),
            ),
            tokens=TokenCounts(
                prompt=self.prompt, reused=self.reused, generated=-(-self.sent // TOKEN)
            ),
            report=self._report(),
        )

    def _report(self) -> dict[str, Any]:
        return {"seed": self.request.seed or 0} if isinstance(self.request, DrawRequest) else {}


@dataclass(kw_only=True)
class FakeEngine:
    """`Engine[AnyRequest, Chunk]` with a script in place of weights."""

    script: FakeScript = field(default_factory=FakeScript)
    clock: Callable[[], float] = time.monotonic
    seen: list[AnyRequest] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    steps: int = 0

    def __post_init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._previous = ""
        self._device = "cpu"
        self._note(op="load", pid=os.getpid())

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(
            model="fake",
            family="code",
            architecture="fake",
            device=self._device,
            dtype="none",
            context_length=CONTEXT_LENGTH,
            memory_bytes=0,
            capabilities=("infill", "chat", "translate", "image_in", "image_out"),
            prompt_format="fake",
            rows=self.script.rows,
            notes=("Deterministic stand-in, not a model.",),
        )

    @property
    def busy(self) -> bool:
        return bool(self._rows)

    def submit(self, request: AnyRequest, *, tenant: str = "") -> str:
        if request.id in self._rows:
            raise BadRequest("This request id is in use.")
        prompt = -(-len(said(request)) // TOKEN)
        if prompt > CONTEXT_LENGTH:
            raise PromptTooLong(f"The prompt has {prompt} tokens, the context {CONTEXT_LENGTH}.")
        self.seen.append(request)
        self._note(
            op="submit",
            id=request.id,
            kind=request.kind,
            hash=request_hash(request),
            prompt=prompt,
            tenant=tenant,
        )
        answer, finish = self._answer(request)
        self._rows[request.id] = _Row(
            request=request, answer=answer, finish=finish, prompt=prompt, arrived=self.clock()
        )
        return request.id

    def step(self) -> list[tuple[str, Chunk | GlmError]]:
        rows = list(self._rows.items())[: self.script.rows]
        self.steps += 1
        self._note(op="step", n=self.steps, ids=[request_id for request_id, _ in rows])
        time.sleep(self.script.step_delay_s)
        if fault := self._fault(rows):
            self._rows = {key: row for key, row in self._rows.items() if key not in dict(rows)}
            return [(request_id, fault) for request_id, _ in rows]
        return [(key, chunk) for key, row in rows if (chunk := self._advance(key, row))]

    def cancel(self, request_id: str) -> None:
        if self._rows.pop(request_id, None):
            self.cancelled.append(request_id)
            self._note(op="cancel", id=request_id, steps=self.steps)

    def _answer(self, request: AnyRequest) -> tuple[FakeAnswer, FinishReason]:
        if isinstance(request, DrawRequest):
            return fake_answer(request), FinishReason.STOP
        if isinstance(request, RememberRequest):
            return FakeAnswer(), FinishReason.STOP
        whole = fake_answer(request).text if self.script.text is None else self.script.text
        stops = () if isinstance(request, TranslationRequest) else request.stop
        ends = [at for stop in stops if (at := whole.find(stop)) >= 0]
        text = whole[: min(ends, default=len(whole))]
        limit = request.max_tokens * TOKEN
        finish = FinishReason.LENGTH if len(text) > limit else FinishReason.STOP
        return FakeAnswer(text=text[:limit]), finish

    def _advance(self, request_id: str, row: _Row) -> Chunk | None:
        now = self.clock()
        if row.started is None:
            self._prefill(row, now)
            return None
        if 1e3 * (now - row.arrived) >= row.request.deadline_ms:
            del self._rows[request_id]
            return Chunk(end=row.end(now, FinishReason.DEADLINE))
        if row.answer.images:
            return self._draw(request_id, row, now)
        piece = row.answer.text[row.sent : row.sent + TOKEN]
        row.sent += len(piece)
        if row.sent < len(row.answer.text):
            return Chunk(text=piece)
        del self._rows[request_id]
        return Chunk(text=piece, end=row.end(now, row.finish))

    def _draw(self, request_id: str, row: _Row, now: float) -> Chunk:
        row.sent += 1
        if row.sent <= DRAW_STEPS:
            seen = isinstance(row.request, DrawRequest) and row.sent <= row.request.previews
            preview = row.answer.images[0] if seen else ""
            return Chunk(progress=Progress(step=row.sent, steps=DRAW_STEPS, preview=preview))
        picture = row.sent - DRAW_STEPS
        if picture < len(row.answer.images):
            return Chunk(image=row.answer.images[picture - 1])
        del self._rows[request_id]
        return Chunk(image=row.answer.images[-1], end=row.end(now, row.finish))

    def _prefill(self, row: _Row, now: float) -> None:
        row.started = now
        prompt = said(row.request)
        row.reused = common_prefix(prompt, self._previous) // TOKEN
        self._previous = prompt
        row.prefilled = self.clock()

    def _fault(self, rows: list[tuple[str, _Row]]) -> GlmError | None:
        script = self.script
        if script.poison:
            due = any(script.poison in said(row.request) for _, row in rows)
        else:
            due = self.steps == script.at_step
        if script.fault is None or not due or not first_time(script.once):
            return None
        match script.fault:
            case Fault.OOM:
                raise MemoryError("scripted")
            case Fault.CRASH:
                os.kill(os.getpid(), signal.SIGKILL)
            case Fault.HANG:
                while True:
                    time.sleep(3600)
            case Fault.MOVE:
                self._device = "npu"
                return None
            case Fault.NAN:
                pass
        return EngineFailed("The model's output is not finite.")

    def _note(self, **line: object) -> None:
        if self.script.journal is not None:
            with Path(self.script.journal).open("a", encoding="utf-8") as journal:
                journal.write(json.dumps(line) + "\n")


def common_prefix(a: str, b: str) -> int:
    """Length in characters of what both start with."""
    pairs = enumerate(zip(a, b, strict=False))
    return next((at for at, (x, y) in pairs if x != y), min(len(a), len(b)))


def first_time(marker: str | None) -> bool:
    """True always without a marker, else only for the one who creates it."""
    if marker is None:
        return True
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def load_engine(options: EngineOptions) -> FakeEngine:
    """The worker's loader for model "fake"; the script comes from the environment."""
    del options
    script = FakeScript.from_environment()
    time.sleep(script.load_delay_s)
    if script.banner:
        print(script.banner, flush=True)
    if script.crash_at_load and first_time(script.once):
        os.kill(os.getpid(), signal.SIGKILL)
    if script.load_error is not None:
        raise ModelUnusable(script.load_error)
    return FakeEngine(script=script)
