"""`glm/drawImage`: a picture drawn into the workspace, and the link to it; its code action.

    {token, prompt, size?, seed?, count?, transparent?, model?, options?, previews?, target?,
     change?, box?, mask?, textDocument?, position?}
    -> {files: [uri], seed, model, score, alpha, edit?}

`change` names a picture of an open folder that is drawn into, where `box` ("X,Y,W,H") or the white
of `mask` is; the changed one is a new file beside it. Files are written here, as the daemon sends
them: finished PNGs. They lie inside an open folder and never take another file's place. No picture
is decoded in this process.
"""

from __future__ import annotations

import asyncio
import base64
import re
import uuid
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glm_client.new_files import check_writable, write_new
from glm_client.picture_file import image_data
from glm_lsp.features.long_work import Delivery, Outcome
from glm_lsp.features.workspace_folders import path_in
from glm_lsp.json_body import JsonObject
from glm_lsp.offered_action import Action, Place
from glm_lsp.params import read_position, read_string, read_unsigned, read_uri
from glm_lsp.picture_link import link_to, missing_pictures
from glm_lsp.rpc_errors import REQUEST_FAILED, InvalidParams, LspError
from glm_protocol.drawing import DrawRequest
from glm_protocol.errors import BadRequest, GlmError

if TYPE_CHECKING:
    from glm_lsp.server import LanguageServer

MOST_PROMPT = 10_000
MOST_SIDE = 4096
MOST_COUNT = 16
MOST_PREVIEWS = 16
MOST_OPTIONS = 16
_SIZE = re.compile(r"(\d{1,9})[xX×](\d{1,9})")
# Folders of pictures that projects have, tried in this order.
_PICTURE_FOLDERS = ("assets/images", "assets", "images", "img", "public", "static", "docs/pictures")


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    """`file`: the first name that is tried. `document`: where the link goes, if anywhere."""

    file: Path
    document: str = ""
    language: str = ""
    position: JsonObject | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """A picture that is drawn into, and where: a mask, or a box among the request's options."""

    change: Path | None = None
    mask: Path | None = None


def draw_image(server: LanguageServer, params: JsonObject) -> Coroutine[Any, Any, JsonObject]:
    """Raises InvalidParams, or LspError with one sentence."""
    delivery = Delivery(server, params)
    request = _request(params)
    try:
        given = _given(server, params)
        destination = _destination(server, params, request.prompt, given)
    except GlmError as error:
        raise LspError(REQUEST_FAILED, str(error)) from error
    return _draw(delivery, request, given, destination)


async def _draw(
    delivery: Delivery, request: DrawRequest, given: Given, destination: Destination
) -> JsonObject:
    try:
        request = await asyncio.to_thread(_with_given, request, given)
        await asyncio.to_thread(_prepare, destination.file.parent)
        outcome = await delivery.run(request, texts=False)
        if not outcome.images:
            raise BadRequest(f"No picture came: it ended with {outcome.end.finish.value!r}.")
        files = await asyncio.to_thread(_write, destination.file, outcome.images)
    except GlmError as error:
        raise LspError(REQUEST_FAILED, str(error)) from error
    return _answer(outcome, request, destination, files)


def _answer(
    outcome: Outcome, request: DrawRequest, destination: Destination, files: list[Path]
) -> JsonObject:
    report = outcome.end.report
    answer: JsonObject = {
        "files": [file.as_uri() for file in files],
        "seed": report.get("seed"),
        "model": outcome.end.model,
        "score": report.get("score"),
        "alpha": report.get("alpha") or [],
    }
    if destination.position is None:
        return answer
    text = link_to(
        files[0],
        path_in(destination.document),
        destination.language,
        alt=request.prompt[:200],
        size=f"{report.get('width', request.width)}x{report.get('height', request.height)}",
    )
    where = {"start": destination.position, "end": destination.position}
    change = {"range": where, "newText": text}
    return {**answer, "edit": {"changes": {destination.document: [change]}}}


def _request(params: JsonObject) -> DrawRequest:
    prompt = read_string(params, "prompt")
    if not prompt.strip() or len(prompt) > MOST_PROMPT:
        raise InvalidParams(f"prompt is empty or longer than {MOST_PROMPT} characters.")
    width, height = _size(params.get("size"))
    count = read_unsigned(params, "count") if params.get("count") is not None else 1
    if not 1 <= count <= MOST_COUNT:
        raise InvalidParams(f"count may be 1 to {MOST_COUNT}.")
    previews = read_unsigned(params, "previews") if params.get("previews") is not None else 0
    if previews > MOST_PREVIEWS:
        raise InvalidParams(f"previews may be 0 to {MOST_PREVIEWS}.")
    seed = read_unsigned(params, "seed") if params.get("seed") is not None else None
    if seed is not None and seed >= 2**53:
        raise InvalidParams("seed is too large.")
    model = params.get("model")
    return DrawRequest(
        id=uuid.uuid4().hex,
        document=f"draw-image:{uuid.uuid4().hex}",
        prompt=prompt,
        width=width,
        height=height,
        count=count,
        seed=seed,
        transparent=params.get("transparent") is True,
        previews=previews,
        options=_options(params),
        model=model if isinstance(model, str) and model else None,
    )


def _options(params: JsonObject) -> dict[str, str]:
    """Words for the model, the box, and that a changed picture keeps its size."""
    options = params.get("options") or {}
    if not isinstance(options, dict) or len(options) > MOST_OPTIONS:
        raise InvalidParams(f"options is an object of at most {MOST_OPTIONS} words.")
    found = {str(name): str(value) for name, value in options.items()}
    if params.get("box") is not None:
        found["box"] = read_string(params, "box")
    if params.get("change") is not None and not params.get("size"):
        found["size"] = "given"
    return found


def _given(server: LanguageServer, params: JsonObject) -> Given:
    """Raises InvalidParams, and BadRequest for a picture outside of the open folders."""
    if params.get("change") is None:
        if params.get("mask") is not None or params.get("box") is not None:
            raise InvalidParams("mask and box need change, the picture that is drawn into.")
        return Given()
    mask = None if params.get("mask") is None else _inside(server, params, "mask")
    return Given(change=_inside(server, params, "change"), mask=mask)


def _inside(server: LanguageServer, params: JsonObject, name: str) -> Path:
    uri = read_string(params, name)
    if not uri.startswith("file:"):
        raise InvalidParams(f"{name} is no file of this machine.")
    file = Path(path_in(uri)).resolve()
    if not _in_a_folder(server, file):
        raise BadRequest(f"{file} is in no open folder.", remedy="Choose a picture inside one.")
    return file


def _in_a_folder(server: LanguageServer, file: Path) -> bool:
    return any(file.is_relative_to(Path(root).resolve()) for root in server.folders.roots())


def _with_given(request: DrawRequest, given: Given) -> DrawRequest:
    """Raises BadRequest on what is no plain file, or too large to send."""
    image, mask = (
        "" if file is None else image_data(file).data for file in (given.change, given.mask)
    )
    return replace(request, image=image, mask=mask)


def _size(value: Any) -> tuple[int, int]:
    if value is None or value == "":
        return 128, 128
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    sides = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(1 <= side <= MOST_SIDE for side in sides):
        raise InvalidParams(f'size is "WxH", either side 1 to {MOST_SIDE}.')
    return sides


def _destination(
    server: LanguageServer, params: JsonObject, prompt: str, given: Given
) -> Destination:
    """Where the file and the link go. Raises BadRequest outside of the open folders."""
    uri = read_uri(params) if params.get("textDocument") is not None else ""
    document = server.documents.get(uri) if uri else None
    position = read_position(params).to_wire() if params.get("position") is not None else None
    if position is not None and not uri:
        raise InvalidParams("A position needs its textDocument.")
    name = re.sub(r"[^\w]+", "-", prompt.lower()).strip("-")[:48] or "picture"
    target = params.get("target")
    if given.change is not None and not target:  # a new name beside the old one
        target = given.change.with_suffix(".png").as_uri()
    return Destination(
        file=_file(server, target, uri, f"{name}.png"),
        document=uri,
        language="" if document is None else document.language,
        position=position,
    )


def _file(server: LanguageServer, target: Any, uri: str, name: str) -> Path:
    roots = [Path(root) for root in server.folders.roots()]
    if isinstance(target, str) and target:
        if not target.startswith("file:"):
            raise InvalidParams("target is no file of this machine.")
        place = Path(path_in(target))
        file = place / name if place.is_dir() or target.endswith("/") else place
    else:
        root = server.folders.root_of(uri) if uri else None
        home = Path(root) if root is not None else (roots[0] if roots else None)
        if home is None:
            raise BadRequest("No folder is open to put the picture in.", remedy="Name a target.")
        beside = Path(path_in(uri)).parent if uri else home
        found = [home / folder for folder in _PICTURE_FOLDERS if (home / folder).is_dir()]
        file = (found[0] if found else beside) / name
    if file.suffix.lower() != ".png":
        raise BadRequest(
            f"{file.name} cannot be written here: pictures are PNG files.",
            remedy="End the name in .png; `glm-lsp draw` writes WebP and ICO too.",
        )
    resolved = file.resolve()
    if not _in_a_folder(server, resolved):
        raise BadRequest(f"{file} is in no open folder.", remedy="Choose a place inside one.")
    return resolved


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadRequest(f"{folder} cannot be made ({error.strerror}).") from error
    check_writable(folder)


def _write(wanted: Path, images: tuple[str, ...]) -> list[Path]:
    return [write_new(wanted, base64.b64decode(image)) for image in images]


def actions(place: Place) -> Iterator[Action]:
    """For every PNG that the line refers to and that is missing."""
    number = place.range.start.line
    if number >= len(place.document.lines):
        return
    line = place.document.lines[number]
    for missing in missing_pictures(line, place.document.uri, place.root):
        size = {"size": missing.size} if missing.size else {}
        yield Action(
            title=f"GLM: Draw “{missing.words[:40]}” into {missing.path.name}",
            kind="quickfix",
            request="glm/drawImage",
            params={"prompt": missing.words, "target": missing.path.as_uri(), **size},
        )
