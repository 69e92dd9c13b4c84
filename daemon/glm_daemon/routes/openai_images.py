"""`POST /v1/images/generations` and `/v1/images/edits` for clients that speak OpenAI's API.

Pictures come back as `b64_json`, finished PNG files, best caption score first; a URL cannot be
given, for nothing is kept. `size` is exact and may be any `WxH`; "auto" is 128x128, or the size of
the picture that is edited. A mask marks by its clear pixels what is drawn anew, as OpenAI's does.
`seed` is an addition of ours; the object `glm` beside the data says seeds and scores.
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
from glm_daemon.answers import JobAnswer, json_line, send_part, send_start
from glm_daemon.daemon_state import daemon_state
from glm_daemon.form_data import FormData, read_form
from glm_protocol.answers import FinishReason
from glm_protocol.drawing import DrawRequest
from glm_protocol.errors import BadRequest, EngineFailed, Unsupported
from glm_protocol.request_fields import MAX_IMAGE, Name, Seed

MOST_SIDE = 4096
MOST_PROMPT = 10_000
MOST_COUNT = 16
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

    def to_request(
        self, *, default: tuple[int, int] = DEFAULT_SIZE, image: str = "", mask: str = ""
    ) -> DrawRequest:
        """Raises Unsupported and BadRequest."""
        if self.stream or self.response_format == "url":
            asked = "stream" if self.stream else "response_format url"
            raise Unsupported(f"{asked} is not supported.", remedy="Ask for b64_json at once.")
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
    return answer(body.to_request(), request)


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
    )
    default = png_size(image) or DEFAULT_SIZE
    return answer(drawing.to_request(default=default, image=encoded[0], mask=encoded[1]), request)


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


def answer(drawing: DrawRequest, request: Request) -> Response:
    """Queue it. Raises GlmError."""
    state = daemon_state(request)
    state.touch()
    job = state.pool.submit(drawing, tenant=tenant_of(request.scope))
    job.on_done.append(lambda _: state.touch())
    return PicturesAnswer(job, model=drawing.model or "")


class PicturesAnswer(JobAnswer):
    """One JSON object, when all pictures are there."""

    async def deliver(self, send: Send) -> None:
        images, end = list[str](), None
        while end is None:
            chunk = await self.job.next()
            images += [chunk.image] if chunk.image else []
            end = chunk.end
        if not images and end.finish is not FinishReason.CANCELLED:
            raise EngineFailed(f"No picture came: the request ended with {end.finish.value!r}.")
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
