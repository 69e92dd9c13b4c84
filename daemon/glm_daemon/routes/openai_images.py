"""`POST /v1/images/generations` and `/v1/images/edits` for clients that speak OpenAI's API.

Pictures come back as `b64_json`, finished PNG files, best caption score first; a URL cannot be
given, for nothing is kept. `size` is exact and may be any `WxH`; "auto" is 128x128, or the size of
the picture that is edited. A mask marks by its clear pixels what is drawn anew, as OpenAI's does.
`seed` is an addition of ours; the object `glm` beside the data says seeds and scores. With
`stream` the pictures come as OpenAI's events, with `partial_images` of the work in progress before
them; steps done are comments between.
"""

from __future__ import annotations

import base64
import re
import struct
import time
import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Literal

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
)
from glm_daemon.daemon_state import daemon_state
from glm_daemon.form_data import FormData, read_form
from glm_daemon.request_job import RequestJob
from glm_protocol.answers import Chunk, End, FinishReason
from glm_protocol.drawing import DrawRequest
from glm_protocol.errors import BadRequest, EngineFailed, GlmError, Unsupported
from glm_protocol.request_fields import MAX_IMAGE, Name, Seed

MOST_SIDE = 4096
MOST_PROMPT = 10_000
MOST_COUNT = 16
MOST_PARTIAL = 3  # OpenAI's
DEFAULT_SIZE = (128, 128)
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenAIDrawing:
    """The body of a generation. `quality`, `style` and `user` change nothing here."""

    prompt: Annotated[str, MinLen(1), MaxLen(MOST_PROMPT)]
    model: Name | None = None
    n: Annotated[int, Ge(1), Le(MOST_COUNT)] | None = None
    size: Annotated[str, MaxLen(16)] | None = None
    response_format: Literal["b64_json", "url"] | None = None
    background: Literal["transparent", "opaque", "auto"] | None = None
    output_format: Annotated[str, MaxLen(16)] | None = None
    seed: Seed | None = None
    stream: bool = False
    partial_images: Annotated[int, Ge(0), Le(MOST_PARTIAL)] | None = None

    def to_request(
        self, *, default: tuple[int, int] = DEFAULT_SIZE, image: str = "", mask: str = ""
    ) -> DrawRequest:
        """Raises Unsupported and BadRequest."""
        if self.response_format == "url":
            raise Unsupported("response_format url is not supported.", remedy="Ask for b64_json.")
        if self.output_format not in (None, "png"):
            raise Unsupported(f"output_format {self.output_format} is not supported; png is.")
        width, height = read_size(self.size, default)
        return DrawRequest(
            id=f"img-{uuid.uuid4().hex}",
            document=f"img-{uuid.uuid4().hex}",  # nobody's successor
            prompt=self.prompt,
            width=width,
            height=height,
            count=self.n or 1,
            transparent=self.background == "transparent",
            image=image,
            mask=mask,
            options={"mask_form": "alpha"} if mask else {},
            model=self.model or None,
            seed=self.seed,
            previews=(self.partial_images or 0) if self.stream else 0,
        )


def read_size(text: str | None, default: tuple[int, int]) -> tuple[int, int]:
    """`WxH`, or the default for none and "auto". Raises BadRequest."""
    if text in (None, "", "auto"):
        return default
    match = _SIZE.fullmatch(text or "")
    sides = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(1 <= side <= MOST_SIDE for side in sides):
        raise BadRequest(f'size is "WxH", either side 1 to {MOST_SIDE}.', remedy="Correct size.")
    return sides


def openai_images_routes() -> APIRouter:
    router = APIRouter(tags=["openai"])
    router.add_api_route("/v1/images/generations", generations, methods=["POST"])
    router.add_api_route("/v1/images/edits", edits, methods=["POST"])
    return router


async def generations(body: OpenAIDrawing, request: Request) -> Response:
    """Pictures from words."""
    return answer(body.to_request(), request, "image_generation" if body.stream else None)


async def edits(request: Request) -> Response:
    """A form with `image`, `prompt` and `mask`: what is clear in the mask is drawn anew."""
    form = read_form(request.headers.get("content-type", ""), await request.body())
    image = form.parts.get("image")
    prompt = form.text("prompt") or ""
    if image is None or not prompt.strip() or len(prompt) > MOST_PROMPT:
        raise BadRequest(
            f"An edit needs an image and a prompt of at most {MOST_PROMPT} characters."
        )
    encoded = [base64.b64encode(part).decode() for part in (image, form.parts.get("mask", image))]
    if max(map(len, encoded)) > MAX_IMAGE:
        raise BadRequest(f"A picture may have {MAX_IMAGE * 3 // 4 >> 20} MB.")
    drawing = OpenAIDrawing(
        prompt=prompt,
        model=form.text("model"),
        n=_number(form, "n", MOST_COUNT),
        size=form.text("size"),
        response_format=_word(form, "response_format", ("b64_json", "url")),
        background=_word(form, "background", ("transparent", "opaque", "auto")),
        output_format=form.text("output_format"),
        seed=_number(form, "seed", 2**53 - 1),
        stream=form.text("stream") == "true",
        partial_images=_number(form, "partial_images", MOST_PARTIAL),
    )
    default = png_size(image) or DEFAULT_SIZE
    asked = drawing.to_request(default=default, image=encoded[0], mask=encoded[1])
    return answer(asked, request, "image_edit" if drawing.stream else None)


def png_size(data: bytes) -> tuple[int, int] | None:
    """From the header alone; None for another format or a side that cannot be drawn."""
    if not data.startswith(_PNG) or len(data) < 24:
        return None
    width, height = struct.unpack(">II", data[16:24])
    return (width, height) if 1 <= width <= MOST_SIDE and 1 <= height <= MOST_SIDE else None


def _number(form: FormData, name: str, most: int) -> int | None:
    text = form.text(name)
    if text in (None, ""):
        return None
    if not text.isdecimal() or not int(text) <= most or (name == "n" and int(text) < 1):
        raise BadRequest(f"{name} is no number that is allowed.")
    return int(text)


def _word(form: FormData, name: str, words: tuple[str, ...]) -> Any:
    text = form.text(name)
    if text not in (None, "", *words):
        raise BadRequest(f"{name} is none of {', '.join(words)}.")
    return text or None


def answer(drawing: DrawRequest, request: Request, event: str | None) -> Response:
    """Queue it; `event` names the events of a stream. Raises GlmError."""
    state = daemon_state(request)
    state.touch()
    job = state.pool.submit(drawing, tenant=tenant_of(request.scope))
    job.on_done.append(lambda _: state.touch())
    if event is not None:
        return PicturesStream(job, model=drawing.model or "", event=event)
    return PicturesAnswer(job, model=drawing.model or "")


class PicturesStream(StreamAnswer):
    """Server-sent events of OpenAI's names: `….partial_image` and `….completed`."""

    content_type = "text/event-stream"

    def __init__(self, job: RequestJob, *, model: str, event: str) -> None:
        super().__init__(job, model=model)
        self._event, self._partial, self._complete = event, 0, 0

    def encode(self, chunk: Chunk) -> bytes:
        said = b""
        if chunk.progress is not None:
            said += f": step {chunk.progress.step} of {chunk.progress.steps}\n\n".encode()
            if chunk.progress.preview:
                index = {"partial_image_index": self._partial}
                said += self._written("partial_image", chunk.progress.preview, index)
                self._partial += 1
        if chunk.image:
            self._complete += 1
            said += self._written("completed", chunk.image, {})
        if chunk.end is not None and not self._complete:
            return said + self.encode_error(_no_picture(chunk.end))
        return said

    def encode_error(self, error: GlmError) -> bytes:
        return b"event: error\ndata: " + bytes(error_response(error).body) + b"\n\n"

    def _written(self, kind: str, image: str, more: dict[str, int]) -> bytes:
        name = f"{self._event}.{kind}"
        wire = {
            "type": name, "b64_json": image, "created_at": int(time.time()),
            "output_format": "png", **more,
        }  # fmt: skip
        return f"event: {name}\ndata: ".encode() + json_line(wire) + b"\n"


def _no_picture(end: End) -> EngineFailed:
    return EngineFailed(f"No picture came: the request ended with {end.finish.value!r}.")


class PicturesAnswer(JobAnswer):
    """One JSON object, when all pictures are there."""

    async def deliver(self, send: Send) -> None:
        images, end = list[str](), None
        while end is None:
            chunk = await self.job.next()
            images += [chunk.image] if chunk.image else []
            end = chunk.end
        if not images and end.finish is not FinishReason.CANCELLED:
            raise _no_picture(end)
        report = end.report
        wire = {
            "created": int(time.time()),
            "data": [{"b64_json": image} for image in images],
            "output_format": "png",
            "size": f"{report.get('width', 0)}x{report.get('height', 0)}",
            "glm": {"model": end.model, **report},
        }
        await send_start(send, "application/json")
        await send_part(send, json_line(wire), last=True)
