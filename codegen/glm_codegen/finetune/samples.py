"""Training rows: one whole sample each, in exactly the words of serving, with a weight a target.

The prompt is rendered by the model's own `PromptFormat`, to the budget that serving would give
it; the answer ends with the token that ends answers. No sample is cut at random: one that does
not fit is not drawn. The same seed gives the same rows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from glm_codegen.finetune.file_filter import SourceFile
from glm_codegen.finetune.holes import Hole, Lines, draw_hole, syntax_hole
from glm_codegen.finetune.related import RelatedText
from glm_codegen.model_context import for_prompt
from glm_codegen.prompt_formats.left_to_right import LeftToRightFormat
from glm_codegen.prompt_formats.prompt_format import Prompt, PromptFormat
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_codegen.token_healing import roll_back
from glm_codegen.vocabulary import Vocabulary
from glm_protocol.completion import CodeContext, CompletionMode, Snippet

BY_SYNTAX = 0.5  # share of holes that are pieces of the grammar, where there is one
WITH_RELATED, WITHOUT_SUFFIX, LEFT_TO_RIGHT = 0.5, 0.1, 0.15
ANSWER_ROOM = {CompletionMode.LINE: 64, CompletionMode.BLOCK: 160}  # tokens kept for the answer
SHORT = 0.5  # share of rows with half the prompt
PREFIX_CHARACTERS = 6  # looked at for each token of a row: bounds the work, not the fit
SNIPPET_CHARACTERS = 8  # likewise; as many as serving looks at
TOKENS_A_SAMPLE = 90  # of a file: how densely an epoch asks about it
# Weight of a target by where it came from. The prompt's code is learned a little too: it is the
# user's; control tokens and headers are not.
MIDDLE_WEIGHT = 1.0
SOURCE_WEIGHT = {"prefix": 0.4, "suffix": 0.3, "header": 0.0, "control": 0.0}
RELATED_WEIGHT, PLAIN_WEIGHT = 0.1, 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """`weights[i]` is that of the target `token_ids[i + 1]`; one fewer than there are tokens."""

    token_ids: tuple[int, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        assert len(self.weights) == len(self.token_ids) - 1


class RowMaker:
    """Draws holes in files and lays them out as rows of at most `length` tokens."""

    def __init__(
        self,
        tokenizer: TextTokenizer,
        prompt_format: PromptFormat,
        *,
        length: int,
        end_token: int,
        related: RelatedText,
    ) -> None:
        self._tokenizer = tokenizer
        self._format = prompt_format
        self._plain = LeftToRightFormat(tokenizer)
        self._length = length
        self._end = end_token
        self._related = related
        self._vocabulary = Vocabulary(tokenizer)

    def epoch(self, files: Sequence[SourceFile], *, seed: int) -> Iterator[Row]:
        """Rows over all of `files`, in the order of chance; larger files are asked more often."""
        chance = random.Random(seed)
        turns = [number for number, file in enumerate(files) for _ in range(_asked_about(file))]
        chance.shuffle(turns)
        for number in turns:
            row = self.draw(files[number], chance)
            if row is not None:
                yield row

    def turns(self, files: Sequence[SourceFile]) -> int:
        """How many rows an epoch over `files` draws, at most."""
        return sum(map(_asked_about, files))

    def draw(self, file: SourceFile, chance: random.Random) -> Row | None:
        """One row of a file; None where what was drawn does not fit."""
        if not self._format.reads_suffix or chance.random() < LEFT_TO_RIGHT:
            return self._plain_row(file, chance)
        lines = Lines.of(file.text)
        cuts = self._related.cuts(file) if chance.random() < BY_SYNTAX else ()
        hole = syntax_hole(lines, cuts, chance) or draw_hole(lines, chance)
        if hole is None:
            return None
        short = chance.random() < SHORT
        suffix = "" if chance.random() < WITHOUT_SUFFIX else hole.suffix
        snippets = (
            self._related.related(file.path, file.language, hole.prefix, suffix)
            if chance.random() < WITH_RELATED
            else ()
        )
        return self.infill_row(file, hole, suffix, snippets, short=short)

    def infill_row(
        self,
        file: SourceFile,
        hole: Hole,
        suffix: str,
        snippets: tuple[Snippet, ...],
        *,
        short: bool = False,
    ) -> Row | None:
        """Prompt, middle and end token; None when the middle is longer than answers may be.

        `short`: with half the room for the prompt, which costs half and teaches most of it.
        """
        whole = CodeContext(
            path=file.path,
            language=file.language,
            prefix=hole.prefix[-PREFIX_CHARACTERS * self._length :],
            suffix=suffix[: PREFIX_CHARACTERS * self._length],
            snippets=snippets,
        )
        context, typed = roll_back(whole, self._vocabulary)
        middle = [*self._tokenizer.encode(typed + hole.middle), self._end]
        room = min(ANSWER_ROOM[hole.mode], self._length // 3)
        if len(middle) > room:
            return None
        budget = (self._length - room) // (2 if short else 1)
        prompt = self._format.render(
            for_prompt(context, budget * SNIPPET_CHARACTERS), mode=hole.mode, token_budget=budget
        )
        weights = _weights(prompt) + [MIDDLE_WEIGHT] * len(middle)
        return Row(token_ids=(*prompt.token_ids, *middle), weights=tuple(weights[1:]))

    def _plain_row(self, file: SourceFile, chance: random.Random) -> Row:
        """Left to right, from a line start on, as much as fits; with the end where it is there."""
        text = file.text
        start = text.rfind("\n", 0, chance.randrange(max(len(text) - 2 * self._length, 1))) + 1
        context = CodeContext(
            path=file.path,
            language=file.language,
            prefix=text[start : start + 4 * self._length],
            suffix="",
        )
        prompt = self._plain.render(
            context, mode=CompletionMode.LINE, token_budget=self._length - 1
        )
        ids, weights = list(prompt.token_ids), _weights(prompt, prefix=PLAIN_WEIGHT)
        if start + 4 * self._length >= len(text):
            ids, weights = [*ids, self._end], [*weights, PLAIN_WEIGHT]
        return Row(token_ids=tuple(ids), weights=tuple(weights[1:]))


def _asked_about(file: SourceFile) -> int:
    return 1 + len(file.text) // (4 * TOKENS_A_SAMPLE)


def _weights(prompt: Prompt, *, prefix: float = SOURCE_WEIGHT["prefix"]) -> list[float]:
    """Weight of each token of a prompt."""
    found: list[float] = []
    for piece in prompt.pieces:
        weight = prefix if piece.source == "prefix" else SOURCE_WEIGHT.get(
            piece.source, RELATED_WEIGHT
        )  # fmt: skip
        found += [weight] * piece.tokens
    return found
