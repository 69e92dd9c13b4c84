"""Training rows: each holds ONE whole sample of at most 513 tokens, with a weight per target.

`python -m recipes.nano_code.samples --rows 8192` adds shards under `out/nano_code/shards-512/`:
`tokens` uint16 [rows, 513] and `weights` uint8 [rows, 512] in hundredths, for the targets
`tokens[:, 1:]`. `--length 256` makes shorter rows, for the first part of a run. No sample is cut
at random: the prompt is rendered by the very code that serves, to the budget the answer leaves.
"""

from __future__ import annotations

import argparse
import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glm_codegen.prompt_formats.codegeex4 import CodeGeeX4Format
from glm_codegen.prompt_formats.left_to_right import LeftToRightFormat
from glm_codegen.prompt_formats.prompt_format import Prompt
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_protocol.completion import CodeContext, CompletionMode
from recipes.nano_code.corpus import SourceFile, read_files
from recipes.nano_code.download import OUT
from recipes.nano_code.holes import Hole, block_hole, line_hole
from recipes.nano_code.related import Neighbours
from recipes.nano_code.tokenizer import MODEL

LENGTH = 512  # targets of the longest rows; a row has one token more
ROWS_A_SHARD = 2048
LANGUAGE_SHARE = {
    "Python": 0.50, "JavaScript": 0.10, "TypeScript": 0.07, "Java": 0.08,
    "C": 0.06, "C++": 0.06, "Go": 0.06, "Rust": 0.07,
}  # fmt: skip
LANGUAGE_ID = {
    "Python": "python", "JavaScript": "javascript", "TypeScript": "typescript", "Java": "java",
    "C": "c", "C++": "cpp", "Go": "go", "Rust": "rust",
}  # fmt: skip
KIND_SHARE = {"line": 0.45, "block": 0.30, "code": 0.25}
WITH_RELATED, WITHOUT_SUFFIX = 0.5, 0.12
LONGEST_MIDDLE = {CompletionMode.LINE: 64, CompletionMode.BLOCK: 160}
# Weight of a target by where it came from, in hundredths; what is not named weighs nothing.
MIDDLE_WEIGHT = 100
SOURCE_WEIGHT = {"prefix": 40, "suffix": 30, "header": 0, "control": 0}
RELATED_WEIGHT = 20
CODE_WEIGHT = 50
END, PAD = "<|endoftext|>", "<|pad|>"

Row = tuple[list[int], list[int]]


def shard_folder(length: int) -> Path:
    """Where the shards of rows with `length` targets lie."""
    return OUT / f"shards-{length}"


class RowMaker:
    """Draws files and holes and lays them out as rows."""

    def __init__(
        self, files: list[SourceFile], tokenizer: TextTokenizer, length: int = LENGTH
    ) -> None:
        """Keep the files by language, with the weights they are drawn by."""
        self._length = length
        self._tokenizer = tokenizer
        self._infill = CodeGeeX4Format(tokenizer)
        self._plain = LeftToRightFormat(tokenizer)
        self._neighbours = Neighbours(files)
        self._files: dict[str, list[SourceFile]] = {}
        for file in files:
            self._files.setdefault(file.language, []).append(file)
        self._reach = {
            language: list(itertools.accumulate(min(len(file.text), 20_000) for file in members))
            for language, members in self._files.items()
        }
        end = tokenizer.control_id(END)
        assert end is not None
        self._end = end

    def draw_file(self, chance: random.Random) -> SourceFile:
        """A file: language by its share, then by size up to a bound."""
        present = [language for language in LANGUAGE_SHARE if language in self._files]
        shares = [LANGUAGE_SHARE[language] for language in present]
        language = chance.choices(present, shares)[0]
        return chance.choices(self._files[language], cum_weights=self._reach[language])[0]

    def code_row(self, file: SourceFile, chance: random.Random) -> Row:
        """Plain code from a line start on, as many whole lines as fit."""
        text = file.text
        start = text.rfind("\n", 0, chance.randrange(max(len(text) - self._length * 2, 1))) + 1
        window = text[start : start + self._length * 4]
        context = CodeContext(
            path=file.path, language=LANGUAGE_ID[file.language], prefix=window, suffix=""
        )
        prompt = self._plain.render(
            context, mode=CompletionMode.LINE, token_budget=self._length + 1
        )
        return list(prompt.token_ids), target_weights(prompt, [], prefix_weight=CODE_WEIGHT)

    def context_of(self, file: SourceFile, hole: Hole, chance: random.Random) -> CodeContext:
        """What an editor would send for the hole, with related pieces in half of the cases."""
        suffix = "" if chance.random() < WITHOUT_SUFFIX else hole.suffix
        related = (
            self._neighbours.related(file, hole.prefix, suffix, chance.randint(1, 3), chance)
            if chance.random() < WITH_RELATED
            else ()
        )
        return CodeContext(
            path=file.path, language=LANGUAGE_ID[file.language],
            prefix=hole.prefix, suffix=suffix, snippets=related,
        )  # fmt: skip

    def infill_row(self, file: SourceFile, hole: Hole, chance: random.Random) -> Row | None:
        """Prompt, middle and end token; None when the middle is too long."""
        middle = [*self._tokenizer.encode(hole.middle), self._end]
        if len(middle) > min(LONGEST_MIDDLE[hole.mode], self._length // 3):
            return None
        prompt = self._infill.render(
            self.context_of(file, hole, chance),
            mode=hole.mode,
            token_budget=self._length + 1 - len(middle),
        )
        return [*prompt.token_ids, *middle], target_weights(prompt, middle)

    def rows(self, seed: int) -> Iterator[Row]:
        """Rows without end, the same for the same seed."""
        chance = random.Random(seed)
        kinds, shares = list(KIND_SHARE), list(KIND_SHARE.values())
        while True:
            file, kind = self.draw_file(chance), chance.choices(kinds, shares)[0]
            if kind == "code":
                yield self.code_row(file, chance)
                continue
            cut = line_hole if kind == "line" else block_hole
            hole = next((found for _ in range(12) if (found := cut(file.text, chance))), None)
            row = self.infill_row(file, hole, chance) if hole else None
            if row is not None:
                yield row


def target_weights(
    prompt: Prompt, middle: list[int], *, prefix_weight: int | None = None
) -> list[int]:
    """Weight of each target of `prompt + middle`: one fewer than there are tokens."""
    weights: list[int] = []
    for piece in prompt.pieces:
        weight = SOURCE_WEIGHT.get(piece.source, RELATED_WEIGHT)
        if piece.source == "prefix" and prefix_weight is not None:
            weight = prefix_weight
        weights += [weight] * piece.tokens
    return (weights + [MIDDLE_WEIGHT] * len(middle))[1:]


def shard(
    rows: Iterator[Row], count: int, pad: int, length: int
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """`count` rows as arrays [count, length + 1] and [count, length], padded at the end."""
    tokens = np.full((count, length + 1), pad, dtype=np.uint16)
    weights = np.zeros((count, length), dtype=np.uint8)
    for number, (ids, targets) in enumerate(itertools.islice(rows, count)):
        tokens[number, : len(ids)] = ids
        weights[number, : len(targets)] = targets
    return tokens, weights


def write_shard(path: Path, tokens: NDArray[np.uint16], weights: NDArray[np.uint8]) -> None:
    """Write both arrays as one .npz, whole or not at all."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as stream:
        np.savez(stream, tokens=tokens, weights=weights)
    part.rename(path)


def main() -> None:
    """Add shards until `--rows` rows of the split are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=8192)
    parser.add_argument("--length", type=int, default=LENGTH)
    parser.add_argument("--split", choices=("train", "held-out"), default="train")
    arguments = parser.parse_args()
    length, folder = arguments.length, shard_folder(arguments.length)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = TextTokenizer.from_folder(MODEL)
    pad = tokenizer.control_id(PAD)
    assert pad is not None
    maker = RowMaker(list(read_files(arguments.split)), tokenizer, length)
    for number in range(-(-arguments.rows // ROWS_A_SHARD)):
        path = folder / f"{arguments.split}-{number:04d}.npz"
        if path.exists():
            continue
        tokens, weights = shard(maker.rows(seed=1000 + number), ROWS_A_SHARD, pad, length)
        write_shard(path, tokens, weights)
        full = float((tokens != pad).mean())
        print(f"{path.name}: {full:.1%} filled", flush=True)


if __name__ == "__main__":
    main()
