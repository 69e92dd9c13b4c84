"""`POST /v1/completions` for clients that speak OpenAI's API: plain, or streamed as SSE.

`prompt` and `suffix` become the two sides of a cursor in a file without name or language. A
`prompt` without `suffix` may be marked up for some model family, as many clients do; the engine
reads the markup and writes it anew for the model that is loaded.
What changes the answer and is not supported is refused; unknown fields are ignored, as the
model's own servers do.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge, Le, MaxLen, MinLen
from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Send

from glm_daemon.access import tenant_of
from glm_daemon.answers import (
    JobAnswer,
    StreamAnswer,
    error_response,
    json_line,
    send_part,
    send_start,
    whole,
)
from glm_daemon.daemon_state import daemon_state
from glm_daemon.request_job import RequestJob
from glm_protocol.answers import Chunk, End, FinishReason
from glm_protocol.completion import CodeContext, CompletionRequest
from glm_protocol.errors import GlmError, Unsupported
from glm_protocol.request_fields import MAX_TEXT, Name, Trigger

DEADLINE_MS = 300_000
StopWord = Annotated[str, MinLen(1), MaxLen(128)]
Penalty = Annotated[float, Ge(-2.0), Le(2.0)]


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamOptions:
    include_usage: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenAICompletion:
    """The body. `temperature` 0, greedy, is the default here as everywhere in glm-lsp."""

    prompt: Annotated[str, MaxLen(MAX_TEXT)]
    model: Name | None = None
    suffix: Annotated[str, MaxLen(MAX_TEXT)] | None = None
    max_tokens: Annotated[int, Ge(1), Le(4096)] | None = None
    temperature: Annotated[float, Ge(0.0), Le(2.0)] | None = None
    top_p: Annotated[float, Ge(0.0), Le(1.0)] | None = None
    stop: StopWord | Annotated[tuple[StopWord, ...], MaxLen(16)] | None = None
    seed: Annotated[int, Ge(0), Le(2**53 - 1)] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Annotated[int, Ge(1), Le(1)] | None = None
    best_of: Annotated[int, Ge(1), Le(1)] | None = None
    user: Name | None = None
    echo: bool = False
    logprobs: Annotated[int, Ge(0), Le(5)] | None = None
    presence_penalty: Penalty = 0.0
    frequency_penalty: Penalty = 0.0

    def refuse_unsupported(self) -> None:
        """Raises Unsupported for what would change the answer and is not built."""
        asked = {
            "echo": self.echo,
            "logprobs": self.logprobs is not None,
            "presence_penalty": self.presence_penalty != 0,
            "frequency_penalty": self.frequency_penalty != 0,
        }
        for name, is_asked in asked.items():
            if is_asked:
                raise Unsupported(f"{name} is not supported.", remedy="Leave it out.")

    def to_request(self, request_id: str) -> CompletionRequest:
        stop = (self.stop,) if isinstance(self.stop, str) else self.stop or ()
        return CompletionRequest(
            id=request_id,
            document=request_id,  # nobody's successor
            context=CodeContext(path="", language="", prefix=self.prompt, suffix=self.suffix or ""),
            trigger=Trigger.EXPLICIT,
            model=self.model,
            max_tokens=self.max_tokens or 64,
            temperature=self.temperature or 0.0,
            top_p=1.0 if self.top_p is None else self.top_p,
            seed=self.seed,
            stop=stop,
            deadline_ms=DEADLINE_MS,
            marked_up=not self.suffix,
        )


def openai_routes() -> APIRouter:
    router = APIRouter(tags=["openai"])
    router.add_api_route("/v1/completions", completions, methods=["POST"])
    return router


async def completions(body: OpenAICompletion, request: Request) -> Response:
    """Complete a prompt, before a suffix if there is one."""
    body.refuse_unsupported()
    state = daemon_state(request)
    state.touch()
    request_id = f"cmpl-{uuid.uuid4().hex}"
    job = state.pool.submit(body.to_request(request_id), tenant=tenant_of(request.scope))
    job.on_done.append(lambda _: state.touch())
    kind = SseAnswer if body.stream else PlainAnswer
    usage = body.stream_options is not None and body.stream_options.include_usage
    return kind(job, model=body.model or state.pool.models.default, usage=usage)


class OpenAIAnswer(JobAnswer):
    """What both forms share: the object around a text."""

    def __init__(self, job: RequestJob, *, model: str, usage: bool) -> None:
        super().__init__(job, model=model)
        self.usage = usage
        self.created = int(time.time())

    def wrap(self, choices: list[dict[str, Any]], end: End | None) -> dict[str, Any]:
        wrapped = {
            "id": self.job.request.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }
        return wrapped if end is None else {**wrapped, "usage": usage_counts(end)}


class PlainAnswer(OpenAIAnswer):
    """One JSON object, when all is there."""

    async def deliver(self, send: Send) -> None:
        chunk = await whole(self.job)
        assert chunk.end is not None
        answer = json_line(self.wrap([choice(chunk)], chunk.end))
        await send_start(send, "application/json")
        await send_part(send, answer, last=True)


class SseAnswer(OpenAIAnswer, StreamAnswer):
    """Server-sent events, `[DONE]` the last."""

    content_type = "text/event-stream; charset=utf-8"

    def encode(self, chunk: Chunk) -> bytes:
        events = [self.wrap([choice(chunk)], None)]
        if chunk.end is not None and self.usage:
            events.append(self.wrap([], chunk.end))
        done = b"" if chunk.end is None else b"data: [DONE]\n\n"
        return b"".join(map(event, events)) + done

    def encode_error(self, error: GlmError) -> bytes:
        return b"data: " + bytes(error_response(error).body) + b"\n\n"


def choice(chunk: Chunk) -> dict[str, Any]:
    return {
        "index": 0,
        "text": chunk.text,
        "logprobs": None,
        "finish_reason": None if chunk.end is None else finish_word(chunk.end.finish),
    }


def finish_word(finish: FinishReason) -> str:
    """OpenAI knows two: it came to its end, or it was cut short."""
    return "stop" if finish is FinishReason.STOP else "length"


def usage_counts(end: End) -> dict[str, Any]:
    tokens = end.tokens
    return {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.generated,
        "total_tokens": tokens.prompt + tokens.generated,
        "prompt_tokens_details": {"cached_tokens": tokens.reused},
    }


def event(value: dict[str, Any]) -> bytes:
    return b"data: " + json_line(value) + b"\n"
