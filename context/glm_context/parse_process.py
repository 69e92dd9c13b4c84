"""The disposable process that parses: `python -P -m glm_context.parse_process`.

Answers one question at a time on stdin and stdout until stdin ends. It may hang, run out of
memory or die of a hostile text: its client kills it, starts another and reads that text by its
indentation. Limits on memory are its own; the clock is the client's.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from typing import Any

from glm_context.char_offsets import CharOffsets
from glm_context.grammar_rules import RULES, GrammarRules
from glm_context.grammar_table import GRAMMAR_OF
from glm_context.import_names import imported
from glm_context.parse_engine import Budget, GaveUp, ParseEngine
from glm_context.parse_frames import MAX_HEAD, MAX_TEXT, QUESTION, answer
from glm_context.tree_cursor import facts_at
from glm_context.tree_holes import holes_of
from glm_context.tree_problems import problems_of
from glm_context.tree_units import RawUnit, children, is_import_call, units_of

MEMORY = 1 << 30  # bytes of address space


class Job:
    """One question with its tree."""

    def __init__(self, engine: ParseEngine, head: dict[str, Any], data: bytes) -> None:
        self.head, self.data = head, data
        self.grammar = GRAMMAR_OF[head["language"]]
        self.rules: GrammarRules = RULES[self.grammar]
        self.root = engine.parse(self.grammar, data, head.get("document", "")).root_node
        self.budget = Budget()
        self.offsets = CharOffsets(data)

    def problems(self) -> Any:
        return [
            [row, self._column(row, column), message]
            for row, column, message in problems_of(self.root, self.data, self.budget)
        ]

    def outline(self) -> Any:
        units = units_of(self.root, self.rules, self.data, self.budget)
        return {"units": [self._unit(unit) for unit in units], "imports": self._imports()}

    def cursor(self) -> Any:
        at = len(self.data.decode("utf-8")[: self.head["offset"]].encode())
        facts = facts_at(self.root, self.rules, self.data, at, self.budget)
        of = self.offsets.of
        return {
            "node": facts.node,
            "ancestors": facts.ancestors,
            "place": facts.place,
            "body_is_due": facts.body_is_due,
            "unit": [of(facts.unit[0]), of(facts.unit[1])],
            "enclosing": [self._unit(unit) for unit in facts.enclosing],
            "siblings": [self._unit(unit) for unit in facts.siblings],
            "imports": self._imports(),
        }

    def holes(self) -> Any:
        found = holes_of(self.root, self.rules, self.data, self.budget)
        return [[k, self.offsets.of(s), self.offsets.of(e), row] for k, s, e, row in found]

    def _imports(self) -> list[Any]:
        found: list[Any] = []
        for node in children(self.root, self.budget):
            if len(found) >= 200:
                break
            if node.type in self.rules.imports or is_import_call(node, self.data):
                text = self.data[node.start_byte : node.end_byte].decode("utf-8", "replace")
                for module, names in imported(self.grammar, text):
                    found.append([module, names, node.start_point[0]])
        return found

    def _unit(self, unit: RawUnit) -> dict[str, Any]:
        wire = dict(unit)
        wire["start"] = self.offsets.of(unit["start"])
        wire["end"] = self.offsets.of(unit["end"])
        wire["members"] = [self._unit(member) for member in unit.get("members", ())]
        return wire

    def _column(self, row: int, column: int) -> int:
        line = self.data.split(b"\n", row + 1)[row] if column else b""
        return len(line[:column].decode("utf-8", "replace"))


TASKS = ("problems", "outline", "cursor", "holes")


def answer_to(engine: ParseEngine, head: dict[str, Any], data: bytes) -> dict[str, Any]:
    """`{"result": …}`, or `{"gave_up": why}`."""
    if head.get("task") not in TASKS or head.get("language") not in GRAMMAR_OF:
        return {"gave_up": "no such task or language"}
    try:
        return {"result": getattr(Job(engine, head, data), head["task"])()}
    except GaveUp as error:
        return {"gave_up": str(error)}
    except (RecursionError, MemoryError, ImportError) as error:
        return {"gave_up": type(error).__name__}


def limit_ourselves() -> None:
    """No core dumps, bounded memory, gone with our parent's stdin."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the client's affair
    sys.setrecursionlimit(400)


def main() -> None:
    """Serve until stdin ends."""
    limit_ourselves()
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else prints must not break the frames
    engine = ParseEngine()
    while len(lengths := source.read(QUESTION.size)) == QUESTION.size:
        head_length, text_length = QUESTION.unpack(lengths)
        if head_length > MAX_HEAD or text_length > MAX_TEXT:
            return
        head = json.loads(source.read(head_length))
        sink.write(answer(answer_to(engine, head, source.read(text_length))))
        sink.flush()


if __name__ == "__main__":
    main()
