"""What of a source file is translated, in which pieces.

A unit is a function, a class or a run of loose statements, as the grammar finds them. Imports are
left out: the target's own are added by `translation_layout`. A Java class of static methods is a
bag of functions, and is cut into them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from glm_context.syntax_facts import Unit
from glm_protocol.errors import BadRequest

MAX_LINES = 20_000
MAX_UNITS = 512
_BAGS = frozenset({"java", "csharp"})
_LONGEST_LOOSE = 60  # lines of loose statements that go as one unit
_ONLY_LAYOUT = re.compile(
    r"^\s*(?:package\s+\w[\w.]*;?|using namespace std;|#(?:include|pragma|ifndef|define|endif).*"
    r"|module\.exports\b.*|'use strict';?|\"use strict\";?|<\?php|\?>|namespace\s+\w[\w.\\]*;?)\s*$"
)
_STATIC = re.compile(r"\bstatic\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceUnit:
    """A piece to translate. `line` is its first, from 0.

    parts: of a class with several methods, the class with each of them alone, beside its fields
    and its constructor; so it is translated where the whole is too long.
    """

    kind: str
    name: str
    text: str
    line: int
    parts: tuple[str, ...] = ()


def check_size(text: str) -> None:
    """Raises BadRequest for a text with nothing in it, and for one that is too long."""
    if not text.strip():
        raise BadRequest("There is nothing to translate: the source is empty.")
    lines = text.count("\n") + 1
    if lines > MAX_LINES:
        raise BadRequest(
            f"The source has {lines:,} lines; at most {MAX_LINES:,} are translated at once.",
            remedy="Translate a part of it: --lines A-B, or a selection in the editor.",
        )


def source_units(units: Sequence[Unit], text: str, language: str) -> list[SourceUnit]:
    """The pieces of a file, in order. Raises BadRequest where there are none, or too many."""
    found: list[SourceUnit] = []
    for unit in units:
        if unit.kind == "import":
            continue
        if unit.kind == "class" and language in _BAGS and _is_bag(unit):
            found += [_piece(member, text, "function") for member in unit.members]
            continue
        if unit.kind in ("code", "comment", "package", "namespace"):
            found += _loose(unit, text)
            continue
        found.append(_piece(unit, text, unit.kind))
    if not found:
        raise BadRequest("There is nothing to translate: the source holds imports alone.")
    if len(found) > MAX_UNITS:
        raise BadRequest(
            f"The source has {len(found)} units; at most {MAX_UNITS} are translated at once.",
            remedy="Translate a part of it: --lines A-B, or a selection in the editor.",
        )
    return found


def _is_bag(unit: Unit) -> bool:
    methods = [member for member in unit.members if member.kind in ("method", "function")]
    return (
        bool(methods)
        and len(methods) == len(unit.members)
        and all(_STATIC.search(method.signature) for method in methods)
    )


def _piece(unit: Unit, text: str, kind: str) -> SourceUnit:
    kinds = {"method": "function", "struct": "class", "record": "class", "type": "class",
             "variable": "code", "constant": "code", "declaration": "code"}  # fmt: skip
    return SourceUnit(
        kind=kinds.get(kind, kind),
        name=unit.name,
        text=dedented(text[unit.start : unit.end] if not unit.text else unit.text),
        line=unit.first_line,
        parts=_parts(unit, text) if kinds.get(kind, kind) == "class" else (),
    )


def is_constructor(member: Unit, owner: str) -> bool:
    """Whether a member makes its class's objects."""
    return member.name in ("__init__", "constructor", "__construct", "init", owner)


def methods(unit: Unit) -> list[Unit]:
    """Methods of a class, without its constructors."""
    kinds = ("method", "function")
    return [m for m in unit.members if m.kind in kinds and not is_constructor(m, unit.name)]


def _parts(unit: Unit, text: str) -> tuple[str, ...]:
    found = methods(unit)
    if len(found) < 2:
        return ()
    parts = []
    for kept in found:
        body = text[unit.start : unit.end]
        for other in reversed(found):
            if other is not kept:
                body = body[: other.start - unit.start] + body[other.end - unit.start :]
        parts.append(dedented(body))
    return tuple(parts)


def _loose(unit: Unit, text: str) -> list[SourceUnit]:
    body = unit.text or text[unit.start : unit.end]
    lines = [line for line in body.split("\n") if line.strip() and not _ONLY_LAYOUT.match(line)]
    pieces = [lines[at : at + _LONGEST_LOOSE] for at in range(0, len(lines), _LONGEST_LOOSE)]
    return [
        SourceUnit(kind="code", name="", text=dedented("\n".join(piece)), line=unit.first_line)
        for piece in pieces
    ]


def dedented(text: str) -> str:
    """Without the indentation that all lines share; tabs and spaces are not mixed up."""
    lines = text.strip("\n").split("\n")
    widths = [line[: len(line) - len(line.lstrip())] for line in lines if line.strip()]
    shared = min(widths, key=len, default="")
    if not all(width.startswith(shared) for width in widths):
        return "\n".join(lines)
    return "\n".join(line[len(shared) :] for line in lines)


def own_methods(units: Sequence[Unit], text: str) -> list[str]:
    """Texts of the methods that a translated part of a class has, without constructors."""
    found = []
    for unit in units:
        if unit.kind in ("method", "function") and not unit.name.startswith("New"):
            found.append(text[unit.start : unit.end])
        for member in methods(unit):
            start = text.rfind("\n", 0, member.start) + 1  # with its indentation
            found.append(text[start : member.end])
    return [method.strip("\n") for method in found]


def with_methods(text: str, more: Sequence[str], target: str) -> str:
    """A translated class with further methods, which Go has outside of it."""
    added = "\n".join(more)
    if target in ("go", "python"):
        return f"{text.rstrip()}\n{added}"
    end = text.rstrip().rfind("}")
    return f"{text[:end].rstrip()}\n{added}\n{text[end:]}"
