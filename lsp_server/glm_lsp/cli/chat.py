"""`glm-lsp chat TASK FILE`: one task of the editor on a file, from the command line.

`document` and `comment` work with any infilling model, the bundled one included, and print a diff
(or change the file with --write). The other tasks need a model that chats.
"""

from __future__ import annotations

import argparse
import asyncio
import codecs
import difflib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glm_client.daemon_client import DaemonClient
from glm_context.gathered import CursorSite
from glm_context.syntax import Syntax
from glm_context.workspace_files import WorkspaceFiles
from glm_lsp import code_tasks
from glm_lsp.cli.source_file import LINE_END, read_source
from glm_lsp.cli.translate import write_new
from glm_lsp.cli.workspace_root import opened, workspace_root
from glm_lsp.code_tasks import Source, Wish
from glm_lsp.comment_hole import CommentHole, comment_hole, documentation_hole, enclosing
from glm_lsp.comment_writing import Comments, write_comments
from glm_lsp.git_diff import diff_of
from glm_lsp.insert_text import clean, with_line_ends
from glm_lsp.whole_files import as_material, changes_of, shown_whole
from glm_protocol.answers import End
from glm_protocol.completion import CompletionRequest, Snippet
from glm_protocol.errors import BadRequest
from glm_protocol.languages import language_id
from glm_protocol.requests import AnyRequest

MOST_TOKENS = 8192  # of an answer that repeats whole files


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glm-lsp chat",
        description="document or comment code with any infilling model; ask, change several files, "
        "explain, write tests, review or fix with one that chats. Starts the daemon if none is"
        " running.",
    )
    parser.add_argument(
        "task", choices=code_tasks.TASKS, metavar="TASK", help=", ".join(code_tasks.TASKS)
    )
    parser.add_argument("file", type=Path, help="the source file; ask, change: also a folder")
    parser.add_argument("--line", type=int, help="a line in the definition meant, counted from 1")
    parser.add_argument(
        "--lines", metavar="A-B", help="only these lines (explain, tests, fix, ask)"
    )
    parser.add_argument(
        "--question",
        default="",
        help="what to ask (ask), what to change (change), or a wish of your own",
    )
    parser.add_argument("--diagnostic", default="", help="the message to be fixed (fix)")
    parser.add_argument("--candidates", type=int, default=1, help="different answers (default: 1)")
    parser.add_argument("--model", help="a model of `glm-lsp models` (default: its default)")
    parser.add_argument("--language", help="LSP languageId (default: told by the file's name)")
    parser.add_argument(
        "--write", action="store_true", help="change the files (document, comment, fix, change)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def run(argv: Sequence[str]) -> int:
    """The `chat` subcommand. Raises GlmError."""
    options = arguments().parse_args(argv)
    if not 1 <= options.candidates <= code_tasks.MAX_CANDIDATES:
        raise BadRequest(f"--candidates is 1 to {code_tasks.MAX_CANDIDATES}.")
    if options.task == "change":
        return _change(options)
    if options.file.is_dir() and options.task == "ask":
        return _talk(options, "", Source(path="", language=""))
    code_tasks.refuse_secret_file(str(options.file.absolute()))
    text = read_source(options.file)
    lines = LINE_END.split(text)
    source = Source(
        path=options.file.name,
        language=options.language or language_id(options.file.name),
        lines=lines,
    )
    if options.task in code_tasks.FILLING:
        return _fill(options, text, source)
    return _talk(options, text, source)


def _fill(options: argparse.Namespace, text: str, source: Source) -> int:
    if options.line is None:
        raise BadRequest(f"{options.task} needs --line.", remedy="Lines count from 1.")
    line = _line(options.line, source)
    hole = _hole(options.task, source, "\n".join(source.lines), line)
    comments = asyncio.run(_comments(options, source, hole))
    found = list(comments.lines)
    changed = _inserted(text, hole.line, found[0])
    if options.json:
        print(json.dumps(_object(found, comments.end)))
    elif not options.write:
        _show(options.file, text, changed)
        for other in found[1:]:
            print(f"or: {other.strip()}")
    if options.write:
        _write(options.file, text, changed)
    return 0


def _talk(options: argparse.Namespace, text: str, source: Source) -> int:
    first, last = _span(options, source)
    material = source.part(first, last)
    if options.task == "review":
        material = diff_of(options.file.absolute(), text)
    elif options.task == "ask":
        material = _question(options, source, material)
    wishes = [Wish(model=options.model, candidate=number) for number in range(options.candidates)]
    requests = [
        code_tasks.talk_request(
            options.task,
            source,
            material,
            wish,
            diagnostic=options.diagnostic,
            instruction="" if options.task == "ask" else options.question,
        )
        for wish in wishes
    ]
    streams = not options.json and not options.write
    answers = asyncio.run(_answers(requests, show=streams))
    texts = [clean(said, material) for said, _ in answers]
    if options.json:
        print(json.dumps(_object(texts, answers[0][1])))
    if options.write:
        code = code_tasks.code_of(texts[0])
        if options.task != "fix" or code is None:
            raise BadRequest(
                "There is no code in the answer to write.", remedy="Leave --write out."
            )
        new = [*source.lines[:first], *code.rstrip("\n").split("\n"), *source.lines[last + 1 :]]
        _write(options.file, text, with_line_ends("\n".join(new), _line_end(text)))
    return 0


def _change(options: argparse.Namespace) -> int:
    """Several files at once: diffs of what the answer changes, written with --write."""
    question = _asked(options)
    whole = options.file.is_dir()
    near = None if whole else workspace_root(options.file)
    root = (options.file if whole else near or options.file.absolute().parent).resolve()
    paths = [] if whole else [str(options.file.resolve().relative_to(root))]
    if not whole:
        read_source(options.file)
    paths += [piece.path for piece in _pieces(root, question)]
    paths += [str(found.path) for found in WorkspaceFiles(root).walk()] if whole else []
    room = code_tasks.MAX_MATERIAL - len(question) - 64
    shown = shown_whole(root, paths, room=room)
    material = code_tasks.question_with(as_material(shown), question)
    wish = Wish(model=options.model, max_tokens=MOST_TOKENS)
    request = code_tasks.talk_request("change", Source(path="", language=""), material, wish)
    [(said, end)] = asyncio.run(_answers([request]))
    changes = changes_of(clean(said, material), root, shown)
    if options.json:
        files = [{"path": one.path, "new": one.old is None, "text": one.new} for one in changes]
        print(json.dumps(_object([said], end) | {"files": files}))
    for one in changes:
        if options.write and one.old is None:
            write_new(root / one.path, one.new)
            print(f"made {one.path}", file=sys.stderr)
        elif options.write:
            _write(root / one.path, one.old or "", one.new)
        elif not options.json:
            _show(Path(one.path), one.old or "", one.new)
    return 0


def _asked(options: argparse.Namespace) -> str:
    question: str = options.question
    if not question.strip():
        raise BadRequest(
            f"{options.task} needs --question.", remedy="Say what you want to know, or changed."
        )
    return question


def _pieces(root: Path | None, question: str) -> tuple[Snippet, ...]:
    """Pieces of the workspace that a question is about."""
    site = CursorSite(path="", language="markdown", text=question, offset=len(question))
    with opened(root) as workspace:
        return () if workspace is None else workspace.gather(site).snippets


def _question(options: argparse.Namespace, source: Source, shown: str) -> str:
    """The question with the file and the pieces of the workspace that it is about."""
    question = _asked(options)
    root = options.file.resolve() if options.file.is_dir() else workspace_root(options.file)
    files = [(source.path, shown)] if source.path else []
    files += [
        (piece.path, piece.text)
        for piece in _pieces(root, question)
        if Path(piece.path).name != source.path
    ]
    return code_tasks.question_with(files, question)


def _hole(task: str, source: Source, text: str, line: int) -> CommentHole:
    if task == "comment":
        return comment_hole(source.lines, source.language, line)
    with Syntax() as syntax:
        unit = enclosing(syntax.units(text, source.language), line)
    return documentation_hole(source.lines, source.language, unit)


async def _comments(options: argparse.Namespace, source: Source, hole: CommentHole) -> Comments:
    async with DaemonClient() as client:
        await client.connect()

        async def ask(request: CompletionRequest) -> tuple[str, End]:
            answer = await client.whole(request)
            return answer.text, answer.end

        return await write_comments(
            ask, source, hole, model=options.model, wanted=options.candidates
        )


async def _answers(requests: Sequence[AnyRequest], *, show: bool = False) -> list[tuple[str, End]]:
    """Each answer, one after the other; `show` prints the pieces as they come."""
    answers = []
    async with DaemonClient() as client:
        await client.connect()
        for number, request in enumerate(requests, start=1):
            if show and len(requests) > 1:
                print(f"--- {number}")
            text, end = "", None
            async for chunk in client.stream(request):
                text += chunk.text
                end = chunk.end
                if show:
                    print(clean(chunk.text, ""), end="", flush=True)
            assert end is not None
            answers.append((text, end))
            if show:
                print()
    return answers


def _object(texts: list[str], end: End) -> dict[str, Any]:
    """What `--json` prints: the words of `glm/chat`'s answer."""
    more = {"candidates": texts} if len(texts) > 1 else {}
    return {"text": texts[0], "model": end.model, "finish": end.finish.value, **more}


def _span(options: argparse.Namespace, source: Source) -> tuple[int, int]:
    if options.lines is None:
        return 0, len(source.lines) - 1
    first, dash, last = options.lines.partition("-")
    if not first.isdigit() or (dash and not last.isdigit()):
        raise BadRequest(f"{options.lines!r} is no range of lines.", remedy="Write --lines 3-12.")
    first_line, last_line = _line(int(first), source), _line(int(last if dash else first), source)
    return min(first_line, last_line), max(first_line, last_line)


def _line(number: int, source: Source) -> int:
    if not 1 <= number <= len(source.lines):
        raise BadRequest(
            f"Line {number} is not in the file, which has {len(source.lines)}.",
            remedy="Lines count from 1.",
        )
    return number - 1


def _inserted(text: str, line: int, new: str) -> str:
    """The text with a line more, in its own line ends."""
    starts = [0, *(found.end() for found in LINE_END.finditer(text))]
    end = _line_end(text)
    if line >= len(starts):
        return f"{text}{end}{new}"
    return f"{text[: starts[line]]}{new}{end}{text[starts[line] :]}"


def _line_end(text: str) -> str:
    found = LINE_END.search(text)
    return found[0] if found else "\n"


def _show(file: Path, old: str, new: str) -> None:
    diff = difflib.unified_diff(
        LINE_END.split(old), LINE_END.split(new), str(file), str(file), lineterm=""
    )
    sys.stdout.writelines(f"{line}\n" for line in diff)


def _write(file: Path, old: str, new: str) -> None:
    """Put `new` in the place of `old`, whole or not at all. Raises BadRequest."""
    real = file.resolve()  # behind a link, the file itself
    try:
        raw = real.read_bytes()
        mark = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) else b""
        if raw != mark + old.encode("utf-8", "surrogatepass"):
            raise BadRequest(
                f"{file} has changed meanwhile or is not UTF-8; nothing was written.",
                remedy="Save it as UTF-8 and ask again.",
            )
        fd, temporary = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
        try:
            with os.fdopen(fd, "wb") as stream:
                stream.write(mark + new.encode("utf-8", "replace"))
            shutil.copymode(real, temporary)
            Path(temporary).replace(real)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadRequest(f"{file} cannot be written: {error.strerror}.") from error
    print(f"changed {file}", file=sys.stderr)
