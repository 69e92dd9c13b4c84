"""What is wrong with the types of a translation into Java or Go, line by line, before a compiler.

Heads and declarations are compared with what the source says; every expression is read with the
types that were declared so far. Only what cannot be counts: the unknown is never a fault.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from glm_codegen.translation.typed_expressions import ExpressionReader
from glm_codegen.translation.written_types import (
    BOOL,
    CHAR,
    FLOAT,
    INT,
    STR,
    UNKNOWN,
    VOID,
    Kind,
    agree,
    fits,
    read_type,
    split_top,
)

_M = "(?:[\ue000-\ue0ff]|[a-z]\\w*)"  # a name: a placeholder, or a word of the model's own
_WORD = re.compile(
    r"\b(?:int|double|char|boolean|String|Entry<[^=:]*>) ([a-z]\w*) [=:]|\b([a-z]\w*) :="
)
_CHARACTER = re.compile(r"'([\ue000-\ue0ff])'")
_PARAMS = {
    "python": (rf"def {_M}\((.*)\)(?: -> (.+))?:", rf"({_M}): (.+?)(?: = .*)?"),
    "javascript": (rf"(?:function |async |static )*{_M}\((.*)\)(?:: (.+))? \{{", rf"({_M}): (.+)"),
    "java": (rf"(?:static )?(?:(\S.*) )?{_M}\((.*)\) \{{", rf"(.+) ({_M})"),
    "go": (rf"func (?:\(\w+ \* ?{_M}\) )?(?:New)?{_M}\((.*)\) ?(.*?) ?\{{", rf"({_M}) (.+)"),
}
_MADE = re.compile(rf"func New({_M})\(.*\) (.*) \{{")  # Go's constructors
_HEADS = {
    language: (re.compile(head), re.compile(one)) for language, (head, one) in _PARAMS.items()
}


def head_types(line: str, language: str) -> dict[str, Kind] | None:
    """Types of the parameters by placeholder and of the result under "", of a function's head."""
    language = {"typescript": "javascript"}.get(language, language)
    if language not in _HEADS:
        return None
    head, one = _HEADS[language]
    line = line.strip().removeprefix("public ").removeprefix("private ")
    found = head.fullmatch(line)
    if found is None:
        return None
    result, params = found.groups() if language == "java" else found.groups()[::-1]
    first = language == "java"
    kinds: dict[str, Kind] = {}
    if result is not None:
        kinds[""] = read_type(result, language)
    for part in split_top(params) if params else []:
        if (match := one.fullmatch(part)) is None:
            continue
        name, text = match.groups()[::-1] if first else match.groups()
        kinds[name] = read_type(text, language)
    return kinds


class TypeLedger:
    """What is declared so far in one translation, and how much of it cannot be."""

    def __init__(self, source: str, target: str, texts: Mapping[str, str]) -> None:
        """`texts`: contents of placeholders inside quotes."""
        self._source, self._target, self._texts = source, target, texts
        self._kinds: dict[str, Kind] = {}
        self._returns: Kind = UNKNOWN
        self._constructs = False
        self._wrong = 0

    @property
    def reads(self) -> bool:
        """Whether the target is one whose types are read."""
        return self._target in ("java", "go")

    def faults(self, source: str, said: str) -> int:
        """Faults in `said`, the translation of these lines of the source."""
        if not self.reads:
            return 0
        self._wrong = 0
        wanted: dict[str, Kind] = {}
        for line in source.split("\n"):
            wanted.update(head_types(line, self._source) or {})
        for line in said.split("\n"):
            self._line(line, wanted)
        return self._wrong

    def _line(self, line: str, wanted: Mapping[str, Kind]) -> None:
        text = line.strip()
        for found in _CHARACTER.findall(text):
            self._wrong += len(self._texts.get(found, "x").replace("\\", "", 1)) > 1
        for word in _WORD.findall(text):
            self._kinds.setdefault(next(filter(None, word)), UNKNOWN)
        if not text or (text[0] in "/*}" and not text.startswith("} else if")):
            return
        text = text.removeprefix("} else ").removeprefix("else ")
        head = head_types(text, self._target)
        if head is not None and not text.startswith(("if", "for", "while", "return", "new", "} ")):
            made = _MADE.fullmatch(text)
            self._constructs = made is not None
            self._wrong += (
                made is not None and made.group(2).replace(" ", "") != f"*{made.group(1)}"
            )
            self._head(head, wanted)
        elif text.startswith(("class ", "type ", "{")) or text.endswith("struct {"):
            return
        elif self._target == "java":
            self._java(text.removeprefix("private ").removeprefix("final ").rstrip())
        else:
            self._go(text, line)

    def _head(self, head: Mapping[str, Kind], wanted: Mapping[str, Kind]) -> None:
        for name, kind in head.items():
            if name in wanted:
                self._wrong += not agree(wanted[name], kind)
        self._wrong += len({n for n in wanted if n} - set(head))
        self._kinds = {name: kind for name, kind in self._kinds.items() if name[:1] == "."}
        self._kinds.update({name: kind for name, kind in head.items() if name})
        self._returns = head.get("", VOID if self._target == "go" else UNKNOWN)

    def _kind(self, text: str, wanted: Kind = UNKNOWN) -> Kind:
        """The type of an expression, which has to fit."""
        reader = ExpressionReader(text, self._target, self._kinds)
        kind = reader.read()
        self._wrong += reader.wrong
        java = self._target == "java"
        constant = reader.literal and "." not in text
        self._wrong += not fits(wanted, kind, literal=constant, wide=java)
        return kind

    def _declare(self, name: str, kind: Kind) -> None:
        self._kinds[name] = kind

    def _java(self, text: str) -> None:
        if found := re.fullmatch(rf"for \((\S.*) ({_M}) : (.+)\) \{{", text):
            kind, over = read_type(found.group(1), "java"), self._kind(found.group(3))
            if over[0] in ("list", "set"):
                self._wrong += not fits(kind, over[1])
            elif over[0] != "?":
                self._wrong += 1
            self._declare(found.group(2), kind)
        elif found := re.fullmatch(rf"for \(int ({_M}) = (.+?); (.+); (.+)\) \{{", text):
            self._kind(found.group(2), INT)
            self._declare(found.group(1), INT)
            self._kind(found.group(3), BOOL)
        elif found := re.fullmatch(r"(?:if|while) \((.+)\) \{", text):
            self._kind(found.group(1), BOOL)
        elif found := re.fullmatch(rf"([A-Za-z][^\s=(]*(?:<.*>)?) ({_M})(?: = (.+))?;", text):
            if found.group(1) == "return":
                self._kind(found.group(2), self._returns)
                return
            kind = read_type(found.group(1), "java")
            if found.group(3) is None:
                self._declare("." + found.group(2), kind)
                return
            self._kind(found.group(3), kind)
            self._declare(found.group(2), kind)
        else:
            self._statement(text.rstrip(";"))

    def _go(self, text: str, line: str) -> None:
        body = text.removesuffix(" {")
        if found := re.fullmatch(rf"for (_|{_M}), ({_M}) := range (.+)", body):
            self._go_range(found.group(1), found.group(2), self._kind(found.group(3)))
        elif found := re.fullmatch(rf"for ({_M}) := range (.+)", body):
            over = self._kind(found.group(2))
            self._declare(found.group(1), over[1] if over[0] == "map" else INT)
        elif found := re.fullmatch(rf"for ({_M}) := (.+?); (.+); (.+)", body):
            self._declare(found.group(1), self._kind(found.group(2)))
            self._kind(found.group(3), BOOL)
        elif found := re.fullmatch(r"(?:if|for) (?:_, ok := (.+); )?(.+)", body):
            if found.group(1):
                held = re.fullmatch(rf"((?:self\.)?{_M})\[.+\]", found.group(1))
                kind = UNKNOWN if held is None else self._kind(held.group(1))
                self._wrong += held is None or kind[0] not in ("map", "set", "?")
                self._wrong += found.group(2).lstrip("!") != "ok"
            else:
                self._kind(found.group(2), BOOL)
        elif found := re.fullmatch(rf"var ({_M}) (.+)", text):
            self._declare(found.group(1), read_type(found.group(2), "go"))
        elif found := re.fullmatch(rf"({_M}) := (.+)", text):
            self._declare(found.group(1), self._kind(found.group(2)))
        elif found := re.fullmatch(rf"({_M}) ([^\s:=+\-*/%(]+)", text):
            if line.startswith("\t"):  # a field
                self._declare("." + found.group(1), read_type(found.group(2), "go"))
        elif found := re.fullmatch(rf"({_M}): (.+),", text):
            self._wrong += not self._constructs  # a field's value belongs to the literal made there
            self._kind(found.group(2), self._kinds.get("." + found.group(1), UNKNOWN))
        else:
            self._statement(text)

    def _go_range(self, key: str, value: str, over: Kind) -> None:
        kinds = {"list": (INT, over[-1]), "str": (INT, CHAR), "?": (UNKNOWN, UNKNOWN)}
        if over[0] == "map":
            kinds["map"] = (over[1], over[2])
        self._wrong += over[0] not in kinds
        first, second = kinds.get(over[0], (UNKNOWN, UNKNOWN))
        if key != "_":
            self._declare(key, first)
        self._declare(value, second)

    def _statement(self, text: str) -> None:
        if text.startswith("return"):
            given = text.removeprefix("return").strip()
            if given.startswith("&"):
                return
            if given:
                self._kind(given, self._returns)
            elif self._returns not in (VOID, UNKNOWN):
                self._wrong += 1
        elif found := re.fullmatch(r"(.+?) ([+\-*/%]?)= (.+)", text):
            self._assign(*found.groups())
        elif text not in ("break", "continue") and not text.startswith(("panic(", "throw ")):
            self._kind(re.sub(r"(\+\+|--)$", "", text))

    def _assign(self, place: str, sign: str, value: str) -> None:
        if split_top(place)[1:]:
            return  # several at once
        kind = self._kind(place)
        if sign == "+" and kind == STR and self._target == "java":
            self._kind(value)
            return
        if sign and kind[0] != "?":
            self._wrong += kind not in (
                (INT, FLOAT, STR, CHAR) if sign == "+" else (INT, FLOAT, CHAR)
            )
        self._kind(value, kind if not (sign and kind == FLOAT) else FLOAT)


__all__ = ["TypeLedger", "head_types"]
