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
        common = min(common_length(self.tokens, prompt), len(prompt) - 1)
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


_FIRST = 16  # tokens that are compared before any others


def common_length(tokens: Sequence[int], prompt: Sequence[int]) -> int:
    """Tokens that both begin with; by halves, since comparing slices is quick. Most of what is
    compared differs soon."""
    high, most = 0, min(len(tokens), len(prompt))
    low = 0
    while high < most:
        low, high = high, min(most, max(_FIRST, 4 * high))
        if list(tokens[low:high]) != list(prompt[low:high]):
            break
    else:
        return most
    while high - low > 1:
        middle = (low + high) // 2
        if list(tokens[low:middle]) == list(prompt[low:middle]):
            low = middle
        else:
            high = middle
    return low
