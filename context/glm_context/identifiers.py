"""Identifiers of a text and the search terms they make: themselves and their parts, lower case."""

from __future__ import annotations

import re
from collections.abc import Iterable

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,63}")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_MAX_KNOWN = 40_000

# Words of the languages themselves: they say nothing about which code is related.
KEYWORDS = frozenset(
    [
        "abstract",
        "and",
        "any",
        "array",
        "as",
        "assert",
        "async",
        "await",
        "auto",
        "base",
        "bool",
        "boolean",
        "break",
        "byte",
        "case",
        "catch",
        "char",
        "class",
        "const",
        "constexpr",
        "constructor",
        "continue",
        "declare",
        "def",
        "default",
        "defer",
        "delete",
        "do",
        "done",
        "double",
        "elif",
        "else",
        "elsif",
        "end",
        "enum",
        "esac",
        "except",
        "explicit",
        "export",
        "extends",
        "extern",
        "false",
        "finally",
        "float",
        "fn",
        "for",
        "foreach",
        "friend",
        "from",
        "func",
        "function",
        "get",
        "global",
        "go",
        "goto",
        "if",
        "impl",
        "implements",
        "import",
        "in",
        "include",
        "inline",
        "instanceof",
        "int",
        "interface",
        "internal",
        "is",
        "lambda",
        "let",
        "list",
        "long",
        "loop",
        "map",
        "match",
        "mod",
        "module",
        "mut",
        "namespace",
        "native",
        "new",
        "nil",
        "none",
        "not",
        "null",
        "number",
        "object",
        "of",
        "open",
        "operator",
        "or",
        "override",
        "package",
        "pass",
        "print",
        "private",
        "protected",
        "protocol",
        "pub",
        "public",
        "raise",
        "range",
        "readonly",
        "record",
        "ref",
        "register",
        "require",
        "rescue",
        "return",
        "select",
        "self",
        "set",
        "short",
        "signed",
        "sizeof",
        "static",
        "str",
        "string",
        "struct",
        "super",
        "switch",
        "synchronized",
        "template",
        "then",
        "this",
        "throw",
        "throws",
        "trait",
        "true",
        "try",
        "type",
        "typedef",
        "typename",
        "typeof",
        "undefined",
        "union",
        "unless",
        "unsafe",
        "unsigned",
        "until",
        "use",
        "using",
        "val",
        "value",
        "var",
        "virtual",
        "void",
        "volatile",
        "when",
        "where",
        "while",
        "with",
        "yield",
        "len",
        "the",
    ]
)


class TermMaker:
    """Splits identifiers, remembering those it has seen; bounded."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, ...]] = {}

    def of(self, identifier: str) -> tuple[str, ...]:
        """`readFileSync` → readfilesync, read, file, sync; keywords and short parts give none."""
        known = self._known.get(identifier)
        if known is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            known = self._known[identifier] = split(identifier)
        return known

    def of_text(self, text: str) -> set[str]:
        """Every term of a text."""
        terms: set[str] = set()
        for identifier in set(IDENTIFIER.findall(text)):
            terms.update(self.of(identifier))
        return terms


def split(identifier: str) -> tuple[str, ...]:
    whole = identifier.lower().strip("_")
    parts = [part.lower() for part in _PARTS.findall(identifier) if len(part) > 2]
    terms = dict.fromkeys([whole, *parts] if len(parts) != 1 else [whole])
    return tuple(term for term in terms if len(term) > 2 and term not in KEYWORDS)


def near(prefix: str, suffix: str, *, before: int = 40, after: int = 12) -> dict[str, float]:
    """Identifiers around a cursor with their weight: 3 on its line, falling with distance."""
    weights: dict[str, float] = {}
    lines = prefix.rsplit("\n", before)[-before:]
    for distance, line in enumerate(reversed(lines)):
        _weigh(weights, IDENTIFIER.findall(line[-400:]), 3.0 if distance == 0 else 2.0, distance)
    following = suffix.split("\n", after)[:after]
    for distance, line in enumerate(following):
        _weigh(weights, IDENTIFIER.findall(line[:400]), 1.0, distance)
    return weights


def _weigh(weights: dict[str, float], found: Iterable[str], top: float, distance: int) -> None:
    for identifier in found:
        if identifier.lower() not in KEYWORDS:
            weight = top / (1.0 + distance / 8)
            weights[identifier] = max(weights.get(identifier, 0.0), weight)
