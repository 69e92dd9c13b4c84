"""Colours that a style sheet names, in order: `#rgb`, `#rrggbb`, `rgb(…)`. Names are not read."""

from __future__ import annotations

import re
from pathlib import Path

from glm_protocol.errors import BadRequest
from glm_t2i.picture_finish import MAX_PALETTE

MAX_CSS = 1 << 20
_COLOUR = re.compile(
    r"#(?P<hex>[0-9a-fA-F]{8}|[0-9a-fA-F]{6}|[0-9a-fA-F]{3,4})\b"
    r"|rgba?\(\s*(?P<r>\d{1,3})\s*[, ]\s*(?P<g>\d{1,3})\s*[, ]\s*(?P<b>\d{1,3})\b"
)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_SELECTOR = re.compile(r"(^|[};])[^{};]*\{")


def palette_of(file: Path) -> str:
    """`#rrggbb,…` without repeats, at most 64. Raises BadRequest."""
    try:
        if file.stat().st_size > MAX_CSS:
            raise BadRequest(f"{file} is larger than 1 MB.", remedy="Name a smaller style sheet.")
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BadRequest(f"The palette {file} cannot be read ({error.strerror}).") from error
    text = _SELECTOR.sub("{", _COMMENT.sub(" ", text))  # `#add` may be an id
    found = dict.fromkeys(_hex(match) for match in _COLOUR.finditer(text))
    if not found:
        raise BadRequest(f"{file} names no colour.", remedy="Colours are read as #rrggbb or rgb().")
    return ",".join(list(found)[:MAX_PALETTE])


def _hex(match: re.Match[str]) -> str:
    digits = match["hex"]
    if digits is None:
        return "#" + "".join(f"{min(int(match[c]), 255):02x}" for c in "rgb")
    if len(digits) in (3, 4):
        digits = "".join(2 * digit for digit in digits)
    return "#" + digits[:6].lower()
