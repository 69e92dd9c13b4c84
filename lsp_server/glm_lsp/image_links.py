"""Pictures that a line of Markdown, HTML or code refers to, as files of the workspace.

Only the spelling is read, and whether such a file is there. A link that leads out of the workspace,
also through a symbolic link, is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

MAX_LINE = 4000  # characters that are looked at
MOST = 8  # links of a line
_NAME = r"[^\s\"'`<>|()\[\]]{1,400}?\.(?:png|jpe?g|webp|gif)"
_LINK = re.compile(rf"(?P<link>{_NAME})(?=[\s\"'`<>|()\[\]?#]|$)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageLink:
    """`start` and `end` are indexes into the line; `path` is absolute, resolved, a plain file."""

    start: int
    end: int
    path: Path


def image_links(line: str, document_uri: str, root: PurePosixPath | None) -> Iterator[ImageLink]:
    """Of one line; none without a workspace that holds the document."""
    if root is None:
        return
    base = Path(unquote(urlsplit(document_uri).path)).parent
    for count, match in enumerate(_LINK.finditer(line[:MAX_LINE])):
        if count == MOST:
            return
        found = _file(match["link"], base, Path(root))
        if found is not None:
            yield ImageLink(start=match.start("link"), end=match.end("link"), path=found)


def _file(link: str, base: Path, root: Path) -> Path | None:
    if "://" in link or link.startswith("data:"):
        return None
    name = unquote(link)
    for folder, relative in ((base, name), (root, name.lstrip("/"))):
        try:
            path = (folder / relative).resolve()
            if path.is_relative_to(root.resolve()) and path.is_file():
                return path
        except (OSError, ValueError, RuntimeError):
            continue
    return None
