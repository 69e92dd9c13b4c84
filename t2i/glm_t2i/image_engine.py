"""The engine of a picture model: `DrawRequest`s in, progress and PNG files out.

One request is at work at a time; a step of the engine is one step of its painter, so completions
and cancels come between any two. `count` pictures are drawn one after the other, the i-th with
seed + i, each as if it were asked for alone; at the end they are sent, best caption score first.
The report of the end: `seed`, `seeds`, `scores`, `score` (the best), `width`, `height`, `alpha`
(per picture: shares of clear pixels and of holes, and whether the transparency is real).
"""

from __future__ import annotations

import base64
import secrets
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from PIL import Image

from glm_protocol.answers import Chunk, End, FinishReason, Progress, Timings
from glm_protocol.drawing import DrawRequest
from glm_protocol.errors import BadRequest, EngineFailed, GlmError, Unsupported
from glm_protocol.folders import user_folders
from glm_protocol.requests import AnyRequest
from glm_runtime.engine import EngineInfo, EngineOptions
from glm_runtime.hub_cache import cached_folder
from glm_runtime.model_registry import ModelRegistry
from glm_t2i.given_picture import given_picture, region_of
from glm_t2i.painter_loading import load_painter
from glm_t2i.painting import Painted, Painter, Painting, Step
from glm_t2i.picture_finish import (
    cut_out,
    exact_size,
    in_palette,
    measured_alpha,
    read_palette,
)
from glm_t2i.png_file import png_bytes

Event = tuple[str, Chunk | GlmError]
Clock = Callable[[], float]
MOST_PROGRESS = 50  # notices of progress per picture
ENGINE_OPTIONS = frozenset({"palette", "mask_form", "box", "size"})
MOST_SEED = 2**53 - 1
# Below it one thread is as quick, and does not wait at barriers for a core that others use.
SMALL_BYTES = 256 << 20


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Finished:
    file: bytes
    seed: int
    score: float | None
    alpha: Mapping[str, Any]


@dataclass(kw_only=True, slots=True, eq=False)
class _Row:
    """The request at work."""

    request: DrawRequest
    work: Generator[Chunk | _Finished, None, None]
    seed: int
    arrived: float
    started: float | None = None
    done: list[_Finished] = field(default_factory=list)


class ImageEngine:
    """`Engine[AnyRequest, Chunk]` around one painter."""

    def __init__(self, painter: Painter, *, model: str, clock: Clock = time.monotonic) -> None:
        self._painter, self._model, self._clock = painter, model, clock
        self._queue: deque[_Row] = deque()
        self._outbox: list[Event] = []

    @property
    def info(self) -> EngineInfo:
        painter = self._painter
        return EngineInfo(
            model=self._model,
            family="image",
            architecture=painter.architecture,
            device=painter.device,
            dtype=painter.dtype,
            context_length=painter.context_length,
            memory_bytes=painter.memory_bytes,
            capabilities=("image_out",),
            notes=painter.notes,
        )

    @property
    def busy(self) -> bool:
        return bool(self._queue or self._outbox)

    def submit(self, request: AnyRequest, *, tenant: str = "") -> str:  # noqa: ARG002
        """Queue a drawing, of whatever tenant. Raises BadRequest, PromptTooLong, Unsupported."""
        if not isinstance(request, DrawRequest):
            raise Unsupported(
                f"The model {self._model} draws pictures and cannot {request.kind}.",
                remedy="Choose another model for it.",
            )
        if any(row.request.id == request.id for row in self._queue):
            raise BadRequest(f"A request with the id {request.id!r} is at work already.")
        if request.adapter is not None:
            raise Unsupported(f"The model {self._model} takes no adapter.")
        seed = secrets.randbelow(2**31) if request.seed is None else request.seed
        if seed + request.count - 1 > MOST_SEED:
            raise BadRequest("The seed is too large for so many pictures.")
        given = given_picture(request)
        request = _sized(request, given)
        paintings = self._paintings(request, given, seed)
        for painting in paintings:
            self._painter.check(painting)
        for older in [row for row in self._queue if row.request.document == request.document]:
            self._queue.remove(older)
            self._outbox.append((older.request.id, self._end(older, FinishReason.SUPERSEDED)))
        work = self._work(request, paintings)
        self._queue.append(_Row(request=request, work=work, seed=seed, arrived=self._clock()))
        return request.id

    def cancel(self, request_id: str) -> None:
        for row in [row for row in self._queue if row.request.id == request_id]:
            row.work.close()
            self._queue.remove(row)
        self._outbox = [event for event in self._outbox if event[0] != request_id]

    def step(self) -> list[Event]:
        """One step of the painter."""
        if self._queue:
            self._advance(self._queue[0])
        events, self._outbox = self._outbox, []
        return events

    def _advance(self, row: _Row) -> None:
        row.started = row.started or self._clock()
        if 1e3 * (self._clock() - row.arrived) >= row.request.deadline_ms:
            row.work.close()
            self._finish(row, FinishReason.DEADLINE)
            return
        try:
            came = next(row.work, None)
        except GlmError as error:
            self._queue.remove(row)
            self._outbox.append((row.request.id, error))
        else:
            if came is None:
                self._finish(row, FinishReason.STOP)
            elif isinstance(came, _Finished):
                row.done.append(came)
            elif came.progress is not None:
                self._outbox.append((row.request.id, came))

    def _finish(self, row: _Row, finish: FinishReason) -> None:
        self._queue.remove(row)
        row.done.sort(key=lambda done: -(done.score if done.score is not None else -1e9))
        self._outbox.extend(
            (row.request.id, Chunk(image=base64.b64encode(done.file).decode("ascii")))
            for done in row.done
        )
        self._outbox.append((row.request.id, self._end(row, finish)))

    def _end(self, row: _Row, finish: FinishReason) -> Chunk:
        now, started = self._clock(), row.started or self._clock()
        report = {
            "seed": row.seed,
            "seeds": [done.seed for done in row.done],
            "scores": [done.score for done in row.done],
            "score": row.done[0].score if row.done else None,
            "width": row.request.width,
            "height": row.request.height,
            "alpha": [dict(done.alpha) for done in row.done],
        }
        timings = Timings(
            queue=1e3 * (started - row.arrived),
            decode=1e3 * (now - started),
            total=1e3 * (now - row.arrived),
        )
        end = End(finish=finish, model=self._model, timings_ms=timings, report=report)
        return Chunk(end=end)

    def _paintings(
        self, request: DrawRequest, given: Image.Image | None, seed: int
    ) -> list[Painting]:
        region = region_of(request, given)
        if "palette" in request.options:
            read_palette(request.options["palette"])
        options = {
            key: value for key, value in request.options.items() if key not in ENGINE_OPTIONS
        }
        return [
            Painting(
                prompt=request.prompt, width=request.width, height=request.height,
                seed=seed + index, temperature=request.temperature,
                given=given, region=region, options=options, previews=request.previews,
            )
            for index in range(request.count)
        ]  # fmt: skip

    def _work(
        self, request: DrawRequest, paintings: list[Painting]
    ) -> Generator[Chunk | _Finished, None, None]:
        for index, painting in enumerate(paintings):
            for stroke in self._painter.paint(painting):
                if isinstance(stroke, Step):
                    yield _progress(stroke, index, len(paintings))
                else:
                    yield self._finished(request, painting, stroke)

    def _finished(self, request: DrawRequest, painting: Painting, painted: Painted) -> _Finished:
        try:
            cut = cut_out(painted.picture) if request.transparent else painted.picture
            alpha = measured_alpha(cut)  # before padding, whose corners are clear anyway
            picture = self._shaped(request, cut)
        except MemoryError as error:
            raise EngineFailed("There is no memory for a picture of this size.") from error
        recipe = {
            "prompt": request.prompt,
            "seed": painting.seed,
            "model": self._model,
            "width": request.width,
            "height": request.height,
            "transparent": request.transparent,
            "temperature": request.temperature,
            "options": dict(request.options),
            "changed": bool(request.image),
            "torch": torch.__version__.split("+")[0],
        }
        said = {
            "clear_share": round(alpha.clear_share, 4),
            "hole_share": round(alpha.hole_share, 4),
            "real": alpha.real,
        }
        return _Finished(
            file=png_bytes(picture, recipe), seed=painting.seed, score=painted.score, alpha=said
        )

    def _shaped(self, request: DrawRequest, picture: Image.Image) -> Image.Image:
        picture = exact_size(picture, request.width, request.height)
        if palette := request.options.get("palette"):
            picture = in_palette(picture, read_palette(palette))
        return picture


def _progress(stroke: Step, index: int, pictures: int) -> Chunk:
    """Progress over all pictures, thinned; a chunk without it where it is not worth a notice."""
    every = max(1, stroke.steps // MOST_PROGRESS)
    if stroke.step % every and stroke.step != stroke.steps and stroke.preview is None:
        return Chunk()
    step, steps = index * stroke.steps + stroke.step, pictures * stroke.steps
    return Chunk(progress=Progress(step=step, steps=steps, preview=_preview(stroke)))


def _preview(stroke: Step) -> str:
    if stroke.preview is None:
        return ""
    return base64.b64encode(png_bytes(stroke.preview, {})).decode("ascii")


def _sized(request: DrawRequest, given: Image.Image | None) -> DrawRequest:
    """With the size of the given picture where the option `size` is "given"."""
    if request.options.get("size") != "given":
        return request
    if given is None:
        raise BadRequest("There is no picture whose size could be taken.", remedy="Say the size.")
    return replace(request, width=given.width, height=given.height)


def load_engine(options: EngineOptions) -> ImageEngine:
    """The worker's loader of family "image". Raises ModelUnknown, ModelUnusable, Unsupported."""
    most = torch.get_num_threads()
    torch.set_num_threads(options.threads or 1)
    spec = ModelRegistry(user_folders().registry).resolve(options.model)
    folder = spec.folder or cached_folder(spec.source)
    painter = load_painter(folder, device=options.device, dtype=options.dtype)
    if options.threads is None and painter.memory_bytes > SMALL_BYTES:
        torch.set_num_threads(most)
    return ImageEngine(painter, model=spec.name)
