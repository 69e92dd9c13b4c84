"""The namespace of C++'s library: dropped in outlines, written in full in the result."""

from __future__ import annotations

import re

_DROP = re.compile(r"\bstd::")
_NAMES = (
    "vector|string|unordered_map|unordered_set|map|set|pair|queue|stack|deque|array|min_element"
    "|max_element|min|max|abs|pow|sqrt|floor|ceil|round|to_string|stoi|stod|accumulate|find|sort"
    "|reverse|swap|transform|isdigit|isalpha|isalnum|isupper|islower|isspace|toupper|tolower"
    "|invalid_argument|runtime_error|out_of_range|cout|endl|count|numeric_limits|make_pair|move"
    "|priority_queue|optional|size_t|function|greater|tuple"
)
_ADD = re.compile(rf"(?<![\w:.>\"'])(?:{_NAMES})\b(?=\s*[<({{&*]|::|\s+[\w\ue000-\ue0ff]|>|,|\))")


def drop_standard(text: str, language: str) -> str:
    """Text of a C++ outline without `std::`; other languages unchanged."""
    return _DROP.sub("", text) if language == "cpp" else text


def add_standard(text: str, language: str) -> str:
    """The inverse, for text whose own names are still placeholders."""
    return _ADD.sub(lambda match: "std::" + match.group(), text) if language == "cpp" else text
