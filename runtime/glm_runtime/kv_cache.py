"""The tokens whose keys and values are kept from one request to the next.

Between keystrokes most of a prompt stays the same: what both begin with is kept, token by token,
and only the rest is computed. How keys and values lie in memory is the model's business.
"""

from __future__ import annotations

from collections.abc import Sequence

from glm_runtime.causal_model import KVStore


class KVCache:
    """Invariant: `tokens` is what `store` holds, unless a forward failed in between; whoever
    sees it fail must `clear`."""

    def __init__(self, store: KVStore) -> None:
        self.tokens: list[int] = []
        self.store = store

    def keep_common(self, prompt: Sequence[int]) -> int:
        """Keep what `prompt` begins with, but never all of it: the last token's logits are
        wanted. Returns the count kept."""
        limit = min(len(self.tokens), len(prompt) - 1)
        common = 0
        while common < limit and self.tokens[common] == prompt[common]:
            common += 1
        if common < len(self.tokens):
            if common == 0 or not self.store.cut(common):
                self.clear()
                return 0
            del self.tokens[common:]
        return common

    def clear(self) -> None:
        """Hold nothing; memory goes back."""
        self.tokens = []
        self.store.clear()
