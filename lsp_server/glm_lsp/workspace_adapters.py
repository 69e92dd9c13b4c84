"""Which adapter a document's workspace has: none by name here, but the repository it is of.

The daemon knows the adapters and takes the newest one that was published for the repository, or
the base model where there is none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from glm_context.git_remote import identity_of

MAX_NAME = 256  # of the wire
FRESH_S = 60.0  # a repository's remote is looked up again after this


class WorkspaceAdapters:
    """`root_of`: the open folder that a document is in."""

    def __init__(
        self,
        root_of: Callable[[str], PurePosixPath | None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root_of = root_of
        self._clock = clock
        self._known: dict[PurePosixPath, tuple[float, str]] = {}

    def adapter_of(self, uri: str) -> str | None:
        """`@host/owner/name`, or None for a document outside of every folder."""
        root = self._root_of(uri)
        if root is None:
            return None
        now = self._clock()
        known = self._known.get(root)
        if known is None or now - known[0] > FRESH_S:
            known = (now, "@" + identity_of(Path(root)))
            self._known[root] = known
        return known[1] if len(known[1]) <= MAX_NAME else None
