"""Whether an answer is what its task asks for: Mermaid, a table, a page. And its bare text."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser

from glm_vision.tasks.mermaid import MermaidError, parse_mermaid

_FENCE = re.compile(r"```[ \t]*([\w+-]*)[ \t]*\n(.*?)(?:\n```|\Z)", re.DOTALL)
_VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """`text` without fences and talk around it; `problem` is empty where it is valid."""

    text: str
    problem: str = ""

    @property
    def valid(self) -> bool:
        return not self.problem


def check_mermaid(answer: str) -> Checked:
    """By `mermaid.parse_mermaid`."""
    text = bare(answer)
    try:
        parse_mermaid(text)
    except MermaidError as error:
        return Checked(text=text, problem=str(error))
    return Checked(text=text)


def check_plantuml(answer: str) -> Checked:
    """Only that it begins and ends as PlantUML does; no parser of it is here."""
    text = bare(answer)
    lines = text.strip().splitlines()
    if lines and lines[0].startswith("@startuml") and lines[-1].strip() == "@enduml":
        return Checked(text=text)
    return Checked(text=text, problem="it does not stand between @startuml and @enduml")


def check_table(answer: str) -> Checked:
    """CSV of equally long rows with a header, or JSON."""
    text = bare(answer)
    if text.lstrip().startswith(("{", "[")):
        try:
            json.loads(text)
        except ValueError as error:
            return Checked(text=text, problem=f"it is not JSON ({error})")
        return Checked(text=text)
    try:
        rows = [row for row in csv.reader(io.StringIO(text), strict=True) if row]
    except csv.Error as error:
        return Checked(text=text, problem=f"it is not CSV ({error})")
    if len(rows) < 2 or len(rows[0]) < 2:
        return Checked(text=text, problem="a table has a header, a row and two columns")
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(rows[0]):
            return Checked(
                text=text, problem=f"row {number} has {len(row)} fields, the header {len(rows[0])}"
            )
    return Checked(text=text)


def check_html(answer: str) -> Checked:
    """That every element is closed, in order."""
    text = bare(answer)
    reader = _Nesting()
    reader.feed(text)
    reader.close()
    problem = reader.problem or (f"<{reader.open[-1]}> is not closed" if reader.open else "")
    if not problem and not reader.seen:
        problem = "there is no element in it"
    return Checked(text=text, problem=problem)


CHECKS: dict[str, Callable[[str], Checked]] = {
    "mermaid": check_mermaid,
    "plantuml": check_plantuml,
    "table": check_table,
    "html": check_html,
}


def bare(answer: str) -> str:
    """The first fenced block if there is one, else the whole."""
    fenced = _FENCE.search(answer)
    return (fenced[2] if fenced else answer).strip("\n").strip()


class _Nesting(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.problem = ""
        self.seen = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.seen = True
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag, attrs
        self.seen = True

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID or self.problem:
            return
        if not self.open or self.open[-1] != tag:
            self.problem = f"</{tag}> closes nothing that is open"
        else:
            self.open.pop()
