"""Settings of single documents: a language or a folder may have values of its own.

Invariant: what chooses a program, a model or an address is the same for every document.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from glm_protocol.settings import Settings, parse


class DocumentSettings:
    """`everywhere` holds where nothing was said about a document."""

    def __init__(self) -> None:
        self.everywhere = Settings()
        self._own: dict[str, Settings] = {}

    def of(self, uri: str) -> Settings:
        """The settings of a document."""
        own = self._own.get(uri)
        if own is None:
            return self.everywhere
        return replace(
            self.everywhere,
            enable=own.enable,
            enabled_languages=own.enabled_languages,
            disabled_languages=own.disabled_languages,
            inline_completion=own.inline_completion,
        )

    def take(self, uri: str, wire: Any) -> None:
        """What the editor said about one; bad values were complained about with `everywhere`."""
        if wire is not None:
            self._own[uri] = parse(wire)[0]

    def forget(self, uri: str) -> None:
        """It was closed."""
        self._own.pop(uri, None)
