"""What stands around a cursor in a tree: place, unit, enclosing definitions, siblings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glm_context.grammar_rules import CONTAINERS, GrammarRules
from glm_context.parse_engine import Budget, GaveUp
from glm_context.tree_body import body_is_due, columns
from glm_context.tree_units import RawUnit, body_of, kind_of, name_of, one_line, units_of

MAX_DEPTH = 1000
MAX_SIBLINGS = 80
_OPENERS = (b":", b"{", b"(", b"[", b"=>", b"then", b"do", b"else")


@dataclass(frozen=True, kw_only=True, slots=True)
class RawCursor:
    """`CursorFacts` in bytes."""

    node: str
    ancestors: tuple[str, ...]
    place: str
    body_is_due: bool
    unit: tuple[int, int]
    enclosing: tuple[RawUnit, ...]
    siblings: tuple[RawUnit, ...]


def path_to(root: Any, at: int, budget: Budget) -> list[Any]:
    """Nodes from the root to the smallest one that holds byte `at` (or ends there)."""
    cursor = root.walk()
    path = [root]
    while True:
        if len(path) > MAX_DEPTH:
            raise GaveUp("the text is nested too deeply")
        if cursor.goto_first_child_for_byte(at) is None or not holds(cursor.node, at):
            return path
        budget.spend()
        path.append(cursor.node)


def holds(node: Any, at: int) -> bool:
    return bool(node.start_byte <= at <= node.end_byte)


def facts_at(root: Any, rules: GrammarRules, data: bytes, at: int, budget: Budget) -> RawCursor:
    """Everything about byte `at`."""
    line_start = data.rfind(b"\n", 0, at) + 1
    line_end = data.find(b"\n", at)
    line_end = len(data) if line_end < 0 else line_end
    blank = not data[line_start:line_end].strip()
    path = path_to(root, at, budget)
    if blank and rules.indented:
        path = path_by_indentation(root, rules, data, at, budget)
    place = place_of(path, rules, data, at, blank, line_start)
    enclosing = enclosing_of(path, rules, data, budget)
    return RawCursor(
        node=path[-1].type,
        ancestors=tuple(node.type for node in reversed(path[-17:-1])),
        place=place,
        body_is_due=place not in ("comment", "string")
        and body_is_due(root, rules, data, at, budget),
        unit=unit_range(path, rules, data, at, blank),
        enclosing=enclosing,
        siblings=siblings_of(root, path, rules, data, at, budget),
    )


def path_by_indentation(
    root: Any, rules: GrammarRules, data: bytes, at: int, budget: Budget
) -> list[Any]:
    """On a blank line of an indented language the tree says nothing: the path to the last text
    before it, as far as the line's indentation lets it be inside."""
    column = columns(data[data.rfind(b"\n", 0, at) + 1 : at])
    path = path_to(root, max(len(data[:at].rstrip()) - 1, 0), budget)
    for i, node in enumerate(path[1:], 1):
        if path[i - 1].type in rules.bodies:
            line = data[data.rfind(b"\n", 0, node.start_byte) + 1 : node.start_byte]
            if columns(line) >= column:
                return path[:i]
    return path


def place_of(
    path: list[Any], rules: GrammarRules, data: bytes, at: int, blank: bool, line_start: int
) -> str:
    types = [node.type for node in path]
    last = path[-1]
    if any(kind in rules.comments for kind in types[-2:]) and at > last.start_byte:
        return "comment"
    if not blank:
        inside = [n for n in path if n.type in rules.strings and n.start_byte < at < n.end_byte]
        if inside:
            return "string"
    definition = any(n.type in rules.definitions or n.type in rules.members for n in path[1:])
    if blank:
        return "body" if definition else "top"
    before = data[line_start:at].rstrip()
    after = data[at : data.find(b"\n", at) if data.find(b"\n", at) >= 0 else len(data)]
    if not after.strip() and before.endswith(_OPENERS[:2]):
        return "head"
    for node in reversed(path[-12:]):
        within = at < node.end_byte or data[node.end_byte - 1 : node.end_byte] != b")"
        if node.type in rules.arguments and node.start_byte < at and within:
            return "arguments"
        if node.type in rules.bodies:
            break
    return "statement" if definition or before else "top"


def unit_range(
    path: list[Any], rules: GrammarRules, data: bytes, at: int, blank: bool
) -> tuple[int, int]:
    """The statement or definition at the cursor; in a body, from the cursor to the body's end."""
    bodies = [i for i, node in enumerate(path) if node.type in rules.bodies or i == 0]
    innermost = bodies[-1]
    if blank or innermost == len(path) - 1:
        body = path[innermost]
        end = body.end_byte
        if data[end - 1 : end] == b"}":
            end -= 1
        return at, max(at, end)
    statement = path[innermost + 1]
    return statement.start_byte, statement.end_byte


def enclosing_of(
    path: list[Any], rules: GrammarRules, data: bytes, budget: Budget
) -> tuple[RawUnit, ...]:
    """Definitions on the path, outermost first."""
    found: list[RawUnit] = []
    for node in path[1:]:
        kind = kind_of(node, rules, depth=1)
        if kind is None or kind in ("constant", "declaration", "field", "variable", "macro"):
            continue
        body = body_of(node, rules, budget)
        end = node.end_byte if body is None else body.start_byte
        found.append(
            {
                "kind": kind,
                "name": name_of(node, data),
                "signature": one_line(data[node.start_byte : end]),
                "start": node.start_byte,
                "end": node.end_byte,
                "first_line": node.start_point[0],
            }
        )
    return tuple(found[-8:])


def siblings_of(
    root: Any, path: list[Any], rules: GrammarRules, data: bytes, at: int, budget: Budget
) -> tuple[RawUnit, ...]:
    """Members of the innermost container and definitions of the file, without the one at hand."""
    found: list[RawUnit] = []
    containers = [n for n in path[1:] if kind_of(n, rules, depth=1) in CONTAINERS]
    if containers:
        body = body_of(containers[-1], rules, budget)
        if body is not None:
            found += units_of(body, rules, data, budget, depth=2)
    found += units_of(root, rules, data, budget, depth=3)
    seen: set[tuple[int, int]] = set()
    kept = []
    for unit in found:
        if unit["kind"] in ("import", "comment", "code") or unit["start"] <= at <= unit["end"]:
            continue
        span = (unit["start"], unit["end"])
        if span not in seen:
            seen.add(span)
            kept.append(unit)
    return tuple(kept[:MAX_SIBLINGS])
