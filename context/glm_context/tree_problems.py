"""The places of a tree that the grammar does not know, as phrases."""

from __future__ import annotations

from typing import Any

from glm_context.parse_engine import Budget

MAX_PROBLEMS = 50
MAX_DEPTH = 400


def problems_of(root: Any, data: bytes, budget: Budget) -> list[tuple[int, int, str]]:
    """(row, byte column, message) of errors and missing tokens, in order; at most 50.

    Goes only into nodes that hold an error, and not into an error itself.
    """
    found: list[tuple[int, int, str]] = []
    if not root.has_error:
        return found
    cursor = root.walk()
    depth = 0
    while len(found) < MAX_PROBLEMS:
        budget.spend()
        node = cursor.node
        into = False
        if node.is_missing:
            found.append((*node.start_point, f"missing `{shown(node.type)}`"))
        elif node.is_error:
            text = data[node.start_byte : node.end_byte][:200].decode("utf-8", "replace")
            found.append((*node.start_point, f"unexpected `{shown(text)}`"))
        else:
            into = node.has_error and depth < MAX_DEPTH
        if into and cursor.goto_first_child():
            depth += 1
            continue
        while not cursor.goto_next_sibling():
            if depth == 0:
                return found
            cursor.goto_parent()
            depth -= 1
    return found


def shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else line[:39] + "…"
