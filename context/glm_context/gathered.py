"""What is asked about a cursor and what is gathered for it: plain values, light to import."""

from __future__ import annotations

from dataclasses import dataclass

from glm_protocol.completion import Snippet


@dataclass(frozen=True, kw_only=True, slots=True)
class CursorSite:
    """A cursor in a text. `path` is relative to the workspace."""

    path: str
    language: str
    text: str
    offset: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RecentPlace:
    """Lines of another file as the editor has them, where the user edited or looked."""

    path: str
    language: str
    text: str
    first_line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Withheld:
    """Something left out for its secrets: where, and the kinds of secret."""

    path: str
    kinds: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """Snippets, best first, and what was kept from them."""

    snippets: tuple[Snippet, ...] = ()
    withheld: tuple[Withheld, ...] = ()
