"""`POST /v1/chat/completions` for clients that speak OpenAI's API, pictures included.

A message is a text, or parts: `{"type": "text"}` and `{"type": "image_url"}`. A picture is a data
URI, or, on the private socket alone, a `file:` URL inside the folder that the body names as
`workspace`. Nothing is ever fetched from another machine. Chats with pictures go to the first
model that sees, others to the default, unless the body names one.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from annotated_types import Ge, Le, MaxLen, MinLen
from fastapi import APIRouter, Request
from starlette.responses import Response
from starlette.types import Send

from glm_client.picture_file import image_data
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
from glm_daemon.routes.openai import DEADLINE_MS, StopWord, StreamOptions, event, finish_word
from glm_daemon.routes.openai import usage_counts as usage_of
from glm_protocol.answers import Chunk, End
from glm_protocol.chat import ChatMessage, ChatRequest, ImageData, Role
from glm_protocol.errors import BadRequest, GlmError, Unsupported
from glm_protocol.request_fields import MAX_IMAGE, MAX_TEXT, Name

MAX_PARTS = 64
_URI_HEAD = 128  # characters before the base64 of a data URI
_EXPORT = "Send PNG, JPEG, WebP or GIF as data:image/png;base64,…"


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageUrl:
    url: Annotated[str, MinLen(1), MaxLen(MAX_IMAGE + _URI_HEAD)]
    detail: Annotated[str, MaxLen(16)] = "auto"


@dataclass(frozen=True, kw_only=True, slots=True)
class TextPart:
    text: Annotated[str, MaxLen(MAX_TEXT)]
    type: Literal["text"] = "text"


@dataclass(frozen=True, kw_only=True, slots=True)
class ImagePart:
    image_url: ImageUrl
    type: Literal["image_url"] = "image_url"


Parts = Annotated[tuple[TextPart | ImagePart, ...], MaxLen(MAX_PARTS)]


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenAIMessage:
    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, MaxLen(MAX_TEXT)] | Parts = ""
    name: Name | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenAIChat:
    """The body. `task`, `form` and `workspace` are ours; unknown fields are ignored."""

    messages: Annotated[tuple[OpenAIMessage, ...], MinLen(1), MaxLen(256)]
    model: Name | None = None
    max_tokens: Annotated[int, Ge(1), Le(16_384)] | None = None
    max_completion_tokens: Annotated[int, Ge(1), Le(16_384)] | None = None
    temperature: Annotated[float, Ge(0.0), Le(2.0)] | None = None
    top_p: Annotated[float, Ge(0.0), Le(1.0)] | None = None
    stop: StopWord | Annotated[tuple[StopWord, ...], MaxLen(16)] | None = None
    seed: Annotated[int, Ge(0), Le(2**53 - 1)] | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: Annotated[int, Ge(1), Le(1)] | None = None
    user: Name | None = None
    task: Name | None = None
    form: Name | None = None
    workspace: Annotated[str, MaxLen(4096)] | None = None
    logprobs: bool = False
    tools: Annotated[tuple[object, ...], MaxLen(128)] = field(default_factory=tuple)

    def refuse_unsupported(self) -> None:
        """Raises Unsupported for what would change the answer and is not built."""
        for name, asked in (("logprobs", self.logprobs), ("tools", bool(self.tools))):
            if asked:
                raise Unsupported(f"{name} is not supported.", remedy="Leave it out.")

    def to_request(self, request_id: str, *, local: bool) -> ChatRequest:
        """Raises BadRequest or Unsupported for a picture that cannot be taken."""
        root = Path(self.workspace) if self.workspace and local else None
        options = {"task": self.task, "form": self.form}
        return ChatRequest(
            id=request_id,
            document=request_id,  # nobody's successor
            messages=tuple(_message(message, root) for message in self.messages),
            options={key: value for key, value in options.items() if value},
            model=self.model,
            max_tokens=self.max_completion_tokens or self.max_tokens or 1024,
            temperature=self.temperature or 0.0,
            top_p=1.0 if self.top_p is None else self.top_p,
            seed=self.seed,
            stop=(self.stop,) if isinstance(self.stop, str) else self.stop or (),
            deadline_ms=DEADLINE_MS,
        )


def _message(message: OpenAIMessage, root: Path | None) -> ChatMessage:
    role = Role.SYSTEM if message.role == "developer" else Role(message.role)
    if isinstance(message.content, str):
        return ChatMessage(role=role, text=message.content)
    texts = [part.text for part in message.content if isinstance(part, TextPart)]
    images = [
        picture_of(part.image_url.url, root)
        for part in message.content
        if isinstance(part, ImagePart)
    ]
    return ChatMessage(role=role, text="\n".join(texts), images=tuple(images))


def picture_of(url: str, root: Path | None) -> ImageData:
    """A data URI's base64, or a file inside `root`. What it holds is the engine's to find out."""
    if url.startswith("data:"):
        head, comma, body = url.partition(",")
        if not comma or not head.endswith(";base64") or not body:
            raise BadRequest("The picture's data URI is not base64.", remedy=_EXPORT)
        return ImageData(data=body)
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise Unsupported("Pictures are not fetched from other machines.", remedy=_EXPORT)
    if root is None:
        raise BadRequest(
            "A file's picture needs the field workspace, on the private socket.", remedy=_EXPORT
        )
    try:
        path = Path(unquote(parts.path)).resolve()
        inside = path.is_relative_to(root.resolve()) and root.is_absolute()
    except (OSError, ValueError, RuntimeError) as error:
        raise BadRequest("The picture's path is none.", remedy=_EXPORT) from error
    if not inside:
        raise BadRequest("The picture lies outside of the workspace.", remedy=_EXPORT)
    return image_data(path)


def openai_chat_routes() -> APIRouter:
    router = APIRouter(tags=["openai"])
    router.add_api_route("/v1/chat/completions", chat_completions, methods=["POST"])
    return router


def chat_completions(body: OpenAIChat, request: Request) -> Response:
    """The next turn of a chat, plain or streamed. In a thread: a picture's file may be read."""
    body.refuse_unsupported()
    local = request.scope.get("state", {}).get("transport") == "unix"
    return ChatStart(body.to_request(f"chatcmpl-{uuid.uuid4().hex}", local=local), body, request)


class ChatStart(Response):
    """Queues the request on the loop, where jobs live, and becomes the job's answer."""

    def __init__(self, asked: ChatRequest, body: OpenAIChat, request: Request) -> None:
        super().__init__()
        self._asked, self._body, self._request = asked, body, request

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        state = daemon_state(self._request)
        state.touch()
        job = state.pool.submit(self._asked, tenant=tenant_of(self._request.scope))
        job.on_done.append(lambda _: state.touch())
        kind = SseChat if self._body.stream else PlainChat
        options = self._body.stream_options
        usage = options is not None and options.include_usage
        answer = kind(job, model=self._body.model or job.lane, usage=usage)
        await answer(scope, receive, send)


class ChatAnswer(JobAnswer):
    """What both forms share: the object around a text."""

    def __init__(self, job: RequestJob, *, model: str, usage: bool) -> None:
        super().__init__(job, model=model)
        self.usage = usage
        self.created = int(time.time())

    def wrap(self, kind: str, choices: list[dict[str, Any]], end: End | None) -> dict[str, Any]:
        wrapped: dict[str, Any] = {
            "id": self.job.request.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }
        if end is not None:
            wrapped["usage"] = usage_of(end)
        return wrapped


class PlainChat(ChatAnswer):
    """One JSON object, when all is there. `glm` is the end's report: boxes, valid, notes …"""

    async def deliver(self, send: Send) -> None:
        chunk = await whole(self.job)
        assert chunk.end is not None
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": chunk.text, "refusal": None},
            "logprobs": None,
            "finish_reason": finish_word(chunk.end.finish),
        }
        wire = self.wrap("chat.completion", [choice], chunk.end)
        if chunk.end.report:
            wire["glm"] = dict(chunk.end.report)
        await send_start(send, "application/json")
        await send_part(send, json_line(wire), last=True)


class SseChat(ChatAnswer, StreamAnswer):
    """Server-sent events, `[DONE]` the last; the first names the role."""

    content_type = "text/event-stream; charset=utf-8"
    _begun = False

    def encode(self, chunk: Chunk) -> bytes:
        delta: dict[str, Any] = {"content": chunk.text}
        if not self._begun:
            self._begun = True
            delta = {"role": "assistant", **delta}
        choice = {
            "index": 0,
            "delta": delta,
            "logprobs": None,
            "finish_reason": None if chunk.end is None else finish_word(chunk.end.finish),
        }
        events = [self.wrap("chat.completion.chunk", [choice], None)]
        if chunk.end is None:
            return event(events[0])
        if chunk.end.report:
            events[0]["glm"] = dict(chunk.end.report)
        if self.usage:
            events.append(self.wrap("chat.completion.chunk", [], chunk.end))
        return b"".join(map(event, events)) + b"data: [DONE]\n\n"

    def encode_error(self, error: GlmError) -> bytes:
        return b"data: " + bytes(error_response(error).body) + b"\n\n"
