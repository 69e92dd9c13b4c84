"""`glm-lsp translate FILE --to LANG`: a file, some of its lines or a folder in another language.

Prints the translation, or writes it with -o; an existing file is never overwritten. Progress goes
to standard error. Exit code 1 when something could not be translated, did not parse, or --check
failed; what was made is kept.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glm_client.daemon_client import DaemonClient
from glm_context.async_syntax import AsyncSyntax
from glm_context.workspace_files import WorkspaceFiles
from glm_lsp.cli.source_file import LINE_END, read_source
from glm_lsp.translation import Translation, TranslationTask, Translator, checked_task
from glm_lsp.translation_layout import NAMES, file_name, language_of
from glm_protocol.errors import BadRequest, GlmError
from glm_protocol.languages import language_id

CHECK_S = 600.0
MAX_FILES = 500


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glm-lsp translate",
        description="Translate a file or a folder into another programming language. Starts the"
        " daemon if none is running. The bundled translator knows Python, Java, JavaScript, C++"
        " and Go; larger models of `glm-lsp models` know more.",
    )
    parser.add_argument("file", type=Path, help="the source file, or a folder")
    parser.add_argument("--to", required=True, metavar="LANG", help=", ".join(sorted(NAMES)))
    parser.add_argument(
        "--from", dest="source", metavar="LANG", help="when the file's name does not tell"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="OUT", help="write here; never over an existing file"
    )
    parser.add_argument("--lines", metavar="A-B", help="only these lines of the file, from 1")
    parser.add_argument(
        "--check",
        metavar="CMD",
        help="run this command afterwards; {} in it is the translated file (its name is added"
        " where there is none)",
    )
    parser.add_argument("--model", help="a model of `glm-lsp models` (default: the translator)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


@dataclass(frozen=True, kw_only=True)
class Printer:
    """Shows a translation while it is made, on standard error: the first attempt at each unit."""

    shows: bool

    def text(self, text: str) -> None:
        if self.shows:
            sys.stderr.write(text)
            sys.stderr.flush()

    def step(self, step: int, steps: int, message: str = "") -> None:
        print(f"[{step}/{steps}] {message}", file=sys.stderr, flush=True)


def run(argv: Sequence[str]) -> int:
    """The `translate` subcommand. Raises GlmError."""
    options = arguments().parse_args(argv)
    target = language_of(options.to)
    if options.file.is_dir():
        if options.lines:
            raise BadRequest("--lines is for a file, not for a folder.")
        return asyncio.run(_folder(options, target))
    return asyncio.run(_file(options, target))


async def _file(options: argparse.Namespace, target: str) -> int:
    text = _lines(read_source(options.file), options.lines)
    task = _task(options, options.file, text, target)
    output = options.output
    if output is not None and output.is_dir():
        output = output / file_name(options.file, task.target)
    _refuse_existing(output)
    async with DaemonClient() as client:
        await client.connect()
        syntax = AsyncSyntax()
        try:
            printer = Printer(shows=sys.stderr.isatty() and not options.json)
            translator = Translator(stream=client.stream, syntax=syntax, listener=printer)
            done = await translator.translate(task)
        finally:
            await syntax.aclose()
    if output is not None:
        write_new(output, done.text)
    elif not options.json:
        print(done.text, end="")
    checked = _check(options.check, output, done.text, task.target) if options.check else None
    found = done.as_json() | {"file": None if output is None else str(output)}
    if checked is not None:
        found["check"] = checked
    _tell(done, options.file)
    if options.json:
        print(json.dumps(found))
    return _status(done, checked)


def _task(options: argparse.Namespace, file: Path, text: str, target: str) -> TranslationTask:
    source = options.source or language_id(file.name)
    if source == "plaintext":
        raise BadRequest(
            f"The name {file.name} does not tell its language.", remedy="Say it: --from LANG."
        )
    return checked_task(
        TranslationTask(text=text, source=source, target=target, path=file, model=options.model)
    )


def _lines(text: str, wanted: str | None) -> str:
    if wanted is None:
        return text
    lines = LINE_END.split(text)
    first, dash, last = wanted.partition("-")
    numbers = [int(part) if part.isdigit() else 0 for part in (first, last if dash else first)]
    if not 1 <= numbers[0] <= numbers[1] <= len(lines):
        raise BadRequest(
            f"{wanted!r} is no range of lines of a file that has {len(lines)}.",
            remedy="Write --lines 3-12.",
        )
    return "\n".join(lines[numbers[0] - 1 : numbers[1]])


def _refuse_existing(output: Path | None) -> None:
    if output is not None and (output.exists() or output.is_symlink()):
        raise BadRequest(
            f"{output} exists and is not overwritten.", remedy="Name another file, or move it away."
        )


def write_new(path: Path, text: str) -> None:
    """Write a file that must not be there yet. Raises BadRequest."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="") as stream:
            stream.write(text)
    except FileExistsError as error:
        raise BadRequest(f"{path} exists and is not overwritten.") from error
    except OSError as error:
        raise BadRequest(f"{path} cannot be written: {error.strerror}.") from error


def _check(command: str, output: Path | None, text: str, target: str) -> dict[str, Any]:
    """Run the user's own command on the result."""
    import shlex
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = output
        if file is None:
            file = Path(folder) / file_name(Path("translated"), target)
            file.write_text(text, encoding="utf-8")
        quoted = shlex.quote(str(file))
        line = command.replace("{}", quoted) if "{}" in command else f"{command} {quoted}"
        try:
            done = subprocess.run(
                line, shell=True, capture_output=True, text=True, errors="replace",
                timeout=CHECK_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"command": line, "exit": None, "output": f"no end after {CHECK_S:.0f} s"}
    said = (done.stdout + done.stderr)[-4000:]
    print(f"check: exit {done.returncode}\n{said}", file=sys.stderr, end="")
    return {"command": line, "exit": done.returncode, "output": said}


def _tell(done: Translation, file: Path) -> None:
    """What a user should know of the result, on standard error."""
    if done.source_errors:
        print(f"{file}: the source itself has {done.source_errors} syntax errors", file=sys.stderr)
    if done.cut:
        print(f"{file}: {done.cut} units were cut off; look at their ends", file=sys.stderr)
    for problem in done.errors:
        print(f"line {problem.line + 1} of the result: {problem.message}", file=sys.stderr)


def _status(done: Translation, checked: dict[str, Any] | None) -> int:
    failed = checked is not None and checked["exit"] != 0
    return 1 if failed or done.parses is False or done.cut else 0


async def _folder(options: argparse.Namespace, target: str) -> int:
    """Every file of one language (or of all that can be translated), one table of names."""
    root = options.file
    wanted = language_of(options.source) if options.source else None
    output = options.output or root.with_name(f"{root.resolve().name}-{target}")
    files = [
        root.resolve() / found.path
        for found in WorkspaceFiles(root.resolve()).walk()
        if _translatable(str(found.path), wanted, target)
    ]
    if not files:
        raise BadRequest(f"There is nothing in {root} to translate into {options.to}.")
    if len(files) > MAX_FILES:
        raise BadRequest(f"{root} has {len(files)} files to translate; at most {MAX_FILES} go.")
    places = {file: output / _relative(file, root.resolve(), target) for file in files}
    for place in places.values():
        _refuse_existing(place)
    results, status = [], 0
    async with DaemonClient() as client:
        await client.connect()
        syntax = AsyncSyntax()
        try:
            translator = Translator(
                stream=client.stream, syntax=syntax, listener=Printer(shows=False)
            )
            for file, place in places.items():
                print(f"{file} -> {place}", file=sys.stderr, flush=True)
                try:
                    task = _task(options, Path(file), read_source(Path(file)), target)
                    done = await translator.translate(task)
                except GlmError as error:
                    print(f"{file}: {error}", file=sys.stderr)
                    results.append({"source": str(file), "error": str(error)})
                    status = 1
                    continue
                write_new(place, done.text)
                checked = _check(options.check, place, done.text, target) if options.check else None
                _tell(done, Path(file))
                result: dict[str, Any] = {"source": str(file), "file": str(place)}
                result |= done.as_json()
                if checked is not None:
                    result["check"] = checked
                results.append(result)
                status = max(status, _status(done, checked))
        finally:
            await syntax.aclose()
    if options.json:
        print(json.dumps({"files": results, "names": len(translator.names)}))
    return status


def _translatable(name: str, wanted: str | None, target: str) -> bool:
    language = language_id(name)
    if wanted is not None:
        return language == wanted
    return language in NAMES and language != target


def _relative(file: Path | str, root: Path, target: str) -> Path:
    relative = Path(file).relative_to(root)
    return relative.with_name(file_name(relative, target))
