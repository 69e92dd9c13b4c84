"""The engine of a code model: requests in, chunks out, one bounded piece of work a step.

Life of a request:
  1. `submit` queues it; an older one of the same document ends as superseded.
  2. Its turn: explicit before automatic before background, then by arrival. Nothing at work is
     interrupted by another document.
  3. The planner of its kind (`row_kinds`) makes a row's plan: prompt, text rules, choice of tokens.
  4. The KV cache keeps what this prompt shares with the last one.
  5. The rest is prefilled, one chunk a step.
  6. Each step samples a token; its text is shown as soon as no stop rule can take it back.
  7. It ends: the model's stop, a stop rule, the budget, the deadline, or an error. A plan may ask
     for further attempts at the same prompt; the end comes after the last.
Between any two steps a cancel or a newer request is obeyed.

A scheduler of many rows replaces `_row` by a set of rows and `_work` by one forward for all of
them; the rest, and every caller, stays.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from glm_codegen.answer_row import AnswerRow, Clock, end_of_waiting
from glm_codegen.completion_kind import PROMPT_LIMIT
from glm_codegen.prompt_formats.choose import choose_format
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_codegen.row_kinds import capabilities_of, deeds_for, planners_for
from glm_codegen.row_plan import ModelParts, Planner
from glm_codegen.waiting_requests import Waiting, WaitingRequests
from glm_protocol.answers import Chunk, FinishReason
from glm_protocol.errors import (
    AdapterUnknown,
    BadRequest,
    GlmError,
    ModelUnusable,
    Unsupported,
)
from glm_protocol.folders import user_folders
from glm_protocol.requests import AnyRequest
from glm_runtime.adapter import BY_REMOTE, AdapterShelf, fingerprint
from glm_runtime.adapter_rack import AdapterRack
from glm_runtime.checkpoint import open_checkpoint
from glm_runtime.decode import Decoder
from glm_runtime.engine import EngineInfo, EngineOptions
from glm_runtime.hub_cache import cached_folder
from glm_runtime.model_registry import ModelRegistry
from glm_runtime.placed_model import place_model
from glm_runtime.thread_count import ThreadCount

if TYPE_CHECKING:
    from glm_runtime.device import Accelerator
    from glm_runtime.lora_weights import LoraWeights

Event = tuple[str, Chunk | GlmError]
NOTHING: Mapping[str, Any] = MappingProxyType({})


class CodeEngine:
    """One model, one row. `info` is what was known at load; notes of later are added to it."""

    def __init__(
        self,
        decoder: Decoder,
        parts: ModelParts,
        info: EngineInfo,
        *,
        planners: Mapping[type[AnyRequest], Planner] | None = None,
        adapters: AdapterRack | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        """`planners`: the kinds of request that it takes; None: those of `planners_for`."""
        self._decoder = decoder
        self._parts = parts
        self._info = info
        self._planners = planners_for(parts) if planners is None else planners
        self._deeds = deeds_for(parts)
        self._adapters = adapters
        self._clock = clock
        self._queue = WaitingRequests()
        self._row: AnswerRow | None = None
        self._outbox: list[Event] = []

    @property
    def info(self) -> EngineInfo:
        placement = self._decoder.placement
        return replace(
            self._info,
            device=placement.kind,
            dtype=placement.dtype_name,
            notes=(*self._info.notes, *self._decoder.notes),
        )

    @property
    def busy(self) -> bool:
        return bool(self._outbox or self._queue or self._row)

    def submit(self, request: AnyRequest) -> str:
        """Queue a request.

        Raises BadRequest for an id at work, AdapterUnknown or ModelUnusable for an adapter that
        is not there or not sound, Unsupported for a kind of request that this model has no form
        for.
        """
        if type(request) not in self._planners and type(request) not in self._deeds:
            taken = ", ".join(sorted(kind.kind for kind in self._planners))
            raise Unsupported(f"The model {self._info.model} cannot {request.kind}, only {taken}.")
        if request.id in self._queue or (self._row is not None and self._row.id == request.id):
            raise BadRequest(f"A request with the id {request.id!r} is at work already.")
        self._adapter_of(request)
        for older in self._queue.take_document(request.document):
            self._post_waiting(older, FinishReason.SUPERSEDED)
        if self._row is not None and self._row.document == request.document:
            self._end_row(FinishReason.SUPERSEDED)
        self._queue.add(Waiting(request=request, arrived=self._clock()))
        return request.id

    def cancel(self, request_id: str) -> None:
        """Forget a request, also what was not fetched of it yet."""
        self._queue.remove(request_id)
        if self._row is not None and self._row.id == request_id:
            self._row = None
        self._outbox = [event for event in self._outbox if event[0] != request_id]

    def step(self) -> list[Event]:
        """At most one chunk of prefill or one token."""
        for expired in self._queue.take_expired(self._clock()):
            self._post_waiting(expired, FinishReason.DEADLINE)
        if self._row is None and self._queue:
            self._start(self._queue.next())
        if self._row is not None:
            self._work(self._row)
        events, self._outbox = self._outbox, []
        return events

    def _start(self, waiting: Waiting) -> None:
        """Plan the row and take it up; a request that cannot be rendered ends here."""
        started = self._clock()
        request = waiting.request
        if (deed := self._deeds.get(type(request))) is not None:
            report = deed(request, self._parts)
            self._post_waiting(waiting, FinishReason.STOP, report)
            return
        try:
            lora = self._adapter_of(request)
            plan = self._planners[type(request)](request, self._parts)
            reused = self._decoder.begin(plan.prompt.token_ids, lora)
        except GlmError as error:
            self._outbox.append((request.id, error))
            return
        self._row = AnswerRow(
            waiting,
            plan,
            lora=lora,
            tokenizer=self._parts.tokenizer,
            stop_ids=self._parts.stop_ids,
            started=started,
            clock=self._clock,
        )
        self._row.reused = reused

    def _adapter_of(self, request: AnyRequest) -> LoraWeights | None:
        if self._adapters is not None:
            return self._adapters.choose(request.adapter)
        if request.adapter is None or request.adapter.startswith(BY_REMOTE):
            return None
        raise AdapterUnknown(f"There is no adapter {request.adapter!r} for this model.")

    def _work(self, row: AnswerRow) -> None:
        if row.expired:
            self._end_row(FinishReason.DEADLINE, flush=True)
            return
        try:
            logits_V = (
                self._decoder.prefill()
                if row.last_token is None
                else self._decoder.step(row.last_token)
            )
            token = None if logits_V is None else row.choose(logits_V)
        except GlmError as error:
            self._decoder.cache.clear()
            self._row = None
            self._outbox.append((row.id, error))
            return
        if token is None:
            return
        text, finish = row.take(token)
        if finish is not None:
            showed = row.shows
            if not row.again(finish):
                self._end_row(finish, text=text if showed else "")
                return
            if text and showed:
                self._outbox.append((row.id, Chunk(text=text)))
            self._decoder.begin(row.prompt_ids, row.lora)
        elif text and row.shows:
            self._outbox.append((row.id, Chunk(text=text)))

    def _end_row(self, finish: FinishReason, *, text: str = "", flush: bool = False) -> None:
        assert self._row is not None
        row, self._row = self._row, None
        self._outbox.append((row.id, row.end(finish, self._info.model, text=text, flush=flush)))

    def _post_waiting(
        self, waiting: Waiting, finish: FinishReason, report: Mapping[str, Any] = NOTHING
    ) -> None:
        chunk = end_of_waiting(waiting, finish, self._info.model, self._clock(), report)
        self._outbox.append((waiting.request.id, chunk))


def load_engine(options: EngineOptions, *, accelerator: Accelerator | None = None) -> CodeEngine:
    """Load a model by name, folder or hub id, and warm it up.

    Raises ModelUnknown, ModelUnusable, or BadRequest for a device or dtype that is not there.
    """
    spec = ModelRegistry(user_folders().registry).resolve(options.model)
    checkpoint = open_checkpoint(spec.folder or cached_folder(spec.source))
    tokenizer = _read_tokenizer(checkpoint.folder)
    prompt_format = choose_format(tokenizer, checkpoint.config.model_type)
    placed = place_model(checkpoint, options, accelerator)
    model, placement = placed.model, placed.placement
    if tokenizer.vocabulary_size > model.vocabulary_size:
        raise ModelUnusable(
            f"{checkpoint.folder}: the tokenizer has {tokenizer.vocabulary_size} tokens, the model"
            f" {model.vocabulary_size}."
        )
    threads = None if options.threads else ThreadCount(most=placed.most_threads)
    decoder = Decoder(model, placement, threads=threads)
    decoder.warm_up()
    parts = ModelParts(
        model=spec.name,
        tokenizer=tokenizer,
        prompt_format=prompt_format,
        context_length=_context_length(model.positions, checkpoint.config.trained_length),
        stop_ids=model.stop_ids,
        folder=checkpoint.folder,
    )
    adapters = AdapterRack(
        AdapterShelf(user_folders().home),
        base=spec.name,
        fingerprint=fingerprint(checkpoint.folder),
        device=placed.torch_device,
        dtype=placed.torch_dtype,
    )
    info = EngineInfo(
        model=spec.name,
        family=spec.family,
        architecture=checkpoint.config.architecture,
        device=placement.kind,
        dtype=placement.dtype_name,
        context_length=parts.context_length,
        memory_bytes=model.weight_bytes,
        capabilities=capabilities_of(parts),
        prompt_format=prompt_format.name,
        backend=placed.backend,
        notes=placed.notes,
    )
    return CodeEngine(decoder, parts, info, adapters=adapters)


def _read_tokenizer(folder: Path) -> TextTokenizer:
    if not (folder / "tokenizer.json").is_file():
        raise ModelUnusable(f"There is no tokenizer.json in {folder}.")
    try:
        return TextTokenizer.from_folder(folder)
    except Exception as error:  # the tokenizers library raises no narrower class
        raise ModelUnusable(f"{folder}/tokenizer.json cannot be read ({error}).") from error


def _context_length(positions: int | None, trained_length: int | None) -> int:
    """Positions of the architecture, kept within what the model was trained at."""
    return min(positions or PROMPT_LIMIT, trained_length or positions or PROMPT_LIMIT)
