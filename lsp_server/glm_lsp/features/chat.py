"""`glm/chat`: the tasks of an editor, streamed (see `long_work`).

`document` and `comment` go to any infilling model and come back as an edit; the other tasks go to a
model that chats, and `fix` comes back as an edit too. What a model cannot do is the daemon's to
say; its sentence is the error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glm_context.async_syntax import AsyncSyntax
from glm_context.syntax_facts import Unit
from glm_lsp import code_tasks
from glm_lsp.code_tasks import Source, Wish
from glm_lsp.comment_hole import comment_hole, documentation_hole, enclosing
from glm_lsp.comment_writing import write_comments
from glm_lsp.documents import Cursor, Document
from glm_lsp.features.change_files import change_files
from glm_lsp.features.chat_params import (
    count_of,
    diagnostic_of,
    document_of,
    model_of,
    needed,
    selection_of,
    source_of,
    turns_of,
)
from glm_lsp.features.long_work import Delivery
from glm_lsp.features.workspace_folders import path_in
from glm_lsp.git_diff import diff_of
from glm_lsp.insert_text import clean, with_line_ends
from glm_lsp.json_body import JsonObject
from glm_lsp.params import Range, read_object, read_range, read_string
from glm_lsp.rpc_errors import REQUEST_FAILED, InvalidParams, LspError
from glm_protocol.answers import End
from glm_protocol.completion import CompletionRequest
from glm_protocol.errors import BadRequest, GlmError

if TYPE_CHECKING:
    from glm_lsp.server import LanguageServer

REWRITING = ("fix", *code_tasks.FILLING)  # the answer's code takes the place of the old


def chat(server: LanguageServer, params: JsonObject) -> Coroutine[Any, Any, JsonObject]:
    """Do one task on the document as it is now. Raises LspError with one sentence."""
    delivery = Delivery(server, params)
    task = read_string(params, "task")
    if task not in code_tasks.TASKS:
        raise InvalidParams(f"There is no task {task[:40]!r}.")
    count_of(params)
    try:
        document = document_of(server, params)
    except GlmError as error:
        raise LspError(REQUEST_FAILED, str(error)) from error
    version = None if document is None else document.version
    return perform(server, delivery, task, document, version, params)


async def perform(
    server: LanguageServer,
    delivery: Delivery,
    task: str,
    document: Document | None,
    version: int | None,
    params: JsonObject,
) -> JsonObject:
    """`version`: the document's when the task was asked for."""
    await server.configured.wait()
    try:
        # A model that chats and cannot infill repeats the code with its comments.
        can = await server.abilities.of(server)
        only_chats = "chat" in can and "infill" not in can
        if task in code_tasks.FILLING and not only_chats:
            return await fill(server, delivery, task, needed(document), version, params)
        if task == "change":
            return await change_files(server, delivery, document, params)
        return await talk(server, delivery, task, document, version, params)
    except GlmError as error:
        raise LspError(REQUEST_FAILED, str(error)) from error


async def fill(
    server: LanguageServer,
    delivery: Delivery,
    task: str,
    document: Document,
    version: int | None,
    params: JsonObject,
) -> JsonObject:
    """Write a comment where there was none."""
    selection = selection_of(document, params)
    source = source_of(server, document)
    if task == "document":
        unit = await unit_at(source, selection.first)
        hole = documentation_hole(source.lines, source.language, unit)
    else:
        hole = comment_hole(source.lines, source.language, selection.first)

    async def ask(request: CompletionRequest) -> tuple[str, End]:
        outcome = await delivery.run(request, texts=False)
        return outcome.text, outcome.end

    comments = await write_comments(
        ask, source, hole, model=model_of(server, params), wanted=count_of(params)
    )
    check_unchanged(document, version)
    delivery.text(comments.lines[0].strip())
    place = (
        document.position(Cursor(line=hole.line, index=0))
        if hole.line < len(document.lines)
        else document.position(Cursor(line=len(document.lines) - 1, index=len(document.lines[-1])))
    )
    line_end = line_end_of(server, document)
    at_end = hole.line >= len(document.lines)
    new = f"{line_end}{comments.lines[0]}" if at_end else f"{comments.lines[0]}{line_end}"
    where = Range(start=place, end=place)
    texts = [line.strip() for line in comments.lines]
    return answer(texts, comments.end, edit_of(document, where, new))


async def talk(
    server: LanguageServer,
    delivery: Delivery,
    task: str,
    document: Document | None,
    version: int | None,
    params: JsonObject,
) -> JsonObject:
    """Ask a model that chats; its words are streamed, the first candidate's alone."""
    source = Source(path="", language="") if document is None else source_of(server, document)
    turns = turns_of(params)
    said = turns[-1].text if turns else ""
    span: tuple[int, int] | None = None
    if task == "ask":
        material = await question_of(server, document, source, params, said)
    elif task == "review":
        material = said or await change_of(needed(document))
    else:
        span = await span_of(task, needed(document), source, params)
        material = source.part(*span)
    outcomes = []
    for candidate in range(count_of(params)):
        request = code_tasks.talk_request(
            task,
            source,
            material,
            Wish(model=model_of(server, params), candidate=candidate),
            earlier=turns[:-1] if task == "ask" else (),
            diagnostic=diagnostic_of(params),
            instruction="" if task in ("ask", "review") else said,
        )
        outcomes.append(await delivery.run(request, texts=candidate == 0))
    texts = [clean(outcome.text, material) for outcome in outcomes]
    if task == "tests":  # a file of its own: the code alone
        texts = [code_tasks.code_of(text) or text for text in texts]
    edit = None
    if task in REWRITING and span is not None and document is not None:
        code = code_tasks.code_of(texts[0])
        if code is not None:
            check_unchanged(document, version)
            edit = replacement(server, document, span, code)
    return answer(texts, outcomes[0].end, edit)


def answer(texts: list[str], end: End, edit: JsonObject | None) -> JsonObject:
    """The result's words."""
    result: JsonObject = {"text": texts[0], "model": end.model, "finish": end.finish.value}
    if len(texts) > 1:
        result["candidates"] = texts
    if edit is not None:
        result["edit"] = edit
    return result


async def unit_at(source: Source, line: int) -> Unit | None:
    """The innermost definition around a line, by the language's grammar."""
    syntax = AsyncSyntax()
    try:
        units = await syntax.units("\n".join(source.lines), source.language)
    finally:
        await syntax.aclose()
    return enclosing(units, line)


async def span_of(
    task: str, document: Document, source: Source, params: JsonObject
) -> tuple[int, int]:
    """The lines that a task is about: the selection, else the definition around the cursor (or
    the diagnostic), else the whole file."""
    selection = selection_of(document, params)
    line = selection.first
    if task == "fix" and isinstance(params.get("diagnostic"), dict):
        line = min(read_range(read_object(params, "diagnostic")).start.line, len(source.lines) - 1)
    elif not selection.whole:
        return selection.first, selection.last
    elif params.get("range") is None:
        return 0, len(source.lines) - 1
    unit = await unit_at(source, line)
    return (0, len(source.lines) - 1) if unit is None else (unit.first_line, unit.last_line)


async def question_of(
    server: LanguageServer,
    document: Document | None,
    source: Source,
    params: JsonObject,
    question: str,
) -> str:
    """A question with what it is about: the selection or the file, and the workspace's pieces."""
    if not question.strip():
        raise InvalidParams("messages is missing: ask something.")
    files = []
    if document is not None:
        selection = selection_of(document, params)
        text = (
            source.part(0, len(source.lines))
            if selection.whole
            else source.part(selection.first, selection.last)
        )
        files.append((source.path, text[: code_tasks.MAX_MATERIAL // 2]))
    related = await server.knowledge.about(question, None if document is None else document.uri)
    files += [(snippet.path, snippet.text) for snippet in related if snippet.path != source.path]
    return code_tasks.question_with(files, question)


async def change_of(document: Document) -> str:
    """The buffer's change since the last commit."""
    if not document.uri.startswith("file:"):
        raise BadRequest("Only files on disk have changes to review.", remedy="Save it first.")
    return await asyncio.to_thread(diff_of, Path(path_in(document.uri)), document.text)


def check_unchanged(document: Document, version: int | None) -> None:
    """An edit is only given for the text that it was made for."""
    if document.version != version:
        raise BadRequest("The document has changed meanwhile.", remedy="Ask again.")


def line_end_of(server: LanguageServer, document: Document) -> str:
    return "\n" if server.profile.wants_plain_line_feeds else document.line_end


def replacement(
    server: LanguageServer, document: Document, span: tuple[int, int], code: str
) -> JsonObject:
    """The edit that puts `code` in the place of whole lines."""
    first, last = span
    end = Cursor(line=last, index=len(document.lines[last].rstrip("\r\n")))
    where = Range(start=document.position(Cursor(line=first, index=0)), end=document.position(end))
    text = with_line_ends(code.rstrip("\n"), line_end_of(server, document))
    return edit_of(document, where, text)


def edit_of(document: Document, where: Range, text: str) -> JsonObject:
    edits: list[Any] = [{"range": where.to_wire(), "newText": text}]
    return {"changes": {document.uri: edits}}
