"""Whether a body begins at the cursor that nothing stands in yet: the place for several lines.

The last token before the cursor decides, comments and a docstring passed over: one that opens a
body, or the end of a definition's head that has none. A colon of a slice, a pair or an annotation
opens nothing, nor does one in a string; and where statements of the body stand below the cursor,
one line is wanted and not another body.
"""

from __future__ import annotations

import re
from typing import Any

from glm_context.grammar_rules import GrammarRules
from glm_context.parse_engine import Budget
from glm_context.tree_units import body_of, kind_of

MOST_PASSED = 40  # comments and docstrings before the cursor
MAX_DEPTH = 1000
_OPENERS = frozenset({":", "{", "=>", "then", "do", "else", "begin", "ensure", "rescue"})
_BRACKETS = frozenset({"(", "["})
_CLOSERS = (b"}", b")", b"]", b"end", b"fi", b"done", b"esac", b"else", b"elif", b"</")
# Parents whose colon opens no body.
_PLAIN = ("pair", "slice", "dict", "lambda", "parameter", "type", "assign", "label", "ternary",
          "conditional", "declaration", "field", "argument", "index", "subscript")  # fmt: skip
_HEAD = re.compile(
    rb"\s*(?:async|def|class|if|elif|else|for|while|with|try|except|finally|match|case|default"
    rb"|public|private|protected)\b"
)
_DEFINED = ("function", "method", "class", "namespace")


def body_is_due(root: Any, rules: GrammarRules, data: bytes, at: int, budget: Budget) -> bool:
    """For a cursor with nothing behind it on its line, at the end of a head or on a blank line."""
    line_start = data.rfind(b"\n", 0, at) + 1
    line_end = data.find(b"\n", at)
    if data[at : len(data) if line_end < 0 else line_end].strip():
        return False
    blank = not data[line_start:at].strip()
    path = last_code(root, rules, data, at, budget)
    if path is None or not opens(path, rules, data, budget, blank=blank):
        return False
    return not is_written(data, path[-1].start_byte, at)


def last_code(
    root: Any, rules: GrammarRules, data: bytes, at: int, budget: Budget
) -> list[Any] | None:
    """The path to the last token before byte `at` that is neither comment nor docstring."""
    for _ in range(MOST_PASSED):
        end = len(data[:at].rstrip())
        if not end:
            return None
        path = path_of(root, end - 1, budget)
        passed = next((node for node in path if is_remark(node, rules)), None)
        if passed is None:
            return path
        if passed.end_byte > at:
            return None  # the cursor stands in it
        at = passed.start_byte
    return None


def path_of(root: Any, at: int, budget: Budget) -> list[Any]:
    """Nodes from the root to the token that holds byte `at`."""
    cursor, path = root.walk(), [root]
    while len(path) < MAX_DEPTH and cursor.goto_first_child_for_byte(at) is not None:
        budget.spend()
        if cursor.node.start_byte > at:
            break
        path.append(cursor.node)
    return path


def is_remark(node: Any, rules: GrammarRules) -> bool:
    """A comment, or a string that is the first statement of a definition's body."""
    if node.type in rules.comments:
        return True
    if node.type != "expression_statement" or node.named_child_count != 1:
        return False
    body = node.parent
    return bool(
        node.named_child(0).type == "string"
        and body is not None
        and body.parent is not None
        and body.type in rules.bodies
        and body.named_child(0) == node
    )


def opens(
    path: list[Any], rules: GrammarRules, data: bytes, budget: Budget, *, blank: bool
) -> bool:
    """Whether the last token of the path opens a body, or ends a head that lacks one."""
    token, parent = path[-1], path[-2] if len(path) > 1 else path[-1]
    if not token.is_named and token.type in _OPENERS:
        return token.type != ":" or begins_body(parent, data, token.start_byte)
    if not token.is_named and token.type in _BRACKETS:
        return blank
    # `def name` of Ruby: nothing opens the body but the end of the head's line.
    if not blank or rules.indented or data[token.end_byte : token.end_byte + 1] == b";":
        return False
    for node in reversed(path[-6:]):
        if kind_of(node, rules, depth=1) in _DEFINED:
            body = body_of(node, rules, budget)
            return body is None or body.start_byte >= token.end_byte
    return False


def begins_body(parent: Any, data: bytes, colon: int) -> bool:
    """Whether a colon ends a head. Where the tree is broken, the word that its line begins with."""
    if parent.is_error:
        return _HEAD.match(data[data.rfind(b"\n", 0, colon) + 1 : colon]) is not None
    return parent.type.endswith("_statement") or not any(part in parent.type for part in _PLAIN)


def is_written(data: bytes, head: int, at: int) -> bool:
    """Whether the next line below is indented deeper than the line of the head."""
    level = columns(data[data.rfind(b"\n", 0, head) + 1 :])
    below = data[at:].lstrip()
    if not below or below.startswith(_CLOSERS):
        return False
    start = len(data) - len(below)
    return columns(data[data.rfind(b"\n", 0, start) + 1 :]) > level


def columns(text: bytes) -> int:
    """Columns of white space in front of the first line."""
    line = text[: text.find(b"\n") if b"\n" in text else len(text)].expandtabs(4)
    return len(line) - len(line.lstrip())
