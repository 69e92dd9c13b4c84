"""Whether the user is typing along a suggestion, and what of it is still to come. Pure."""

from __future__ import annotations

from glm_lsp.context_window import ContextWindow

COMPARED = 2_000  # characters around the anchor that must still be the same


def typed_since(anchor: ContextWindow, now: ContextWindow) -> str | None:
    """What was typed at `anchor` to arrive at `now`; None when anything else changed."""
    if now.suffix[:COMPARED] != anchor.suffix[:COMPARED]:
        return None
    start = _line_start(now.prefix, now.line - anchor.line)
    if start is None:
        return None
    head = anchor.head
    if not now.prefix.startswith(head, start):
        return None
    then = anchor.prefix[: len(anchor.prefix) - len(head)]
    if now.prefix[max(0, start - COMPARED) : start] != then[-COMPARED:]:
        return None
    return now.prefix[start + len(head) :]


def remainder(text: str, typed: str) -> str | None:
    """What is left of the suggestion `text`; None when something else was typed."""
    return text[len(typed) :] if text.startswith(typed) else None


def _line_start(prefix: str, up: int) -> int | None:
    """Where the line begins that is `up` lines above the last line of `prefix`."""
    if up < 0:
        return None
    start = len(prefix)
    for _ in range(up + 1):
        if start < 0:
            return None
        start = prefix.rfind("\n", 0, start)
    # rfind gives -1 both at the window's top line and beyond it; the next round tells.
    return start + 1
