"""The memories of the workspaces that an engine serves, and what it needs to use them.

Off (`weights` None) for a model without `memory.json` beside its weights: how much a memory may
say is fitted for one model on held-out code, and a guess could make a good model worse.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glm_codegen.completion_memory import CompletionMemory, NearMemories, document_ids
from glm_codegen.model_context import clean
from glm_codegen.vocabulary import Vocabulary
from glm_codegen.workspace_guesses import WorkspaceGuesses
from glm_protocol.completion import CodeContext, CompletionMode
from glm_protocol.remembering import RememberRequest
from glm_runtime.memory_mix import MemoryWeights
from glm_runtime.token_memory import TokenMemory

WEIGHTS = "memory.json"
MOST_WORKSPACES = 4  # the least recently used goes first

log = logging.getLogger(__name__)


class WorkspaceMemories:
    """One `TokenMemory` a workspace, by the name that requests give."""

    def __init__(self, vocabulary: Vocabulary, weights: MemoryWeights | None) -> None:
        self.weights = weights
        self._vocabulary = vocabulary
        self._near = NearMemories(vocabulary)
        self._held: OrderedDict[str, TokenMemory] = OrderedDict()

    @classmethod
    def of_model(cls, vocabulary: Vocabulary, folder: Path | None) -> WorkspaceMemories:
        """With the weights that lie beside the model's; damaged ones are as none."""
        path = None if folder is None else folder / WEIGHTS
        if path is None or not path.is_file():
            return cls(vocabulary, None)
        try:
            return cls(vocabulary, MemoryWeights.read(path))
        except (OSError, ValueError, TypeError) as error:
            log.warning("%s cannot be used (%s)", path, error)
            return cls(vocabulary, None)

    def remember(self, request: RememberRequest) -> Mapping[str, Any]:
        """Take texts in; the report for the request's end."""
        if self.weights is None:
            return {"documents": 0, "tokens": 0, "off": True}
        memory = self._of(request.workspace) or TokenMemory()
        self._held[request.workspace] = memory
        self._held.move_to_end(request.workspace)
        while len(self._held) > MOST_WORKSPACES:
            self._held.popitem(last=False)
        for file in request.files:
            if not file.text:
                memory.forget(file.path)
        texts = [(file.path, clean(file.text)) for file in request.files if file.text]
        memory.add(document_ids(texts, self._vocabulary))
        return {"documents": memory.documents, "tokens": memory.tokens}

    def held(self, workspace: str) -> Mapping[str, Any]:
        """What is held of a workspace, for a completion's report."""
        memory = self._held.get(workspace)
        documents, tokens = (0, 0) if memory is None else (memory.documents, memory.tokens)
        return {"documents": documents, "tokens": tokens}

    def for_completion(
        self, context: CodeContext, mode: CompletionMode, *, workspace: str, end: int | None
    ) -> CompletionMemory | None:
        """Memory of one completion; `context` ends where choosing begins."""
        if self.weights is None:
            return None
        return CompletionMemory(
            context,
            mode,
            vocabulary=self._vocabulary,
            weights=self.weights,
            file=self._near.file(context),
            pieces=self._near.pieces(context),
            workspace=self._of(workspace),
            end=end,
        )

    def guesses(
        self, context: CodeContext, tail: Sequence[int], *, workspace: str
    ) -> WorkspaceGuesses | None:
        """What the workspace's texts go on with; None where nothing is held of it."""
        memory = self._of(workspace)
        return None if memory is None else WorkspaceGuesses(memory, tail, besides=context.path)

    def _of(self, workspace: str) -> TokenMemory | None:
        memory = self._held.get(workspace) if workspace else None
        if memory is not None:
            self._held.move_to_end(workspace)
        return memory
