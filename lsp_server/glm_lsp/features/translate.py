"""`glm/translate`: a document or a selection in another language, as a new file beside it.

Streamed by unit (see `long_work`). The answer's edit creates the file; over a file that exists only
with `overwrite`. The code actions on a selection are here too.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Coroutine, Iterable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from glm_context.async_syntax import AsyncSyntax
from glm_lsp.documents import Document
from glm_lsp.features import configuration
from glm_lsp.features.long_work import Delivery
from glm_lsp.features.workspace_folders import path_in
from glm_lsp.json_body import JsonObject
from glm_lsp.offered_action import Action, Place
from glm_lsp.params import read_range, read_string, read_uri
from glm_lsp.rpc_errors import REQUEST_FAILED, InvalidParams, LspError
from glm_lsp.translation import TranslationTask, Translator
from glm_lsp.translation_layout import NAMES, file_name, language_of
from glm_protocol.errors import GlmError

if TYPE_CHECKING:
    from glm_lsp.server import LanguageServer

CHECK_S = 300.0
# Languages of the bundled translator: what a selection is offered to be translated into.
OFFERED = ("python", "java", "javascript", "cpp", "go")
BUNDLED = "nano-code"


def translate(server: LanguageServer, params: JsonObject) -> Coroutine[Any, Any, JsonObject]:
    """Translate the document as it is now. Raises LspError with one sentence."""
    delivery = Delivery(server, params)
    target = language_of(read_string(params, "to"))
    document = server.documents.get(read_uri(params))
    if document is None or document.unusable is not None:
        raise InvalidParams("The document is not open, or cannot be read as text.")
    if server.knowledge.is_secret(document):
        raise LspError(REQUEST_FAILED, "This file holds secrets and is not given to a model.")
    source = str(params.get("from") or document.language)
    text = _selected(document, params)
    return _perform(server, delivery, document, source, target, text, params)


def _selected(document: Document, params: JsonObject) -> str:
    """The whole lines of the selection, or all of the document."""
    lines = list(document.lines)
    if params.get("range") is not None:
        where = read_range(params)
        last = where.end.line - (where.end.character == 0 and where.end.line > where.start.line)
        lines = lines[where.start.line : last + 1]
    return "".join(lines)


async def _perform(
    server: LanguageServer, delivery: Delivery, document: Document, source: str, target: str,
    text: str, params: JsonObject,
) -> JsonObject:  # fmt: skip
    await server.configured.wait()
    own = server.settings.model
    task = TranslationTask(
        text=text,
        source=source,
        target=target,
        path=PurePath(path_in(document.uri)),
        # The bundled completion model does not translate: the daemon knows who does.
        model=str(params.get("model") or ("" if own == BUNDLED else own)) or None,
    )
    syntax = AsyncSyntax()
    try:
        translator = Translator(
            stream=configuration.link_of(server).stream, syntax=syntax, listener=delivery
        )
        done = await translator.translate(task)
        uri = document.uri.rsplit("/", 1)[0] + "/" + file_name(task.path, target)
        exists = await asyncio.to_thread(_exists, uri)
        answer = done.as_json() | {"uri": uri, "exists": exists}
        if not exists or params.get("overwrite") is True:
            answer["edit"] = _creation(uri, done.text, overwrite=exists)
        if params.get("check"):
            answer["check"] = await _check(str(params["check"]), done.text, task)
    except GlmError as error:
        raise LspError(REQUEST_FAILED, str(error)) from error
    finally:
        await syntax.aclose()
    return answer


def _exists(uri: str) -> bool:
    return Path(path_in(uri)).exists()


def _creation(uri: str, text: str, *, overwrite: bool) -> JsonObject:
    """A WorkspaceEdit that makes the file with its text."""
    create: JsonObject = {"kind": "create", "uri": uri, "options": {"overwrite": overwrite}}
    start = {"line": 0, "character": 0}
    edit = {"range": {"start": start, "end": start}, "newText": text}
    document = {"uri": uri, "version": None}
    return {"documentChanges": [create, {"textDocument": document, "edits": [edit]}]}


async def _check(command: str, text: str, task: TranslationTask) -> JsonObject:
    """Run the user's command on the translation, in a folder of its own."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / file_name(task.path, task.target)
        file.write_text(text, encoding="utf-8")
        quoted = shlex.quote(str(file))
        line = command.replace("{}", quoted) if "{}" in command else f"{command} {quoted}"
        process = await asyncio.create_subprocess_shell(
            line, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        try:
            async with asyncio.timeout(CHECK_S):
                said, _ = await process.communicate()
        except TimeoutError:
            return {"command": line, "exit": None, "output": f"no end after {CHECK_S:.0f} s"}
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    return {
        "command": line,
        "exit": process.returncode,
        "output": said.decode(errors="replace")[-4000:],
    }


def actions(place: Place) -> Iterable[Action]:
    """Translations of a selection, into the languages of the bundled translator."""
    language = place.document.language
    if place.empty or language not in NAMES:
        return
    where = place.range.to_wire()
    for target in OFFERED:
        if target != language:
            yield Action(
                title=f"GLM: Translate to {NAMES[target]}",
                kind="refactor",
                request="glm/translate",
                params={"textDocument": {"uri": place.document.uri}, "range": where, "to": target},
            )
