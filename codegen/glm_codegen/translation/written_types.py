"""Types as Python, JavaScript, Java, C++ and Go write them, in one form to compare.

A type is a word and its parts: `("list", ("int",))`. What is not known is `("?",)` and fits all.
"""

from __future__ import annotations

import re
from typing import Any

Kind = tuple[Any, ...]
UNKNOWN: Kind = ("?",)
INT, FLOAT, BOOL, STR, CHAR, VOID = (
    (word,) for word in ("int", "float", "bool", "str", "char", "void")
)
NUMBERS = (INT, FLOAT, CHAR)
_WORDS = {
    "int": INT, "long": INT, "Integer": INT, "Long": INT, "size_t": INT,
    "float": FLOAT, "double": FLOAT, "Double": FLOAT, "float64": FLOAT,
    "bool": BOOL, "boolean": BOOL, "Boolean": BOOL,
    "str": STR, "String": STR, "string": STR, "std::string": STR,
    "char": CHAR, "Character": CHAR, "rune": CHAR, "byte": CHAR,
    "void": VOID, "None": VOID, "": VOID,
}  # fmt: skip
_HOLDERS = {
    "list": "list", "List": "list", "ArrayList": "list", "Array": "list", "vector": "list",
    "set": "set", "Set": "set", "HashSet": "set", "unordered_set": "set",
    "dict": "map", "Map": "map", "HashMap": "map", "map": "map", "unordered_map": "map",
}  # fmt: skip
_GENERIC = re.compile(r"(?:std::)?(\w+)\s*[<\[](.*)[>\]]")


def read_type(text: str, language: str) -> Kind:
    """The type that a language's text says; unknown for what is none of the common ones."""
    text = text.replace("const ", "").strip().rstrip("&").strip()
    if text == "number":
        return ("number",)
    if language == "go":
        return _go_type(text)
    if text.endswith("[]"):
        return ("list", read_type(text[:-2], language))
    if text in _WORDS:
        return _WORDS[text]
    found = _GENERIC.fullmatch(text)
    if found is None or found.group(1) not in _HOLDERS:
        return UNKNOWN
    holder = _HOLDERS[found.group(1)]
    parts = split_top(found.group(2))
    if len(parts) != (2 if holder == "map" else 1):
        return (holder, UNKNOWN, UNKNOWN) if holder == "map" else (holder, UNKNOWN)
    return (holder, *(read_type(part, language) for part in parts))


def _go_type(text: str) -> Kind:
    if text.startswith("[]"):
        return ("list", _go_type(text[2:]))
    if text.startswith("map[") and "]" in text:
        key, _, value = text[4:].partition("]")
        return ("map", _go_type(key), _go_type(value))
    return _WORDS.get(text, UNKNOWN)


def split_top(text: str) -> list[str]:
    """Parts between commas that are inside no brackets."""
    parts, depth, start = list[str](), 0, 0
    for at, sign in enumerate(text):
        depth += (sign in "([{<") - (sign in ")]}>")
        if sign == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()]


def agree(source: Kind, target: Kind) -> bool:
    """Whether a type of the source may be this one in the target."""
    if "?" in (source[0], target[0]):
        return True
    if source[0] == "set" and target[0] == "map":
        return agree(source[1], target[1]) and target[2] in (BOOL, UNKNOWN)
    if source[0] == "number":
        return target in (INT, FLOAT)
    if source == STR:
        return target in (STR, CHAR)  # Python and JavaScript have no characters
    if source[0] != target[0] or len(source) != len(target):
        return False
    return all(agree(a, b) for a, b in zip(source[1:], target[1:], strict=True))


def fits(wanted: Kind, given: Kind, *, literal: bool = False, wide: bool = True) -> bool:
    """Whether a value may be kept under a type. `wide`: whole numbers become real by themselves."""
    if "?" in (wanted[0], given[0]):
        return True
    if wanted == FLOAT:
        return given == FLOAT or ((literal or wide) and given in (INT, CHAR))
    if wanted == INT:
        return given == INT or (wide and given == CHAR)
    if wanted == CHAR:
        return given == CHAR or (literal and given == INT)
    if wanted[0] != given[0] or len(wanted) != len(given):
        return False
    return all(fits(a, b, wide=False) for a, b in zip(wanted[1:], given[1:], strict=True))
