"""The editor's tasks as requests: what the model is shown for each, and what its answer changes.

Shared by `glm/chat` and `glm-lsp chat`. `document` and `comment` are holes for any infilling model;
the other tasks are turns for a model that chats, whose wording is the engine's side.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from glm_context.secret_files import is_secret_file
from glm_context.secret_rules import redact
from glm_lsp.position_codec import without_surrogates
from glm_protocol.chat import ChatMessage, ChatRequest, Role
from glm_protocol.errors import BadRequest

FILLING = ("document", "comment")
TALKING = ("ask", "change", "explain", "tests", "review", "fix")
TASKS = (*TALKING, *FILLING)
MAX_CANDIDATES = 8
MAX_MATERIAL = 60_000  # characters shown to the model; its context decides how much of it fits
OTHER_CANDIDATES = 0.8  # temperature of all but the first
DEADLINE_MS = 300_000
_FENCE = re.compile(r"^(`{3,})[^\n`]*\n(.*?)^\1[ \t]*$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A text that a task is about. `path` as shown to the model; `lines` have no line ends."""

    path: str
    language: str
    lines: Sequence[str] = field(default_factory=tuple)

    def part(self, first: int, last: int) -> str:
        """Lines `first` … `last`, from 0."""
        return "\n".join(self.lines[first : last + 1])


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """How the answer is wanted: which model, and which of the candidates this is."""

    model: str | None = None
    candidate: int = 0
    max_tokens: int = 1024


def talk_request(
    task: str,
    source: Source,
    material: str,
    wish: Wish,
    *,
    earlier: Sequence[ChatMessage] = (),
    diagnostic: str = "",
    instruction: str = "",
) -> ChatRequest:
    """The request for a chat task. Raises BadRequest where there is nothing to talk about."""
    if not material.strip():
        raise BadRequest(f"There is nothing to {task}.", remedy="Select some code, or ask.")
    if len(material) > MAX_MATERIAL:
        raise BadRequest(
            f"The text to {task} has {len(material):,} characters; at most {MAX_MATERIAL:,} go.",
            remedy="Select less.",
        )
    number = uuid.uuid4().hex
    shown, _ = redact(without_surrogates(material), source.language)  # no secret goes to a model
    options = {
        "task": task,
        "language": source.language[:64],
        "path": without_surrogates(source.path)[-4096:],
        "diagnostic": without_surrogates(diagnostic)[:4096],
        "instruction": without_surrogates(instruction)[:4096],
    }
    return ChatRequest(
        id=number,
        document=number,
        messages=(*earlier, ChatMessage(role=Role.USER, text=shown)),
        options={key: value for key, value in options.items() if value},
        model=wish.model,
        max_tokens=wish.max_tokens,
        temperature=OTHER_CANDIDATES if wish.candidate else 0.0,
        seed=wish.candidate,
        deadline_ms=DEADLINE_MS,
    )


def question_with(files: Sequence[tuple[str, str]], question: str) -> str:
    """A question on files, each under its path, in CodeGeeX4's form; files that do not fit are
    left out, the last ones first."""
    parts: list[str] = []
    room = MAX_MATERIAL - len(question) - 64
    for path, text in files:
        block = f"###PATH: {' '.join(path.split())}\n{text.rstrip()}\n"
        if len(block) > room:
            break
        parts.append(block)
        room -= len(block)
    return "\n".join([*parts, question])


def refuse_secret_file(path: str) -> None:
    """Raises BadRequest for a file whose text goes nowhere."""
    if is_secret_file(path):
        raise BadRequest("Files of this name hold secrets and are shown to no model.", remedy="")


def code_of(answer: str) -> str | None:
    """The first block between fences of an answer; None where there is none."""
    found = _FENCE.search(answer)
    return found[2] if found is not None else None
