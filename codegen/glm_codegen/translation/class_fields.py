"""Puts a class together whose fields are told where the constructor gives them their values.

Python and JavaScript declare fields by assigning them; Java, C++ and Go want them before. The model
writes each declaration next to its assignment, where it sees the type; the lines of the constructor
wait here until it ends, and its declarations go out first. In Go the assignments become the literal
that the constructor returns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_CLASS = re.compile(r"(?:public )?class (\S+) \{")
_STRUCT = re.compile(r"type (\S+) struct \{")
_FIELD = {"java": re.compile(r" {4}(?:private |public )?[^ /*].*;"),
          "cpp": re.compile(r" {4}[^ /].*;"),
          "go": re.compile(r"\t(?!return )[^\s/]+ [^\s:=]+")}  # fmt: skip
_END = {"java": "    }", "cpp": "    }", "go": "}"}


def put_together(text: str, target: str) -> str:
    """A whole answer with its lines in the target's order."""
    fields = ClassFields(target=target)
    lines = [out for line in text.split("\n") for out in fields.take(line)]
    return "\n".join([*lines, *fields.finish()])


@dataclass(kw_only=True)
class ClassFields:
    """Lines of one answer in, lines in the target's order out; all is passed on in the end."""

    target: str
    _title: str = ""
    _open: bool = False  # Go: the struct is not closed yet
    _head: str = ""
    _fields: list[str] = field(default_factory=list)
    _body: list[str] = field(default_factory=list)

    def take(self, line: str) -> list[str]:
        """What may be shown after this line."""
        if self.target not in _FIELD:
            return [line]
        if self._head:
            return self._inside(line)
        started = (_STRUCT if self.target == "go" else _CLASS).fullmatch(line)
        if started is not None:
            self._title, self._open = started.group(1), self.target == "go"
            return [line]
        if self._title and self._constructs(line):
            self._head = line
            return []
        if self._open and line == "}":
            self._open = False
        elif self._open and not _FIELD["go"].fullmatch(line):
            return [*self._close(), line]
        return [line]

    def moves(self, line: str) -> bool:
        """Whether this line, the next one, declares a field that goes before the constructor."""
        return bool(self._head) and _FIELD[self.target].fullmatch(line) is not None

    def _constructs(self, line: str) -> bool:
        if self.target == "go":
            return line.startswith(f"func New{self._title}(")
        words = line.strip().removeprefix("public ")
        return words.startswith(f"{self._title}(") and line.endswith("{")

    def _inside(self, line: str) -> list[str]:
        if line == _END[self.target]:
            return [*self._flush(), line]
        (self._fields if self.moves(line) else self._body).append(line)
        return []

    def _close(self) -> list[str]:
        was, self._open = self._open, False
        return ["}"] if was else []

    def _flush(self) -> list[str]:
        body = self._body
        if self.target == "go" and not any(line.startswith("\treturn ") for line in body):
            given = [line for line in body if line.startswith("\t\t")]
            rest = [line for line in body if not line.startswith("\t\t")]
            made = f"\treturn &{self._title}{{"
            body = [*rest, made, *given, "\t}"] if given else [*rest, made + "}"]
        out = [*self._fields, *self._close(), self._head, *body]
        self._fields, self._body, self._head, self._title = [], [], "", ""
        return out

    def finish(self) -> list[str]:
        """What still waits, when the answer ends before its constructor does."""
        out = [*self._fields, *self._close(), self._head, *self._body] if self._head else []
        self._fields, self._body, self._head = [], [], ""
        return [*out, *self._close()]
