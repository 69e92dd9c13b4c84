"""A tree's units: definitions with what is attached to them, imports, comments, loose code.

Visits only the top of the tree and the bodies of containers, by cursor, within a budget.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from glm_context.grammar_rules import CONTAINERS, GrammarRules
from glm_context.parse_engine import Budget

MAX_DEPTH = 4  # containers in containers
MAX_SIGNATURE = 240
MAX_NAME = 200

RawUnit = dict[str, Any]  # kind, name, start, end (bytes), rows, signature, members


def children(node: Any, budget: Budget) -> Iterator[Any]:
    """Children in order, one at a time."""
    cursor = node.walk()
    more = cursor.goto_first_child()
    while more:
        budget.spend()
        yield cursor.node
        more = cursor.goto_next_sibling()


def units_of(
    root: Any, rules: GrammarRules, data: bytes, budget: Budget, depth: int = 0
) -> list[RawUnit]:
    """The units among the children of `root`, transparent nodes looked through."""
    found: list[RawUnit] = []
    above: RawUnit | None = None  # comments and attributes that may belong to what follows
    for node in flat(root, rules, budget):
        if not node.is_named and node.type not in ("ERROR",):
            continue
        if node.type in rules.comments or node.type in rules.attached:
            if above is not None and node.start_point[0] - above["last_line"] <= 1:
                stretch(above, node)
            else:
                keep(found, above)
                above = piece("comment", node)
            continue
        unit = unit_at(node, rules, data, budget, depth)
        defines = unit["kind"] not in ("import", "code")
        if above is not None and defines and touches(above, unit):
            unit["start"], unit["first_line"] = above["start"], above["first_line"]
            above = None
        keep(found, above)
        above = None
        join_or_add(found, unit)
    keep(found, above)
    return found


def flat(root: Any, rules: GrammarRules, budget: Budget, depth: int = 0) -> Iterator[Any]:
    for node in children(root, budget):
        if node.type in rules.transparent and depth < 3:
            body = node.child_by_field_name("body")
            yield from flat(node if body is None else body, rules, budget, depth + 1)
        else:
            yield node


def unit_at(node: Any, rules: GrammarRules, data: bytes, budget: Budget, depth: int) -> RawUnit:
    """A child as a unit, whatever it is."""
    if node.type in rules.imports or is_import_call(node, data):
        return piece("import", node)
    inner = unwrapped(node, rules, budget)
    kind = kind_of(inner, rules, depth)
    if kind is None:
        return piece("code", node)
    unit = piece(kind, node)
    unit["name"] = name_of(inner, data)
    body = body_of(inner, rules, budget)
    end = inner.end_byte if body is None else body.start_byte
    unit["signature"] = one_line(data[inner.start_byte : end])
    if kind in CONTAINERS and body is not None and depth < MAX_DEPTH:
        members = units_of(body, rules, data, budget, depth + 1)
        unit["members"] = [m for m in members if m["kind"] not in ("comment", "code", "import")]
    return unit


def kind_of(node: Any, rules: GrammarRules, depth: int) -> str | None:
    """Kind of a definition; None for any other node. `x = () => …` counts as a function."""
    kind = rules.definitions.get(node.type)
    if kind is None and depth > 0:
        kind = rules.members.get(node.type)
    if kind == "function" and depth > 0:
        return "method"
    if node.type == "declaration":
        # C: a prototype or a global; a bare `struct x { … };` comes as its own node
        return "declaration"
    if kind == "constant" and node.type in ("lexical_declaration", "variable_declaration"):
        declarator = first_of(node, "variable_declarator")
        value = None if declarator is None else declarator.child_by_field_name("value")
        if value is not None and value.type in ("arrow_function", "function_expression", "class"):
            return "class" if value.type == "class" else "function"
        if declarator is None:
            return None
    return kind


def unwrapped(node: Any, rules: GrammarRules, budget: Budget) -> Any:
    """The definition inside decorators, `export`, `template<…>`."""
    for _ in range(4):
        if node.type not in rules.wrappers and node.type != "expression_statement":
            return node
        inner = node.child_by_field_name("definition") or node.child_by_field_name("declaration")
        if inner is None:
            known = {**rules.definitions}
            inner = next((c for c in children(node, budget) if c.type in known), None)
            if inner is None and node.type in rules.wrappers:
                inner = next((c for c in children(node, budget) if c.type in rules.wrappers), None)
        if inner is None:
            return node
        node = inner
    return node


def name_of(node: Any, data: bytes) -> str:
    """The name that a definition gives, "" where it has none."""
    found = node.child_by_field_name("name")
    for step in ("declarator", "type", "key", "trait"):
        if found is None:
            found = node.child_by_field_name(step)
    if found is None:
        kinds = ("variable_declarator", "type_spec", "const_spec", "var_spec", "selectors")
        found = first_of(node, *kinds, "start_tag", "media", "type_alias")
    for _ in range(8):  # `int *(*name)(void)`, `const name = …`, `<div id=…>`
        if found is None:
            return ""
        inner = found.child_by_field_name("declarator") or found.child_by_field_name("name")
        if inner is None and found.type in ("start_tag", "init_declarator", "pointer_declarator"):
            inner = first_of(found, "tag_name", "identifier", "function_declarator")
        if inner is None:
            break
        found = inner
    if found is None:
        return ""
    return one_line(data[found.start_byte : found.end_byte])[:MAX_NAME].strip("\"'")


def body_of(node: Any, rules: GrammarRules, budget: Budget) -> Any | None:
    """The node that holds a definition's statements or members."""
    body = node.child_by_field_name("body")
    if body is not None:
        return body
    if node.type in ("lexical_declaration", "variable_declaration"):
        declarator = first_of(node, "variable_declarator")
        value = None if declarator is None else declarator.child_by_field_name("value")
        return None if value is None else value.child_by_field_name("body")
    return next((c for c in children(node, budget) if c.type in rules.bodies), None)


def first_of(node: Any, *types: str) -> Any | None:
    """The first child of one of these types, among the first 32."""
    cursor = node.walk()
    more = cursor.goto_first_child()
    for _ in range(32):
        if not more:
            return None
        if cursor.node.type in types:
            return cursor.node
        more = cursor.goto_next_sibling()
    return None


def is_import_call(node: Any, data: bytes) -> bool:
    """`require "x"` of Ruby, `source x` of Bash, `const x = require("x")` of Node."""
    if node.end_byte - node.start_byte > 400 or node.type not in IMPORT_CALLS:
        return False
    text = data[node.start_byte : node.end_byte]
    if node.type in ("lexical_declaration", "variable_declaration"):
        return b"= require(" in text
    head = text.split(None, 1)[0].split(b"(")[0] if text.split() else b""
    return head in (b"require", b"require_relative", b"load", b"source", b".", b"require_once",
                    b"include", b"include_once")  # fmt: skip


IMPORT_CALLS = frozenset(
    {"call", "command", "lexical_declaration", "variable_declaration", "expression_statement"}
)


def piece(kind: str, node: Any) -> RawUnit:
    last, column = node.end_point
    if column == 0 and last > node.start_point[0]:
        last -= 1  # the node ends with its line end
    return {
        "kind": kind,
        "name": "",
        "start": node.start_byte,
        "end": node.end_byte,
        "first_line": node.start_point[0],
        "last_line": last,
        "signature": "",
        "members": [],
    }


def stretch(unit: RawUnit, node: Any) -> None:
    more = piece("", node)
    unit["end"], unit["last_line"] = more["end"], more["last_line"]


def touches(above: RawUnit, unit: RawUnit) -> bool:
    return bool(unit["first_line"] - above["last_line"] <= 1)


def keep(found: list[RawUnit], above: RawUnit | None) -> None:
    if above is not None:
        found.append(above)


def join_or_add(found: list[RawUnit], unit: RawUnit) -> None:
    """Imports that follow each other are one unit, and so are loose statements."""
    last = found[-1] if found else None
    same = last is not None and unit["kind"] == last["kind"]
    if last is not None and same and (unit["kind"] == "import" or is_loose(last, unit)):
        last["end"], last["last_line"] = unit["end"], unit["last_line"]
    else:
        found.append(unit)


def is_loose(last: RawUnit, unit: RawUnit) -> bool:
    """Loose statements without a gap between them."""
    return bool(unit["kind"] == "code" and touches(last, unit))


def one_line(text: bytes) -> str:
    return " ".join(text[: 4 * MAX_SIGNATURE].decode("utf-8", "replace").split())[:MAX_SIGNATURE]
