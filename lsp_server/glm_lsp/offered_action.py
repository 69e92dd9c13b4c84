"""What a feature offers for a place: one entry of the editor's menu of code actions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from glm_lsp.documents import Document
from glm_lsp.json_body import JsonObject
from glm_lsp.params import Range


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where actions are asked for, and what the model in use can do."""

    document: Document
    range: Range
    diagnostics: tuple[JsonObject, ...]
    capabilities: frozenset[str]
    root: PurePosixPath | None = None  # the open folder that the document is in

    @property
    def empty(self) -> bool:
        return self.range.start == self.range.end


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """One entry of the menu: what it says, and the request that it runs (without its token).

    `diagnostics`: those that it would mend.
    """

    title: str
    kind: str
    request: str
    params: JsonObject
    diagnostics: tuple[JsonObject, ...] = ()
