"""`glm-lsp ask IMAGE… QUESTION`: a question about pictures, answered by the daemon.

The files are read here, as bytes; they are decoded by the engine, under limits. Text that was
read out of a picture is printed, never obeyed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glm_client.daemon_client import Answer, DaemonClient
from glm_client.named_places import NamedPlace, find_places
from glm_client.picture_file import MAX_SENT, image_data, read_picture_file
from glm_protocol.answers import End
from glm_protocol.chat import ChatMessage, ChatRequest, Role
from glm_protocol.errors import BadRequest, Unsupported

TASKS = ("read", "error", "ui", "diagram", "chart", "find", "describe")
FORMS = ("mermaid", "plantuml", "csv", "json")
_CLIPBOARDS = (
    ("wl-paste", "--no-newline", "--type", "image/png"),
    ("xclip", "-selection", "clipboard", "-target", "image/png", "-out"),
    ("pngpaste", "-"),
)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glm-lsp ask",
        description="Ask about pictures: PNG, JPEG, WebP or GIF. Starts the daemon if none is "
        "running. Without --task the question decides; with it the question may be left out.",
    )
    parser.add_argument(
        "words",
        nargs="+",
        metavar="IMAGE… QUESTION",
        help="picture files (- for standard input), then the question in quotes",
    )
    parser.add_argument("--task", choices=TASKS, help="what to do with the picture")
    parser.add_argument(
        "--form", choices=FORMS, help="diagram: mermaid or plantuml; chart: csv or json"
    )
    parser.add_argument("--clipboard", action="store_true", help="and the clipboard's picture")
    parser.add_argument("--model", help="of `glm-lsp models` (default: the first that sees)")
    parser.add_argument("--max-tokens", type=int, default=1024, help="default: 1024")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 is greedy (default)")
    parser.add_argument("--seed", type=int, help="makes sampling repeatable")
    parser.add_argument(
        "--workspace", type=Path, default=Path(), help="searched for files that an error names"
    )
    parser.add_argument("--draw", type=Path, metavar="FILE", help="write the picture with boxes")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """The command line, taken apart. `pictures` are the bytes of each."""

    question: str
    pictures: tuple[bytes, ...]


def asked_by(options: argparse.Namespace) -> Asked:
    """Raises BadRequest: no picture, or one that is no plain file."""
    words: list[str] = list(options.words)
    last = words[-1]
    # With a task the question may be missing; then the last word is a picture like the others.
    is_picture = options.task and (last == "-" or _exists(last))
    question = "" if is_picture else words.pop()
    pictures = [_read(word) for word in words]
    if options.clipboard:
        pictures.append(read_clipboard())
    if not pictures:
        raise BadRequest(
            "There is no picture.", remedy='Name one: glm-lsp ask error.png "What is wrong?"'
        )
    return Asked(question=question, pictures=tuple(pictures))


def _exists(word: str) -> bool:
    try:
        return Path(word).exists()
    except (OSError, ValueError):  # a question too long to be a name
        return False


def _read(word: str) -> bytes:
    if word == "-":
        return sys.stdin.buffer.read(MAX_SENT + 1)
    return read_picture_file(Path(word), MAX_SENT)


def read_clipboard() -> bytes:
    """By the desktop's own tool. Raises Unsupported without one, BadRequest without a picture."""
    tool = next((tool for tool in _CLIPBOARDS if shutil.which(tool[0])), None)
    if tool is None:
        names = ", ".join(tool[0] for tool in _CLIPBOARDS)
        raise Unsupported("No tool for the clipboard is here.", remedy=f"Install one of: {names}.")
    done = subprocess.run(tool, capture_output=True, timeout=10, check=False)
    if done.returncode or not done.stdout:
        raise BadRequest("The clipboard holds no picture.", remedy="Copy one and try again.")
    return done.stdout


def request_from(options: argparse.Namespace, asked: Asked) -> ChatRequest:
    """Raises BadRequest for a picture that is too large to send."""
    words = {"task": options.task, "form": options.form}
    return ChatRequest(
        id=uuid.uuid4().hex,
        document=f"ask:{uuid.uuid4().hex}",
        messages=(
            ChatMessage(
                role=Role.USER,
                text=asked.question,
                images=tuple(image_data(picture) for picture in asked.pictures),
            ),
        ),
        options={key: value for key, value in words.items() if value},
        model=options.model,
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        seed=options.seed,
    )


async def ask(request: ChatRequest, *, live: bool) -> Answer:
    """`live` prints pieces as they come. Raises GlmError."""
    text, end = "", None
    async with DaemonClient() as client:
        await client.connect()
        async for chunk in client.stream(request):
            text += chunk.text
            if live and chunk.text:
                print(chunk.text, end="", flush=True)
            end = chunk.end
    assert end is not None  # `stream` raises otherwise
    return Answer(text=text, images=(), end=end)


def as_json(answer: Answer, places: list[NamedPlace]) -> dict[str, Any]:
    """The object that `--json` prints; its words are a contract."""
    end: End = answer.end
    report = dict(end.report)
    return {
        "text": answer.text,
        "boxes": report.pop("boxes", []),
        "valid": report.pop("valid", None),
        "timings_ms": asdict(end.timings_ms),
        "tokens": asdict(end.tokens),
        "model": end.model,
        "finish": end.finish.value,
        **report,
        "places": [place.to_json() for place in places],
    }


def run(argv: Sequence[str]) -> int:
    """The `ask` subcommand."""
    options = arguments().parse_args(argv)
    asked = asked_by(options)
    answer = asyncio.run(ask(request_from(options, asked), live=not options.json))
    report = answer.end.report
    places = find_places(options.workspace.absolute(), report.get("places") or [])
    if options.draw is not None:
        _draw(options.draw, asked.pictures[-1], report.get("boxes") or [])
    if options.json:
        print(json.dumps(as_json(answer, places)))
        return 0
    print("" if answer.text.endswith("\n") else "\n", end="")
    for box in report.get("boxes") or []:
        print(f"box: {box}")
    for place in places:
        where = place.path or f"{place.file} (not in the workspace)"
        print(f"place: {where}:{place.line}  {place.text}".rstrip())
    for note in report.get("notes") or []:
        print(f"note: {note}", file=sys.stderr)
    if report.get("valid") is False:
        print("note: the answer is not valid for this task", file=sys.stderr)
    return 0


def _draw(target: Path, picture: bytes, boxes: list[list[int]]) -> None:
    """A copy of the picture with the boxes on it. Raises BadRequest where it cannot be written."""
    from glm_vision.box_drawing import outline
    from glm_vision.image_intake import ImageIntake

    with ImageIntake() as intake:
        taken = intake.read(picture)
    across = taken.picture.width / taken.source_width
    down = taken.picture.height / taken.source_height
    scaled = [(x0 * across, y0 * down, x1 * across, y1 * down) for x0, y0, x1, y1 in boxes]
    try:
        outline(taken.picture, scaled).save(target)
    except (OSError, ValueError) as error:
        raise BadRequest(f"{target} cannot be written ({error}).") from error
