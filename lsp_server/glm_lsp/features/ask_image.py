"""`glm/askImage`: a question about pictures, streamed; and its hover and code actions.

Pictures are files that the editor names, or bytes of its clipboard. They are read here and decoded
by the engine, under limits. Boxes come back in source pixels.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import uuid
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glm_client.named_places import find_places
from glm_client.picture_file import image_data
from glm_lsp.features.long_work import Delivery, Outcome
from glm_lsp.features.workspace_folders import path_in
from glm_lsp.image_links import image_links
from glm_lsp.json_body import JsonObject
from glm_lsp.offered_action import Action, Place
from glm_lsp.params import Position, Range, read_list, read_position, read_string, read_uri
from glm_lsp.position_codec import column_at
from glm_lsp.rpc_errors import REQUEST_FAILED, InvalidParams, LspError
from glm_protocol.chat import ChatMessage, ChatRequest, ImageData, Role
from glm_protocol.errors import GlmError

if TYPE_CHECKING:
    from glm_lsp.server import LanguageServer

TASKS = ("read", "error", "ui", "diagram", "chart", "find", "describe")
MAX_IMAGES = 16
MAX_QUESTION = 20_000
_OFFERED = (
    ("describe", "Describe this picture"),
    ("read", "Read the text of this picture"),
    ("error", "Explain the error in this picture"),
    ("diagram", "Picture to Mermaid"),
    ("chart", "Picture to CSV"),
    ("ui", "Picture to HTML"),
)


def ask_image(server: LanguageServer, params: JsonObject) -> Coroutine[Any, Any, JsonObject]:
    """`{token, images, question, task?, model?}`; see the plug-ins' contract for the answer."""
    delivery = Delivery(server, params)
    question = str(params.get("question") or "")[:MAX_QUESTION]
    task = params.get("task")
    if task is not None and task not in TASKS:
        raise InvalidParams("task is none of " + ", ".join(TASKS))
    sources = [_source(entry) for entry in read_list(params, "images")]
    if not 1 <= len(sources) <= MAX_IMAGES:
        raise InvalidParams(f"images holds 1 to {MAX_IMAGES} pictures.")
    model = params.get("model")
    return _answer(server, delivery, sources, question, task, model)


async def _answer(
    server: LanguageServer,
    delivery: Delivery,
    sources: list[Path | bytes],
    question: str,
    task: str | None,
    model: Any,
) -> JsonObject:
    try:
        images = [await asyncio.to_thread(image_data, source) for source in sources]
    except GlmError as error:
        raise LspError(REQUEST_FAILED, str(error)) from error
    asked = _request(tuple(images), question, task, model if isinstance(model, str) else None)
    outcome = await delivery.run(asked)
    report = outcome.end.report
    answer: JsonObject = {
        "text": outcome.text,
        "boxes": report.get("boxes") or [],
        "valid": report.get("valid"),
        "model": outcome.end.model,
        "timings_ms": {"total": outcome.end.timings_ms.total},
        "notes": report.get("notes") or [],
        "finish": outcome.end.finish.value,
    }
    places = await _places(server, outcome)
    return {**answer, "places": places} if places else answer


def _request(
    images: tuple[ImageData, ...], question: str, task: str | None, model: str | None
) -> ChatRequest:
    return ChatRequest(
        id=uuid.uuid4().hex,
        document=f"ask-image:{uuid.uuid4().hex}",
        messages=(ChatMessage(role=Role.USER, text=question, images=images),),
        options={} if task is None else {"task": task},
        model=model or None,
    )


def _source(entry: Any) -> Path | bytes:
    """Raises InvalidParams for what is neither a file's URI nor base64."""
    if not isinstance(entry, dict):
        raise InvalidParams("An image is {uri} or {data}.")
    if "data" in entry:
        try:
            return base64.b64decode(read_string(entry, "data"), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InvalidParams("An image's data is no base64.") from error
    uri = read_string(entry, "uri")
    if not uri.startswith("file:"):
        raise InvalidParams("An image's uri names no file of this machine.")
    return Path(path_in(uri))


async def _places(server: LanguageServer, outcome: Outcome) -> list[JsonObject]:
    """Files of the workspace that an error in the picture names."""
    named = outcome.end.report.get("places") or []
    found: list[JsonObject] = []
    for root in server.folders.roots() if named else ():
        for place in await asyncio.to_thread(find_places, Path(root), named):
            if place.path:
                found.append({**place.to_json(), "uri": Path(place.path).as_uri()})
    return found


def actions(place: Place) -> Iterator[Action]:
    """For the first picture that the line refers to."""
    number = place.range.start.line
    if number >= len(place.document.lines):
        return
    line = place.document.lines[number]
    link = next(image_links(line, place.document.uri, place.root), None)
    if link is None:
        return
    images = [{"uri": link.path.as_uri()}]
    for task, title in _OFFERED:
        yield Action(
            title=f"GLM: {title}",
            kind="refactor",
            request="glm/askImage",
            params={"images": images, "question": "", "task": task},
        )


def hover(server: LanguageServer, params: JsonObject) -> JsonObject | None:
    """The picture that a link refers to, shown; null anywhere else."""
    document = server.documents.get(read_uri(params))
    position = read_position(params)
    if document is None or document.unusable is not None:
        return None
    cursor = document.cursor(position)
    if cursor is None:
        return None
    line = document.lines[cursor.line]
    for link in image_links(line, document.uri, server.folders.root_of(document.uri)):
        if link.start <= cursor.index <= link.end:
            try:
                size = link.path.stat().st_size
            except OSError:
                return None
            shown = f"![]({link.path.as_uri()})\n\n`{link.path.name}`, {max(1, size >> 10)} KB"
            where = Range(
                start=_position(cursor.line, line, link.start, document.encoding),
                end=_position(cursor.line, line, link.end, document.encoding),
            )
            contents = {"kind": "markdown", "value": shown}
            return {"contents": contents, "range": where.to_wire()}
    return None


def _position(number: int, line: str, index: int, encoding: Any) -> Position:
    return Position(line=number, character=column_at(line, index, encoding))
