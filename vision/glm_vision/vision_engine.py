"""The engine of models that see: chats with pictures in, chunks out, one token a step.

Life of a request:
  1. `submit` refuses what cannot be done (a picture to a blind model) and queues the rest.
  2. Its pictures are decoded by `ImageIntake`, in a process of its own under limits.
  3. Its task runs: `tasks.general` for models that understand English, `tasks.taught` for those
     that were trained on a fixed set of questions (`glm_questions` in config.json).
  4. Each step takes one token of the model; pieces of text go out as they come.
  5. The end's report has `boxes` (source pixels), `valid`, `task`, `notes`, `image_tokens`, and
     what the task adds (`places` of an error).

One request is worked on at a time; a task may ask the model for many rows at once.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from glm_protocol.answers import Chunk, End, FinishReason, Timings, TokenCounts
from glm_protocol.chat import ChatMessage, ChatRequest
from glm_protocol.errors import AdapterUnknown, BadRequest, EngineFailed, GlmError, Unsupported
from glm_protocol.requests import AnyRequest
from glm_runtime.engine import EngineInfo, EngineOptions
from glm_vision.image_intake import ImageIntake
from glm_vision.tasks.conversation import Conversation, Outcome, OutOfTime, Picture, Task
from glm_vision.tasks.general import TASKS, general_task
from glm_vision.tasks.taught import taught_task
from glm_vision.token_stream import Sampling
from glm_vision.vision_model import Turn, VisionModel

Event = tuple[str, Chunk | GlmError]
FORMS = {"diagram": ("mermaid", "plantuml"), "chart": ("csv", "json")}


@dataclass(kw_only=True)
class _Work:
    """A request, waiting or at work."""

    request: ChatRequest
    arrived: float
    started: float | None = None
    conversation: Conversation | None = None
    task: Task | None = None
    sent: str = ""
    notes: tuple[str, ...] = ()
    first_text: float | None = None
    outcome: Outcome | None = field(default=None)

    def close(self) -> None:
        if self.task is not None:
            self.task.close()


class VisionEngine:
    """`Engine[AnyRequest, Chunk]` over one vision model."""

    def __init__(
        self,
        model: VisionModel,
        info: EngineInfo,
        *,
        intake: ImageIntake | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self.info = info
        self._intake = intake or ImageIntake()
        self._clock = clock
        self._waiting: deque[_Work] = deque()
        self._work: _Work | None = None
        self._outbox: list[Event] = []

    @property
    def busy(self) -> bool:
        return bool(self._outbox or self._waiting or self._work)

    def submit(self, request: AnyRequest, *, tenant: str = "") -> str:  # noqa: ARG002
        """Raises Unsupported (not a chat, a picture to a blind model, an unknown task)."""
        if not isinstance(request, ChatRequest):
            raise Unsupported(f"{self.info.model} answers chats; it cannot {request.kind}.")
        if request.adapter is not None:
            raise AdapterUnknown(f"There is no adapter {request.adapter!r} for this model.")
        if request.has_images and not self._model.sees:
            raise Unsupported(
                f"{self.info.model} cannot see: its processor takes no pictures.",
                remedy="Ask without the picture, or add a model that sees: `glm-lsp models add`.",
            )
        task_of(request)
        if any(work.request.id == request.id for work in self._all()):
            raise BadRequest(f"A request with the id {request.id!r} is at work already.")
        for older in [w for w in self._all() if w.request.document == request.document]:
            self._end(older, FinishReason.SUPERSEDED)
        self._waiting.append(_Work(request=request, arrived=self._clock()))
        return request.id

    def cancel(self, request_id: str) -> None:
        for work in self._all():
            if work.request.id == request_id:
                self._drop(work)
        self._outbox = [event for event in self._outbox if event[0] != request_id]

    def step(self) -> list[Event]:
        """One picture decoded, or one token of the model."""
        for work in list(self._waiting):
            if self._late(work):
                self._end(work, FinishReason.DEADLINE)
        if self._work is None and self._waiting:
            self._work = self._waiting.popleft()
        if self._work is not None:
            self._advance(self._work)
        events, self._outbox = self._outbox, []
        return events

    def close(self) -> None:
        """End the process that decodes pictures."""
        self._intake.close()

    def _advance(self, work: _Work) -> None:
        try:
            if work.task is None:
                self._start(work)
            assert work.task is not None
            piece = next(work.task)
            if self._late(work):
                work.close()
                raise OutOfTime
        except StopIteration as ended:
            work.outcome = ended.value
            assert work.conversation is not None
            self._end(work, work.conversation.finish)
        except OutOfTime:
            self._end(work, FinishReason.DEADLINE)
        except GlmError as error:
            self._drop(work)
            self._outbox.append((work.request.id, error))
        except (ValueError, TypeError, IndexError, KeyError, RuntimeError) as error:
            if type(error).__name__ == "OutOfMemoryError":
                raise
            # What a stranger's processor or model cannot take ends this request alone.
            self._drop(work)
            failure = EngineFailed(f"The model could not take this ({type(error).__name__}).")
            self._outbox.append((work.request.id, failure))
        else:
            if piece:
                self._say(work, piece)

    def _start(self, work: _Work) -> None:
        """Decode the pictures and set the task up. Raises GlmError for a bad picture."""
        work.started = self._clock()
        request = work.request
        turns, pictures, notes = [], [], []
        for message in request.messages:
            taken = [self._take(image.data) for image in message.images]
            pictures += [picture for picture, _ in taken]
            notes += [note for _, told in taken for note in told]
            turns.append(_turn(message, [picture for picture, _ in taken]))
        if turns[-1].role != "user":
            raise BadRequest("The last message must be the user's.")
        task, form = task_of(request)
        if task not in ("ask",) and not pictures:
            raise BadRequest(f"The task {task} needs a picture.", remedy="Send one with it.")
        work.notes = tuple(notes)
        work.conversation = Conversation(
            model=self._model,
            turns=tuple(turns),
            pictures=tuple(pictures),
            sampling=Sampling(
                max_tokens=request.max_tokens,
                temperature=request.temperature,
                top_p=request.top_p,
                seed=request.seed,
            ),
            stop=request.stop,
            deadline=work.arrived + request.deadline_ms / 1e3,
            clock=self._clock,
        )
        if self._model.taught:
            work.task = taught_task(task, work.conversation)
        else:
            work.task = general_task(task, work.conversation, form)

    def _take(self, data: str) -> tuple[Picture, tuple[str, ...]]:
        try:
            raw = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadRequest("A picture is not base64.") from error
        taken = self._intake.read(raw)
        picture = Picture(image=taken.picture, width=taken.source_width, height=taken.source_height)
        return picture, taken.notes

    def _say(self, work: _Work, text: str) -> None:
        work.sent += text
        if work.first_text is None:
            work.first_text = self._clock()
        self._outbox.append((work.request.id, Chunk(text=text)))

    def _end(self, work: _Work, finish: FinishReason) -> None:
        outcome = work.outcome or Outcome(text=work.sent)
        rest = outcome.text[len(work.sent) :] if outcome.text.startswith(work.sent) else ""
        if not work.sent:
            rest = outcome.text
        end = self._end_of(work, outcome, finish)
        self._outbox.append((work.request.id, Chunk(text=rest, end=end)))
        self._drop(work)

    def _end_of(self, work: _Work, outcome: Outcome, finish: FinishReason) -> End:
        now = self._clock()
        started, spoken = work.started or now, work.conversation
        first = (spoken.first_token if spoken else None) or now
        counts = TokenCounts()
        image_tokens = 0
        if spoken is not None:
            counts = TokenCounts(prompt=spoken.prompt_tokens, generated=spoken.generated)
            image_tokens = spoken.image_tokens
        report: dict[str, Any] = {
            "task": task_of(work.request)[0],
            "boxes": [list(box) for box in outcome.boxes],
            "valid": outcome.valid,
            "notes": [*work.notes, *outcome.notes],
            "image_tokens": image_tokens,
            **outcome.details,
        }
        return End(
            finish=finish,
            model=self.info.model,
            timings_ms=Timings(
                queue=1e3 * (started - work.arrived),
                prefill=1e3 * (first - started),
                decode=1e3 * (now - first),
                first_text=1e3 * ((work.first_text or now) - work.arrived),
                total=1e3 * (now - work.arrived),
            ),
            tokens=counts,
            report=report,
        )

    def _drop(self, work: _Work) -> None:
        work.close()
        if self._work is work:
            self._work = None
        elif work in self._waiting:
            self._waiting.remove(work)

    def _late(self, work: _Work) -> bool:
        return 1e3 * (self._clock() - work.arrived) >= work.request.deadline_ms

    def _all(self) -> list[_Work]:
        return [*([self._work] if self._work else []), *self._waiting]


def task_of(request: ChatRequest) -> tuple[str, str]:
    """(task, form) by the request's options. Raises Unsupported for words that mean nothing."""
    task = request.options.get("task", "ask")
    form = request.options.get("form", "")
    if task not in TASKS:
        raise Unsupported(f"There is no task {task[:40]!r}.", remedy=f"Tasks: {', '.join(TASKS)}.")
    forms = FORMS.get(task, ())
    if form and form not in forms:
        raise Unsupported(f"The task {task} has no form {form[:40]!r}.")
    return task, "" if form in ("mermaid", "csv") else form


def _turn(message: ChatMessage, pictures: list[Picture]) -> Turn:
    shown = tuple(picture.image for picture in pictures)
    return Turn(role=message.role.value, text=message.text, pictures=shown)


def load_engine(options: EngineOptions) -> VisionEngine:
    """The worker's loader. Raises ModelUnknown, ModelUnusable, or BadRequest for a bad device."""
    from glm_vision.engine_loading import load_engine as load

    return load(options)
