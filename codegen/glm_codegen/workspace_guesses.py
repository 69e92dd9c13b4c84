"""What stands in the workspace after the same tokens, as a guess at what is said next."""

from __future__ import annotations

from collections.abc import Sequence

from glm_runtime.token_memory import LONGEST, TokenMemory


class WorkspaceGuesses:
    """`tail`: the last tokens before the cursor; `besides`: the open file, whose own repetitions
    are another source."""

    source = "workspace"

    def __init__(self, memory: TokenMemory, tail: Sequence[int], *, besides: str) -> None:
        self._memory = memory
        self._tail = list(tail)
        self._besides = besides

    def propose(self, said: Sequence[int], most: int) -> Sequence[int]:
        history = [*self._tail, *said][-LONGEST:]
        return self._memory.continuation(history, most, besides=self._besides)
