"""The code actions of `glm/chat`: what a cursor or a selection offers, by what the model can do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from glm_lsp.json_body import JsonObject
from glm_lsp.offered_action import Action, Place

# task, title, kind; those of the second table need a model that chats
FILLING = (
    ("document", "Write documentation", "refactor.rewrite"),
    ("comment", "Write a comment above", "refactor.rewrite"),
)
TALKING = (
    ("explain", "Explain", "refactor"),
    ("tests", "Write tests", "refactor"),
)
MAX_FIXES = 3


def actions(place: Place) -> Iterator[Action]:
    """Documentation and a comment for a model that infills or chats; the rest for chats."""
    where: JsonObject = {
        "textDocument": {"uri": place.document.uri},
        "range": place.range.to_wire(),
    }

    def action(task: str, title: str, kind: str, **more: object) -> Action:
        params = {"task": task, **where, **more}
        return Action(title=f"GLM: {title}", kind=kind, request="glm/chat", params=params)

    if place.capabilities & {"infill", "chat"}:
        for task, title, kind in FILLING:
            yield action(task, title, kind)
    if "chat" not in place.capabilities:
        return
    for diagnostic in place.diagnostics[:MAX_FIXES]:
        message = diagnostic.get("message")
        if isinstance(message, str):
            title = f"Fix: {' '.join(message.split())[:60]}"
            fix = action("fix", title, "quickfix", diagnostic=diagnostic)
            yield replace(fix, diagnostics=(diagnostic,))
    for task, title, kind in TALKING:
        yield action(task, title, kind)
    yield action("review", "Review the file's changes", "source")
