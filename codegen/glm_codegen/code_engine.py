"""The engine of code completion: requests in, chunks out, one bounded piece of work a step.

Life of a request:
  1. `submit` queues it; an older one of the same document ends as superseded.
  2. Its turn: explicit before automatic before background, then by arrival. Nothing at work is
     interrupted by another document.
  3. The context is cleaned and rendered to a prompt that fits (`model_context`, `PromptFormat`).
  4. The KV cache keeps what this prompt shares with the last one.
  5. The rest is prefilled, one chunk a step.
  6. Each step samples a token; its text is shown as soon as no stop rule can take it back.
  7. It ends: the model's stop, a stop rule, the budget, the deadline, or an error.
Between any two steps a cancel or a newer request is obeyed.

A scheduler of many rows replaces `_row` by a set of rows and `_work` by one forward for all of
them; the rest, and every caller, stays.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import torch

from glm_codegen.completion_queue import CompletionQueue, Waiting
from glm_codegen.completion_row import Clock, CompletionRow, end_of_waiting
from glm_codegen.model_context import to_model
from glm_codegen.prompt_formats.choose import choose_format
from glm_codegen.prompt_formats.prompt_format import Prompt, PromptFormat, PromptPiece
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_protocol.answers import Chunk, FinishReason
from glm_protocol.completion import CodeContext, CompletionRequest
from glm_protocol.errors import (
    AdapterUnknown,
    BadRequest,
    GlmError,
    ModelUnusable,
    PromptTooLong,
    Unsupported,
)
from glm_protocol.folders import user_folders
from glm_protocol.requests import AnyRequest
from glm_runtime.checkpoint import open_checkpoint
from glm_runtime.decode import Decoder
from glm_runtime.device import Accelerator, TorchAccelerator, choose_placement
from glm_runtime.engine import EngineInfo, EngineOptions
from glm_runtime.hub_cache import cached_folder
from glm_runtime.model_loading import load_model
from glm_runtime.model_registry import ModelRegistry
from glm_runtime.thread_count import ThreadCount

Event = tuple[str, Chunk | GlmError]
PROMPT_LIMIT = 4096  # tokens: beyond it a prompt costs more time than it adds to a completion
_SNIPPET_CHARACTERS = 8  # for each token of the budget: bounds the work of encoding them


class CodeEngine:
    """One model, one row. `info` is what was known at load; notes of later are added to it."""

    def __init__(
        self,
        decoder: Decoder,
        tokenizer: TextTokenizer,
        prompt_format: PromptFormat,
        info: EngineInfo,
        *,
        stop_ids: frozenset[int] = frozenset(),
        clock: Clock = time.monotonic,
    ) -> None:
        """`stop_ids` are the model's own, beside those of the prompt format."""
        self._decoder = decoder
        self._tokenizer = tokenizer
        self._format = prompt_format
        self._info = info
        self._stop_ids = stop_ids
        self._clock = clock
        self._queue = CompletionQueue()
        self._row: CompletionRow | None = None
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

        Raises BadRequest for an id at work, AdapterUnknown for any adapter, Unsupported for a
        kind of request that this model has no form for.
        """
        if not isinstance(request, CompletionRequest):
            raise Unsupported(f"The model {self._info.model} completes code and nothing else.")
        if request.id in self._queue or (self._row is not None and self._row.id == request.id):
            raise BadRequest(f"A request with the id {request.id!r} is at work already.")
        if request.adapter is not None:
            raise AdapterUnknown(f"There is no adapter {request.adapter!r} for this model.")
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
        """Render the prompt and take it up; a request that cannot be rendered ends here."""
        started = self._clock()
        request = waiting.request
        limit = self._info.context_length
        # A budget larger than the context cannot be kept; half of it stays for the prompt.
        room = min(limit - min(request.max_tokens, limit // 2), PROMPT_LIMIT)
        cleaned = to_model(request.context, snippet_characters=room * _SNIPPET_CHARACTERS)
        try:
            prompt = self._render(cleaned.context, request, room)
        except PromptTooLong as error:
            self._outbox.append((request.id, error))
            return
        self._row = CompletionRow(
            waiting,
            cleaned,
            prompt,
            tokenizer=self._tokenizer,
            stop_ids=self._stop_ids,
            budget=min(request.max_tokens, limit - len(prompt.token_ids)),
            started=started,
            clock=self._clock,
        )
        self._row.reused = self._decoder.begin(prompt.token_ids)

    def _render(self, context: CodeContext, request: CompletionRequest, room: int) -> Prompt:
        try:
            prompt = self._format.render(context, mode=request.mode, token_budget=room)
        except ValueError as error:
            raise PromptTooLong(
                f"The model's context of {self._info.context_length} tokens has no room for"
                f" this request ({error})."
            ) from error
        if prompt.token_ids:
            return prompt
        # Left to right in an empty file: a model needs something to start from.
        newline = tuple(self._tokenizer.encode("\n")) or (0,)
        piece = PromptPiece(source="header", tokens=len(newline))
        return replace(prompt, token_ids=newline, pieces=(piece,))

    def _work(self, row: CompletionRow) -> None:
        if row.expired:
            self._end_row(FinishReason.DEADLINE, flush=True)
            return
        try:
            logits_V = (
                self._decoder.prefill()
                if row.last_token is None
                else self._decoder.step(row.last_token)
            )
            token = None if logits_V is None else row.sampler.next_token(logits_V)
        except GlmError as error:
            self._decoder.cache.clear()
            self._row = None
            self._outbox.append((row.id, error))
            return
        if token is None:
            return
        text, finish = row.take(token)
        if finish is not None:
            self._end_row(finish, text=text)
        elif text:
            self._outbox.append((row.id, Chunk(text=text)))

    def _end_row(self, finish: FinishReason, *, text: str = "", flush: bool = False) -> None:
        assert self._row is not None
        row, self._row = self._row, None
        self._outbox.append((row.id, row.end(finish, self._info.model, text=text, flush=flush)))

    def _post_waiting(self, waiting: Waiting, finish: FinishReason) -> None:
        chunk = end_of_waiting(waiting, finish, self._info.model, self._clock())
        self._outbox.append((waiting.request.id, chunk))


def load_engine(options: EngineOptions, *, accelerator: Accelerator | None = None) -> CodeEngine:
    """Load a model by name, folder or hub id, and warm it up.

    Raises ModelUnknown, ModelUnusable, or BadRequest for a device or dtype that is not there.
    """
    threads = None if options.threads else ThreadCount(most=torch.get_num_threads())
    torch.set_num_threads(options.threads or 1)  # 1: until it is known what others need
    spec = ModelRegistry(user_folders().registry).resolve(options.model)
    placement = choose_placement(
        device=options.device, dtype=options.dtype, accelerator=accelerator or TorchAccelerator()
    )
    checkpoint = open_checkpoint(spec.folder or cached_folder(spec.source))
    tokenizer = _read_tokenizer(checkpoint.folder)
    prompt_format = choose_format(tokenizer)
    model, notes = load_model(checkpoint, placement)
    if tokenizer.vocabulary_size > model.vocabulary_size:
        raise ModelUnusable(
            f"{checkpoint.folder}: the tokenizer has {tokenizer.vocabulary_size} tokens, the model"
            f" {model.vocabulary_size}."
        )
    decoder = Decoder(model, placement, threads=threads)
    decoder.warm_up()
    info = EngineInfo(
        model=spec.name,
        family=spec.family,
        architecture=checkpoint.config.architecture,
        device=placement.kind,
        dtype=placement.dtype_name,
        context_length=_context_length(model.positions, checkpoint.config.trained_length),
        memory_bytes=model.weight_bytes,
        capabilities=("infill",) if prompt_format.reads_suffix else (),
        prompt_format=prompt_format.name,
        notes=notes,
    )
    return CodeEngine(decoder, tokenizer, prompt_format, info, stop_ids=model.stop_ids)


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
