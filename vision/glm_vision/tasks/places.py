"""Files and lines that an error names: what a workspace is searched for afterwards."""

from __future__ import annotations

import re
from typing import Any

MOST = 20
_FILE = r"(?P<file>(?:[A-Za-z]:)?[\w./\\@+-]*[\w@+-]\.[A-Za-z]{1,5})"
# Where only a number can stand, letters that look like digits are read as digits.
_LOOKS = str.maketrans("OolISBZ", "0011582")
_NUMBER = r"(?=[OolISBZ]*\d)[\dOolISBZ]+"
_LINE, _COLUMN = rf"(?P<line>{_NUMBER})", rf"(?P<column>{_NUMBER})"
_FORMS = (
    re.compile(rf"File \"?{_FILE}\"?, line {_LINE}"),
    re.compile(rf"{_FILE}\({_LINE}(?:,{_COLUMN})?\)"),
    re.compile(rf"{_FILE}:{_LINE}(?::{_COLUMN})?"),
    re.compile(rf"{_FILE}\W{{1,4}}(?:on |at |in )?line {_LINE}"),
    re.compile(rf"line {_LINE}\W{{1,4}}(?:of|in) (?:the file )?[`'\"]?{_FILE}"),
)


def places_in(text: str) -> list[dict[str, Any]]:
    """`{"file", "line", "column"?}`, in the order of the text, each once."""
    found: list[tuple[int, dict[str, Any]]] = []
    for form in _FORMS:
        for match in form.finditer(text[:200_000]):
            place: dict[str, Any] = {
                "file": match["file"],
                "line": int(match["line"].translate(_LOOKS)),
            }
            column = match.groupdict().get("column")
            if column is not None:
                place["column"] = int(column.translate(_LOOKS))
            found.append((match.start(), place))
    found.sort(key=lambda pair: pair[0])
    places: list[dict[str, Any]] = []
    for _, place in found:
        if all((p["file"], p["line"]) != (place["file"], place["line"]) for p in places):
            places.append(place)
    return places[:MOST]
