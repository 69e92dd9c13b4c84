"""The engine of a code model: requests in, chunks out, one bounded forward for many rows a step.

Between any two steps a cancel or a newer request is obeyed. The life of a request stands in
ARCHITECTURE.md, in eight steps. What a kind of request means is its planner's (`row_kinds`), what
is computed is the decoder's; here is only whose turn it is.
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
from glm_codegen.prefill_ahead import PrefillAhead
from glm_codegen.prompt_formats.choose import choose_format
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_codegen.row_kinds import capabilities_of, deeds_for, planners_for
from glm_codegen.row_plan import ModelParts, Planner, RowPlan
from glm_codegen.waiting_requests import Waiting, WaitingRequests
from glm_codegen.whose_names import with_own_names
from glm_protocol.answers import Chunk, FinishReason
from glm_protocol.errors import (
    AdapterUnknown,
    BadRequest,
    GlmError,
    ModelUnusable,
    Unsupported,
)
from glm_protocol.folders import user_folders
from glm_protocol.request_fields import Trigger
from glm_protocol.requests import AnyRequest
from glm_runtime.adapter import BY_REMOTE, AdapterShelf, fingerprint
from glm_runtime.adapter_rack import AdapterRack
from glm_runtime.checkpoint import open_checkpoint
from glm_runtime.decode import Decoder, out_of_memory
from glm_runtime.engine import EngineInfo, EngineOptions
from glm_runtime.hub_cache import cached_folder
from glm_runtime.kv_on_disk import saved_prefixes
from glm_runtime.kv_shelf import NoRoomNow
from glm_runtime.model_registry import ModelRegistry
from glm_runtime.placed_model import place_model
from glm_runtime.thread_count import ThreadCount

if TYPE_CHECKING:
    from glm_runtime.device import Accelerator
    from glm_runtime.lora_weights import LoraWeights
    from glm_runtime.strand import Strand

Event = tuple[str, Chunk | GlmError]
NOTHING: Mapping[str, Any] = MappingProxyType({})


class CodeEngine:
    """One model, many rows. `info` is what was known at load; notes of later are added to it."""

    def __init__(
        self,
        decoder: Decoder,
        parts: ModelParts,
        info: EngineInfo,
        *,
        planners: Mapping[type[AnyRequest], Planner] | None = None,
        adapters: AdapterRack | None = None,
        clock: Clock = time.monotonic,
        ahead: bool = False,
    ) -> None:
        """`planners`: the kinds of request that it takes; None: those of `planners_for`. `ahead`:
        compute what will probably be asked next while nobody asks."""
        self._decoder = decoder
        self._parts = parts
        self._info = info
        self._planners = planners_for(parts) if planners is None else planners
        self._deeds = deeds_for(parts)
        self._adapters = adapters
        self._clock = clock
        self._queue = WaitingRequests()
        self._rows: list[AnswerRow] = []  # in order of arrival
        self._full = False  # the memory for keys and values is taken, until a row ends
        self._outbox: list[Event] = []
        self._ahead = PrefillAhead(decoder) if ahead else None

    @property
    def info(self) -> EngineInfo:
        placement = self._decoder.placement
        return replace(
            self._info,
            device=placement.kind,
            dtype=placement.dtype_name,
            rows=self._decoder.rows,
            notes=(*self._info.notes, *self._decoder.notes),
        )

    @property
    def decoded(self) -> tuple[int, int]:
        """Tokens of answers that have ended, and the steps of single rows that gave them."""
        return self._decoder.tokens, self._decoder.steps

    @property
    def kv_bytes(self) -> int:
        """Memory of keys and values up to now; 0 where the model does not tell."""
        return self._decoder.kv_bytes

    @property
    def busy(self) -> bool:
        ahead = self._ahead is not None and self._ahead.has_work
        return bool(self._outbox or self._queue or self._rows or ahead)

    def submit(self, request: AnyRequest, *, tenant: str = "") -> str:
        """Queue a request; `tenant` is whose it is, as the daemon knows it.

        Raises BadRequest for an id at work, AdapterUnknown or ModelUnusable for an adapter that
        is not there or not sound, Unsupported for a kind of request that this model has no form
        for.
        """
        if type(request) not in self._planners and type(request) not in self._deeds:
            taken = ", ".join(sorted(kind.kind for kind in self._planners))
            raise Unsupported(f"The model {self._info.model} cannot {request.kind}, only {taken}.")
        if request.id in self._queue or any(row.id == request.id for row in self._rows):
            raise BadRequest(f"A request with the id {request.id!r} is at work already.")
        self._adapter_of(request)
        request = with_own_names(request, tenant)
        if self._ahead is not None:
            self._ahead.drop()
        for older in self._queue.take_document(request.document):
            self._post_waiting(older, FinishReason.SUPERSEDED)
        for row in self._rows:
            if row.document == request.document:
                self._end_row(row, FinishReason.SUPERSEDED)
        self._queue.add(Waiting(request=request, arrived=self._clock(), tenant=tenant))
        return request.id

    def cancel(self, request_id: str) -> None:
        """Forget a request, also what was not fetched of it yet."""
        self._queue.remove(request_id)
        for row in self._rows:
            if row.id == request_id:
                self._leave(row)
        self._outbox = [event for event in self._outbox if event[0] != request_id]

    def step(self) -> list[Event]:
        """Take up what can be, then one forward of the rows at work."""
        for expired in self._queue.take_expired(self._clock()):
            self._post_waiting(expired, FinishReason.DEADLINE)
        for row in self._rows:
            if row.expired:
                self._end_row(row, FinishReason.DEADLINE, flush=True)
        while self._queue and len(self._rows) < self._decoder.rows and not self._full:
            self._start(self._queue.next())
        if rows := self._in_turn():
            self._decoder.step([row.strand for row in rows])
            for row in rows:
                self._take(row)
        elif self._ahead is not None and not self._outbox:
            self._ahead.step()
        events, self._outbox = self._outbox, []
        return events

    def rest(self) -> None:
        """Nothing was asked for a while, or the worker ends: what it computed may be saved."""
        self._decoder.save_idle()

    def _in_turn(self) -> list[AnswerRow]:
        """Rows of the next forward, the most urgent first, inside that the shortest prompt left.

        Nobody's background prompt makes a step longer while somebody waits for an answer.
        """
        rows = sorted(self._rows, key=lambda row: (row.place, row.strand.pending))
        waited_for = [row for row in rows if row.trigger is not Trigger.BACKGROUND]
        return [row for row in rows if row in waited_for or not waited_for or row.strand.decodes]

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
            strand = self._begin(plan, lora, waiting.tenant)
        except NoRoomNow:
            self._queue.put_back(waiting)
            self._full = True
            return
        except GlmError as error:
            self._outbox.append((request.id, error))
            return
        row = AnswerRow(
            waiting,
            plan,
            strand,
            tokenizer=self._parts.tokenizer,
            stop_ids=self._parts.stop_ids,
            started=started,
            clock=self._clock,
        )
        self._rows.append(row)

    def _begin(self, plan: RowPlan, lora: LoraWeights | None, tenant: str) -> Strand:
        prompt = plan.prompt.token_ids
        most = len(prompt) + plan.budget
        return self._decoder.begin(prompt, lora, tenant=tenant, most=most, guesses=plan.guesses)

    def _adapter_of(self, request: AnyRequest) -> LoraWeights | None:
        if self._adapters is not None:
            return self._adapters.choose(request.adapter)
        if request.adapter is None or request.adapter.startswith(BY_REMOTE):
            return None
        raise AdapterUnknown(f"There is no adapter {request.adapter!r} for this model.")

    def _take(self, row: AnswerRow) -> None:
        """Choose tokens as long as their logits are there: one, or as many as were guessed."""
        pieces: list[str] = []
        try:
            while row.strand.logits_V is not None:
                token = row.choose(row.strand.logits_V)
                text, finish = row.take(token)
                pieces.append(text if row.shows else "")
                if finish is None:
                    row.strand.add(token)
                elif not self._goes_on(row, finish):
                    self._end_row(row, finish, text="".join(pieces))
                    if self._ahead is not None and row.plan.next_prompt is not None:
                        self._ahead.expect(row.plan.next_prompt, row.lora, row.tenant)
                    return
            if row.strand.error is not None:
                raise row.strand.error
        except GlmError as error:
            self._leave(row, forget=True)
            self._outbox.append((row.id, error))
            return
        if text := "".join(pieces):
            self._outbox.append((row.id, Chunk(text=text)))

    def _goes_on(self, row: AnswerRow, finish: FinishReason) -> bool:
        """Whether a further attempt at the same prompt was begun, in the first one's pages."""
        if not row.again(finish):
            return False
        self._decoder.end(row.strand)
        try:
            row.strand = self._begin(row.plan, row.lora, row.tenant)
        except NoRoomNow:  # it held that room a moment ago
            raise out_of_memory() from None
        return True

    def _leave(self, row: AnswerRow, *, forget: bool = False) -> None:
        self._decoder.end(row.strand, forget=forget)
        self._rows = [other for other in self._rows if other is not row]
        self._full = False

    def _end_row(
        self, row: AnswerRow, finish: FinishReason, *, text: str = "", flush: bool = False
    ) -> None:
        self._leave(row)
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
    numbers = f"{placement.dtype_name} {placed.backend}"
    saved = saved_prefixes(user_folders().saved_prefixes, checkpoint, model, numbers)
    decoder = Decoder(model, placement, threads=threads, saved=saved)
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
    return CodeEngine(decoder, parts, info, adapters=adapters, ahead=True)


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
