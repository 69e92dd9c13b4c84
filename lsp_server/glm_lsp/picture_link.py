"""How a document refers to a picture: in its own language, with alternative text, relative.

Also the reverse: links of a line whose file is missing and could be drawn (`image_links` finds
those whose file is there). A spelling only; nothing is written here.
"""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

MAX_LINE = 4000
_HTML = frozenset({"html", "vue", "svelte", "php", "astro", "erb", "handlebars", "xml"})
_JSX = frozenset({"javascriptreact", "typescriptreact"})
_CSS = frozenset({"css", "scss", "sass", "less", "stylus"})
_MISSING = re.compile(r"(?P<link>[^\s\"'`<>|()\[\]=]{1,400}?\.png)(?=[\s\"'`<>|()\[\]?#]|$)", re.I)
_ALT = re.compile(r"!\[(?P<md>[^\]]{1,200})\]\($|alt=[\"'](?P<html>[^\"']{1,200})")
_SIDES = re.compile(r"\b(width|height)\s*[=:]\s*[\"'{]?(\d{1,4})(?!\d|%)")


@dataclass(frozen=True, kw_only=True, slots=True)
class MissingPicture:
    """A link to a PNG that is not there. `size` is "WxH" where the line says both sides."""

    path: Path
    words: str
    size: str


def link_to(picture: Path, document: PurePosixPath, language: str, *, alt: str, size: str) -> str:
    """The text to insert. Folders are parted by `/`; special characters are percent-encoded."""
    relative = quote(Path(os.path.relpath(picture, document.parent)).as_posix())
    said = " ".join(alt.split())
    width, _, height = size.partition("x")
    if language == "markdown" or language.startswith("mdx"):
        escaped = re.sub(r"([\\\[\]])", r"\\\1", said)
        return f"![{escaped}]({relative})"
    if language in _HTML:
        quoted = html.escape(said)
        return f'<img src="{relative}" alt="{quoted}" width="{width}" height="{height}">'
    if language in _JSX:
        quoted = html.escape(said)
        return f'<img src="{relative}" alt="{quoted}" width={{{width}}} height={{{height}}} />'
    if language in _CSS:
        return f'url("{relative}")'
    if language == "restructuredtext":
        return f".. image:: {relative}\n   :alt: {said}"
    if language in ("latex", "tex"):
        return f"\\includegraphics{{{relative}}}"
    return relative


def missing_pictures(
    line: str, document_uri: str, root: PurePosixPath | None
) -> Iterator[MissingPicture]:
    """PNG links of a line that lead to nothing inside the workspace."""
    if root is None:
        return
    base, line = Path(unquote(urlsplit(document_uri).path)).parent, line[:MAX_LINE]
    sides = dict(_SIDES.findall(line))
    size = f"{sides['width']}x{sides['height']}" if len(sides) == 2 else ""
    for match in _MISSING.finditer(line):
        path = _inside(unquote(match["link"]), base, Path(root))
        if path is not None:
            words = _alt_of(line, match.start("link")) or re.sub(r"[-_.]+", " ", path.stem).strip()
            yield MissingPicture(path=path, words=words, size=size)


def _alt_of(line: str, at: int) -> str:
    before = _ALT.search(line[:at])
    found = before if before is not None and before["md"] else _ALT.search(line)
    return "" if found is None else (found["md"] or found["html"] or "").strip()


def _inside(link: str, base: Path, root: Path) -> Path | None:
    """Where the picture belongs; None where one is there, or it would lie outside."""
    if "://" in link or link.startswith(("data:", "//")):
        return None
    try:
        places = [(root / link.lstrip("/"))] if link.startswith("/") else [base / link, root / link]
        resolved = [place.resolve() for place in places]
        if any(place.exists() for place in resolved):
            return None
        place = resolved[0]
        return place if place.is_relative_to(root.resolve()) else None
    except (OSError, ValueError, RuntimeError):
        return None
