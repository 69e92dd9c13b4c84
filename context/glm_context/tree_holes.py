"""Holes for evaluation: pieces of a correct file that a model is asked to write again."""

from __future__ import annotations

from typing import Any

from glm_context.grammar_rules import GrammarRules
from glm_context.parse_engine import Budget
from glm_context.tree_units import body_of, children, kind_of

MAX_HOLES = 2000
MAX_DEPTH = 60
MAX_BODY_LINES = 30
MIN_LINE = 6  # characters that a hole in a line must have

RawHole = tuple[str, int, int, int]  # kind, start, end (bytes), row


def holes_of(root: Any, rules: GrammarRules, data: bytes, budget: Budget) -> list[RawHole]:
    """Every candidate, in the order of the walk; the caller samples."""
    found: list[RawHole] = []
    walk(root, rules, data, budget, found, 0)
    return list(dict.fromkeys(found))[:MAX_HOLES]


def walk(
    node: Any, rules: GrammarRules, data: bytes, budget: Budget, found: list[RawHole], depth: int
) -> None:
    if depth > MAX_DEPTH or len(found) >= MAX_HOLES or node.has_error:
        return
    kind = kind_of(node, rules, depth=1)
    if kind in ("function", "method"):
        body = body_of(node, rules, budget)
        if body is not None:
            add_body(body, rules, data, budget, found)
    inside = list(children(node, budget))
    if node.type in rules.bodies and depth > 0:
        statements = [c for c in inside if c.is_named and c.type not in rules.comments]
        add_lines(statements, data, found)
        add_runs(statements, data, found)
    if node.type in rules.arguments:
        start, end = node.start_byte + 1, node.end_byte - 1
        if 4 <= end - start <= 120 and b"\n" not in data[start:end] and data[start:end].strip():
            found.append(("arguments", start, end, node.start_point[0]))
    for child in inside:
        if child.child_count:
            walk(child, rules, data, budget, found, depth + 1)


def add_body(
    body: Any, rules: GrammarRules, data: bytes, budget: Budget, found: list[RawHole]
) -> None:
    """A function's body: from its first statement (a docstring stays) to its last."""
    statements = [c for c in children(body, budget) if c.is_named and c.type not in rules.comments]
    if statements and is_docstring(statements[0]):
        statements = statements[1:]
    if not statements:
        return
    first, last = statements[0], statements[-1]
    if data[data.rfind(b"\n", 0, first.start_byte) + 1 : first.start_byte].strip():
        return  # a body on the line of its head
    lines = last.end_point[0] - first.start_point[0] + 1
    if lines <= MAX_BODY_LINES and last.end_byte - first.start_byte >= 12:
        found.append(("block_body", first.start_byte, last.end_byte, first.start_point[0]))


def is_docstring(node: Any) -> bool:
    if node.type != "expression_statement" or node.named_child_count != 1:
        return False
    return bool(node.named_child(0).type == "string")


def add_lines(statements: list[Any], data: bytes, found: list[RawHole]) -> None:
    """The rest of a one-line statement, from its second token on, and from its middle."""
    last_row = -1
    for node in statements:
        row = node.start_point[0]
        if row == last_row:
            continue  # one hole a line
        last_row = row
        end = data.find(b"\n", node.start_byte)
        end = len(data) if end < 0 else end
        text = data[node.start_byte : end].rstrip()
        end = node.start_byte + len(text)
        space = text.find(b" ")
        if node.end_point[0] != row or space < 0 or len(text) - space < MIN_LINE:
            continue
        found.append(("line", node.start_byte + space + 1, end, row))


def add_runs(statements: list[Any], data: bytes, found: list[RawHole]) -> None:
    """Two to six statements in a row that fill three to twelve lines, one run a place."""
    for i, first in enumerate(statements[:-1]):
        before = data[data.rfind(b"\n", 0, first.start_byte) + 1 : first.start_byte]
        if before.strip() or is_docstring(first):
            continue
        for j in range(i + 1, min(i + 6, len(statements))):
            lines = statements[j].end_point[0] - first.start_point[0] + 1
            if 3 <= lines <= 12:
                row = first.start_point[0]
                found.append(("multi_line", first.start_byte, statements[j].end_byte, row))
                break
