"""Sends texts of a workspace to the engine's memory, in small requests that let completions pass.

Not here: which files, and what in them is secret; whoever feeds has asked `glm_context`.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncGenerator, Iterable, Iterator
from pathlib import PurePath

from glm_client.daemon_client import DaemonClient
from glm_protocol.answers import End
from glm_protocol.remembering import MAX_FILES, MAX_REMEMBERED, RememberedFile, RememberRequest

BATCH = 24_000  # characters: some tens of milliseconds of the engine's time


def workspace_name(root: PurePath | None) -> str:
    """The name of a folder's memory in requests; "" for none."""
    return "" if root is None else hashlib.sha256(str(root).encode()).hexdigest()[:32]


def batches(files: Iterable[tuple[str, str]]) -> Iterator[tuple[RememberedFile, ...]]:
    """Files in groups; one that is longer than may be remembered is cut at a line's end."""
    group: list[RememberedFile] = []
    size = 0
    for path, text in files:
        cut = text if len(text) <= MAX_REMEMBERED else text[: text.rfind("\n", 0, MAX_REMEMBERED)]
        kept = cut[:MAX_REMEMBERED].encode("utf-8", "replace").decode("utf-8")
        if group and (size + len(kept) > BATCH or len(group) == MAX_FILES):
            yield tuple(group)
            group, size = [], 0
        group.append(RememberedFile(path=path, text=kept))
        size += len(kept)
    if group:
        yield tuple(group)


async def feed(
    client: DaemonClient,
    workspace: str,
    files: Iterable[tuple[str, str]],
    *,
    model: str | None = None,
) -> AsyncGenerator[End, None]:
    """Send all; an end for each request, whose report says what is held now. Raises GlmError."""
    for group in batches(files):
        request = RememberRequest(
            id=uuid.uuid4().hex,
            document=f"memory/{uuid.uuid4().hex}",
            workspace=workspace,
            files=group,
            model=model,
        )
        answer = await client.whole(request)
        yield answer.end
