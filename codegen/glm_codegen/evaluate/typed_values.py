"""Values of test calls, written as literals of five languages, and shown in one way by all five.

Types are written `int float bool str char list<T> set<T> map<K,V> void`. Values are JSON values; a
map is a list of pairs. Every driver prints a result by the same rules: floats with six decimals,
maps and sets in the order of their shown keys.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class ValueType:
    """A type of a test call's value."""

    name: str
    inner: tuple[ValueType, ...] = ()

    def __str__(self) -> str:
        """As written."""
        return f"{self.name}<{','.join(map(str, self.inner))}>" if self.inner else self.name


def parse_type(text: str) -> ValueType:
    """Inverse of `str`. Raises ValueError for what is no type."""
    text = text.strip()
    if "<" not in text:
        if text not in ("int", "float", "bool", "str", "char", "void"):
            raise ValueError(f"{text!r} is no type of a test call")
        return ValueType(name=text)
    name, rest = text.split("<", 1)
    if name not in ("list", "set", "map") or not rest.endswith(">"):
        raise ValueError(f"{text!r} is no type of a test call")
    parts, depth, start = list[str](), 0, 0
    rest = rest[:-1]
    for at, sign in enumerate(rest):
        depth += (sign == "<") - (sign == ">")
        if sign == "," and depth == 0:
            parts.append(rest[start:at])
            start = at + 1
    return ValueType(name=name, inner=tuple(parse_type(part) for part in (*parts, rest[start:])))


_SCALARS = {
    "java": {"int": "Integer", "float": "Double", "bool": "Boolean", "str": "String", "char": "Character"},  # noqa: E501
    "cpp": {"int": "int", "float": "double", "bool": "bool", "str": "std::string", "char": "char"},
    "go": {"int": "int", "float": "float64", "bool": "bool", "str": "string", "char": "rune"},
}  # fmt: skip
_HOLDERS = {
    "java": {"list": "List<{0}>", "set": "Set<{0}>", "map": "Map<{0}, {1}>"},
    "cpp": {"list": "std::vector<{0}>", "set": "std::unordered_set<{0}>",
            "map": "std::unordered_map<{0}, {1}>"},
    "go": {"list": "[]{0}", "set": "map[{0}]bool", "map": "map[{0}]{1}"},
}  # fmt: skip


def written_type(kind: ValueType, language: str) -> str:
    """A type as a language writes it."""
    if kind.inner:
        inner = [written_type(part, language) for part in kind.inner]
        return _HOLDERS[language][kind.name].format(*inner)
    return _SCALARS[language][kind.name]


def literal(value: Any, kind: ValueType, language: str) -> str:
    """A value as an expression of a language."""
    name = kind.name
    if name == "bool":
        return str(bool(value)) if language == "python" else str(bool(value)).lower()
    if name == "int":
        return str(int(value))
    if name == "float":
        return repr(float(value))
    if name == "str":
        quoted = json.dumps(value)
        return f"std::string({quoted})" if language == "cpp" else quoted
    if name == "char":
        if language in ("python", "javascript"):
            return json.dumps(value)
        return {"'": "'\\''", "\\": "'\\\\'"}.get(value, f"'{value}'")
    if name == "map":
        pairs = [
            tuple(literal(v, k, language) for v, k in zip(pair, kind.inner, strict=True))
            for pair in value
        ]
        return _map_literal(pairs, kind, language)
    return _list_literal([literal(item, kind.inner[0], language) for item in value], kind, language)


def _list_literal(items: Sequence[str], kind: ValueType, language: str) -> str:
    inside, is_set = ", ".join(items), kind.name == "set"
    if language == "python":
        return (f"{{{inside}}}" if items else "set()") if is_set else f"[{inside}]"
    if language == "javascript":
        return f"new Set([{inside}])" if is_set else f"[{inside}]"
    if language == "java":
        return f"new {'HashSet' if is_set else 'ArrayList'}<>(List.of({inside}))"
    if is_set and language == "go":
        inside = ", ".join(f"{item}: true" for item in items)
    return f"{written_type(kind, language)}{{{inside}}}"


def _map_literal(pairs: Sequence[tuple[str, ...]], kind: ValueType, language: str) -> str:
    if language == "python":
        return "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
    if language == "javascript":
        return "new Map([" + ", ".join(f"[{key}, {value}]" for key, value in pairs) + "])"
    if language == "java":
        return "new HashMap<>(Map.of(" + ", ".join(f"{key}, {value}" for key, value in pairs) + "))"
    if language == "go":
        return written_type(kind, "go") + "{" + ", ".join(f"{k}: {v}" for k, v in pairs) + "}"
    return written_type(kind, "cpp") + "{" + ", ".join(f"{{{k}, {v}}}" for k, v in pairs) + "}"
