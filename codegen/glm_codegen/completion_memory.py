"""Memory at work in one completion: what the workspace, the pieces of it that were gathered for
this place, and the open file say comes next.

The model sees the text cut where the cursor is; documents were cut into tokens as they stand. So
the history is taken from the text, cut anew at every step: a space before the cursor belongs to
the token that comes, and in a completion of one line the newline that followed means its end.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from glm_codegen.vocabulary import Vocabulary
from glm_protocol.completion import CodeContext, CompletionMode
from glm_runtime.memory_mix import Evidence, MemoryWeights, gather
from glm_runtime.token_memory import LONGEST, Followers, TokenMemory

TAIL = 400  # characters of text that the history is cut from
_PART = 2_000  # characters of the open file that are cut into tokens at once
_SETS = 4  # of gathered pieces whose memories are kept
_FILES = 16  # open files whose memories are kept
_REMEMBERED = 256  # such parts whose ids are kept while a person types

Seen = list[Followers | None]


class TextIds:
    """Ids of long texts in parts at line starts, so that a key costs only the part it changes."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._part = lru_cache(maxsize=_REMEMBERED)(self._encode)

    def __call__(self, text: str) -> list[int]:
        found: list[int] = []
        start = 0
        while start < len(text):
            newline = text.find("\n", start + _PART)
            end = len(text) if newline < 0 else newline
            found += self._part(text[start:end])
            start = end
        return found

    def _encode(self, text: str) -> array[int]:
        return array("I", self._vocabulary.encode(text))


class NearMemories:
    """Memories of what came with one request: the open file, and the gathered pieces.

    The pieces stay as they are while a person types, and so does the file up to the place where a
    suggestion is typed through: what was made of them last is kept.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._ids = TextIds(vocabulary)
        self._of_pieces = lru_cache(maxsize=_SETS)(self._remember)
        self._of_file = lru_cache(maxsize=_FILES)(self._remember)

    def file(self, context: CodeContext) -> TokenMemory:
        """The text before and after the cursor."""
        return self._of_file((("prefix", context.prefix), ("suffix", context.suffix)))

    def pieces(self, context: CodeContext) -> TokenMemory:
        """The snippets."""
        return self._of_pieces(tuple((one.id, one.text) for one in context.snippets))

    def _remember(self, texts: tuple[tuple[str, str], ...]) -> TokenMemory:
        memory = TokenMemory()
        memory.add([(name, self._ids(text)) for name, text in texts])
        return memory


class CompletionMemory:
    """Asks all three memories before each token. `end` is the id by which the model ends."""

    def __init__(
        self,
        context: CodeContext,
        mode: CompletionMode,
        *,
        vocabulary: Vocabulary,
        weights: MemoryWeights | None,
        file: TokenMemory,
        pieces: TokenMemory,
        workspace: TokenMemory | None,
        end: int | None,
    ) -> None:
        self._vocabulary = vocabulary
        self._weights = weights
        self._near = (pieces, file)
        self._workspace = workspace
        self._besides = context.path
        tail = context.prefix[-TAIL:]
        newline = tail.find("\n")
        whole = len(context.prefix) <= TAIL or newline < 0 or newline > TAIL // 2
        self._tail = tail if whole else tail[newline:]
        line_is_open = not context.suffix.split("\n", 1)[0].strip()
        self._end = end if mode is CompletionMode.LINE and line_is_open else None

    def evidence(self, said: str) -> list[Evidence]:
        """What speaks for the next token after the prefix and `said`; nothing without weights."""
        return [] if self._weights is None else gather(self._weights, self.seen(said))

    def seen(self, said: str) -> list[Seen]:
        """What followed there in the workspace, the pieces and the file, by length of history."""
        text = self._tail + said
        line = text.rsplit("\n", 1)[-1]
        given = " " if line.endswith(" ") and line.strip() and not line.endswith("  ") else ""
        history = self._vocabulary.ends_of(text[: len(text) - len(given)], LONGEST)
        end = self._end if said.strip() else None
        found: list[Seen] = [memory.lookup(history) for memory in self._near]
        held = self._workspace
        found.insert(0, [] if held is None else held.lookup(history, besides=self._besides))
        return [[self._fitting(followers, given, end) for followers in seen] for seen in found]

    def _fitting(
        self, followers: Followers | None, given: str, end: int | None
    ) -> Followers | None:
        """Followers as the model's next tokens."""
        if followers is None or not (given or end is not None):
            return followers
        tokens, counts = followers.tokens, followers.counts
        if end is not None:
            tokens = np.where(self._vocabulary.newlines[tokens], end, tokens)
        if given:
            after = self._vocabulary.after
            tokens = np.asarray([_or_nothing(after(int(token), given)) for token in tokens])
        kept = tokens >= 0
        if not kept.any():
            return None
        distinct, place = np.unique(tokens[kept], return_inverse=True)
        return Followers(tokens=distinct, counts=np.bincount(place, counts[kept]).astype(np.int64))


def _or_nothing(token: int | None) -> int:
    return -1 if token is None else token


def document_ids(
    texts: Sequence[tuple[str, str]], vocabulary: Vocabulary
) -> list[tuple[str, list[int]]]:
    """Documents, name and text, as a memory takes them."""
    ids = vocabulary.encode_many([text for _, text in texts])
    return [(name, found) for (name, _), found in zip(texts, ids, strict=True)]
