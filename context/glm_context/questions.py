"""The questions that a `Syntax` answers, their wire form, and how an answer is read.

One definition for the synchronous and the asyncio client. Each question knows its answer by
indentation, for texts that are not parsed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from glm_context import indentation
from glm_context.grammar_table import GRAMMAR_OF, has_grammar
from glm_context.syntax_facts import (
    CursorFacts,
    Enclosing,
    Hole,
    ImportName,
    Outline,
    ParseProblem,
    Unit,
)

MAX_CHARACTERS = 1_000_000
MAX_LINE = 256 * 1024

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Question(Generic[T]):
    """One question about one text. `read` takes the parse process's result, `otherwise` none."""

    task: str
    text: str
    language: str
    document: str
    offset: int
    read: Callable[[Any], T]
    otherwise: Callable[[], T]

    @property
    def askable(self) -> bool:
        """Whether the text is worth a parse: a grammar, a sane size, no endless line."""
        return (
            has_grammar(self.language)
            and len(self.text) <= MAX_CHARACTERS
            and "\0" not in self.text
            and longest_line_within(self.text, MAX_LINE)
        )

    def head(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "language": self.language,
            "document": self.document,
            "offset": self.offset,
        }

    def fingerprint(self) -> str:
        """Names the text to the list of those that killed a parse process."""
        digest = hashlib.sha256(self.text.encode("utf-8", "replace"))
        return f"{GRAMMAR_OF.get(self.language)}:{digest.hexdigest()}"


def longest_line_within(text: str, most: int) -> bool:
    """Whether no line is longer than `most`; looks only at every `most`-th place for a start."""
    if len(text) <= most:
        return True
    return max(map(len, text.split("\n"))) <= most


def problems(text: str, language: str) -> Question[tuple[ParseProblem, ...] | None]:
    """Parse errors; None where the text cannot be parsed at all."""

    def read(result: Any) -> tuple[ParseProblem, ...]:
        return tuple(ParseProblem(line=row, column=col, message=why) for row, col, why in result)

    return _question("problems", text, language, read, lambda: None)


def outline(text: str, language: str, document: str = "") -> Question[Outline]:
    """Units and imports of a file."""

    def read(result: Any) -> Outline:
        units = tuple(_unit(wire, text) for wire in result["units"])
        return Outline(parsed=True, units=units, imports=_imports(result["imports"]))

    def otherwise() -> Outline:
        if len(text) > MAX_CHARACTERS:
            return Outline(parsed=False, units=())
        found = indentation.outline(text)
        return replace(found, units=tuple(_with_text(unit, text) for unit in found.units))

    return _question("outline", text, language, read, otherwise, document=document)


def cursor(text: str, language: str, offset: int, document: str = "") -> Question[CursorFacts]:
    """What stands around a cursor."""

    def read(result: Any) -> CursorFacts:
        return CursorFacts(
            parsed=True,
            node=result["node"],
            ancestors=tuple(result["ancestors"]),
            place=result["place"],
            body_is_due=result["body_is_due"],
            unit_start=result["unit"][0],
            unit_end=result["unit"][1],
            enclosing=tuple(_enclosing(wire) for wire in result["enclosing"]),
            siblings=tuple(_unit(wire, text) for wire in result["siblings"]),
            imports=_imports(result["imports"]),
        )

    return _question(
        "cursor",
        text,
        language,
        read,
        lambda: indentation.cursor_facts(text, offset),
        document=document,
        offset=offset,
    )


def holes(text: str, language: str) -> Question[tuple[Hole, ...]]:
    """Every place that an evaluation may cut out; none where the text cannot be parsed."""

    def read(result: Any) -> tuple[Hole, ...]:
        return tuple(Hole(kind=k, start=s, end=e, line=row) for k, s, e, row in result)

    return _question("holes", text, language, read, lambda: ())


def _question(
    task: str,
    text: str,
    language: str,
    read: Callable[[Any], T],
    otherwise: Callable[[], T],
    *,
    document: str = "",
    offset: int = 0,
) -> Question[T]:
    return Question(
        task=task,
        text=text,
        language=language,
        document=document[-1000:],
        offset=min(max(offset, 0), len(text)),
        read=read,
        otherwise=otherwise,
    )


def _unit(wire: dict[str, Any], text: str) -> Unit:
    return Unit(
        kind=wire["kind"],
        name=wire["name"],
        start=wire["start"],
        end=wire["end"],
        first_line=wire["first_line"],
        last_line=wire["last_line"],
        signature=wire["signature"],
        members=tuple(_unit(member, text) for member in wire["members"]),
        text=text[wire["start"] : wire["end"]],
    )


def _with_text(unit: Unit, text: str) -> Unit:
    members = tuple(_with_text(member, text) for member in unit.members)
    return replace(unit, members=members, text=text[unit.start : unit.end])


def _enclosing(wire: dict[str, Any]) -> Enclosing:
    keys = ("kind", "name", "signature", "start", "end", "first_line")
    return Enclosing(**{key: wire[key] for key in keys})


def _imports(wire: list[Any]) -> tuple[ImportName, ...]:
    return tuple(ImportName(module=m, names=tuple(names), line=row) for m, names, row in wire)
