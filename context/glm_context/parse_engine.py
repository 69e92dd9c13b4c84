"""tree-sitter under budgets: the only module that calls its parser. Runs in the parse process.

What was measured of tree-sitter 0.26 and is answered here: a cancelled parse leaks into the next
one unless the parser is reset; a parse of bytes ignores the progress callback and holds the GIL,
only a read callback can be stopped; `str(node)` overflows the stack on deep nesting, so nobody
calls it, and trees are walked by cursor with bounds on steps and depth.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any

from glm_context.grammar_table import load

MAX_BYTES = 1_000_000
PARSE_S = 0.25  # of CPU: a busy machine changes no answer; the clock is the client's
WALK_S = 0.25
MAX_TREES = 8  # of open documents, kept for incremental parsing
_SLICE = 65_536


class GaveUp(Exception):
    """A budget ran out; the text is read by its indentation instead."""


class Budget:
    """Time for walking one tree; `spend` is called for each node visited."""

    def __init__(self, seconds: float = WALK_S, nodes: int = 100_000) -> None:
        self._until = time.process_time() + seconds
        self._left = nodes

    def spend(self) -> None:
        """Raises GaveUp beyond the bounds."""
        self._left -= 1
        if self._left < 0 or (self._left % 256 == 0 and time.process_time() > self._until):
            raise GaveUp("the tree is too large to be walked in time")


class ParseEngine:
    """Parsers by grammar and the trees of recent documents."""

    def __init__(self) -> None:
        self._parsers: dict[str, Any] = {}
        self._trees: OrderedDict[tuple[str, str], tuple[bytes, Any]] = OrderedDict()

    def parse(self, grammar: str, data: bytes, document: str = "") -> Any:
        """The tree of `data`; incremental where `document` was parsed before. Raises GaveUp."""
        if len(data) > MAX_BYTES:
            raise GaveUp(f"more than {MAX_BYTES:,} bytes")
        key = (grammar, document)
        old = self._trees.get(key) if document else None
        if old is not None and old[0] == data:
            self._trees.move_to_end(key)
            return old[1]
        tree = self._parse(grammar, data, None if old is None else edited(*old, data))
        if document:
            self._trees[key] = (data, tree)
            self._trees.move_to_end(key)
            while len(self._trees) > MAX_TREES:
                self._trees.popitem(last=False)
        return tree

    def _parse(self, grammar: str, data: bytes, old_tree: Any | None) -> Any:
        parser = self._parser(grammar)
        until = time.process_time() + PARSE_S

        def read(offset: int, _: Any) -> bytes:
            return data[offset : offset + _SLICE]

        def stop(_offset: int, _has_error: bool) -> bool:
            return time.process_time() > until

        try:
            if old_tree is None:
                tree = parser.parse(read, progress_callback=stop)
            else:
                tree = parser.parse(read, old_tree, progress_callback=stop)
        except ValueError as error:
            raise GaveUp("parsing took too long") from error
        finally:
            parser.reset()
        assert tree.root_node.end_byte <= len(data), "a tree that is longer than its text"
        return tree

    def _parser(self, grammar: str) -> Any:
        if grammar not in self._parsers:
            from tree_sitter import Parser

            self._parsers[grammar] = Parser(load(grammar))
        return self._parsers[grammar]


def edited(old: bytes, tree: Any, new: bytes) -> Any:
    """A copy of the old tree that knows which stretch of the text changed."""
    shortest = min(len(old), len(new))
    start = _same_prefix(old, new, shortest)
    tail = _same_suffix(old, new, shortest - start)
    old_end, new_end = len(old) - tail, len(new) - tail
    copy = tree.copy()
    copy.edit(
        start, old_end, new_end, _point(old, start), _point(old, old_end), _point(new, new_end)
    )
    return copy


def _same_prefix(a: bytes, b: bytes, most: int) -> int:
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _same_suffix(a: bytes, b: bytes, most: int) -> int:
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if a[len(a) - middle : len(a) - low] == b[len(b) - middle : len(b) - low]:
            low = middle
        else:
            high = middle - 1
    return low


def _point(data: bytes, offset: int) -> tuple[int, int]:
    return data.count(b"\n", 0, offset), offset - (data.rfind(b"\n", 0, offset) + 1)
