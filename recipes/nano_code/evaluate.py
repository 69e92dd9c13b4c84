"""How good nano-code is on packages it never saw, beside two baselines without a network.

`python -m recipes.nano_code.evaluate baselines`, then `... evaluate network`, write
`results/baselines.json` and `results/network.json` beside this file: exact match, edit similarity
and first word right at LINE and BLOCK spots, and bits per byte, each with a 95 % interval. The
baselines are the words of the open file and an n-gram model with a cache of it.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.nn import functional as F

from glm_codegen.evaluate.text_measures import edit_similarity
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_protocol.completion import CodeContext, CompletionMode
from recipes.nano_code import open_file_words
from recipes.nano_code.completer import NEW_TOKENS, Completer
from recipes.nano_code.corpus import SourceFile, read_files
from recipes.nano_code.measures import Mean, bootstrap, first_word
from recipes.nano_code.ngram import CacheCounts, NgramModel
from recipes.nano_code.spots import Spot, draw_spots
from recipes.nano_code.tokenizer import MODEL

RESULTS = Path(__file__).parent / "results"
NGRAM_TOKENS = 4_000_000
NEAR_CHARS = 6000
BATCH = 50
WINDOW = 512
Complete = Callable[[Spot], str]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one model said at one spot."""

    language: str
    mode: str
    exact: float
    similarity: float
    first: float


@dataclass(frozen=True, kw_only=True)
class Score:
    """A line of the table."""

    model: str
    mode: str
    language: str
    exact: Mean
    similarity: Mean
    first: Mean


def judge(spot: Spot, text: str) -> Answer:
    """Compare with the truth, trailing white space aside."""
    said, truth = text.rstrip(), spot.truth.rstrip()
    return Answer(
        language=spot.language,
        mode=spot.mode.value,
        exact=float(said == truth),
        similarity=edit_similarity(said, truth),
        first=float(first_word(said) == first_word(truth)),
    )


def ngram_complete(model: NgramModel, tokenizer: TextTokenizer, context: CodeContext,
                   mode: CompletionMode) -> str:  # fmt: skip
    """Greedy n-gram completion: to the end of the line, or of the lines indented as deep."""
    before = tokenizer.encode(context.prefix[-NEAR_CHARS:])
    cache = CacheCounts()
    cache.add(tokenizer.encode(context.suffix[:NEAR_CHARS]))
    cache.add(before)
    tokens, made = list(before), list[int]()
    line = context.prefix.rsplit("\n", 1)[-1]
    depth = len(line) - len(line.lstrip())
    for _ in range(NEW_TOKENS[mode]):
        token = model.next_token(tokens[-8:], cache)
        tokens.append(token)
        made.append(token)
        text = tokenizer.decode(made)
        if mode is CompletionMode.LINE and "\n" in text:
            break
        last = text.rsplit("\n", 1)[-1]
        if "\n" in text and last.strip() and len(last) - len(last.lstrip()) < depth:
            return text.rsplit("\n", 1)[0]
    text = tokenizer.decode(made)
    return text.split("\n", 1)[0] if mode is CompletionMode.LINE else text


def network_answers(completer: Completer, spots: Sequence[Spot]) -> list[Answer]:
    """Answers of the network, in batches of one mode, similar prompt sizes together."""
    answers = []
    for mode in (CompletionMode.LINE, CompletionMode.BLOCK):
        asked = sorted(
            (spot for spot in spots if spot.mode is mode),
            key=lambda spot: len(spot.context.prefix) + len(spot.context.suffix),
        )
        for start in range(0, len(asked), BATCH):
            part = asked[start : start + BATCH]
            texts = completer.complete_many([spot.context for spot in part], mode)
            answers += [judge(spot, text) for spot, text in zip(part, texts, strict=True)]
    return answers


def scores(model: str, answers: Sequence[Answer]) -> list[Score]:
    """One line for each mode and language, and one for all languages."""
    found = []
    for mode in sorted({answer.mode for answer in answers}):
        of_mode = [answer for answer in answers if answer.mode == mode]
        for language in ["all", *sorted({answer.language for answer in of_mode})]:
            chosen = [a for a in of_mode if language in ("all", a.language)]
            found.append(Score(
                model=model, mode=mode, language=language,
                exact=bootstrap([a.exact for a in chosen]),
                similarity=bootstrap([a.similarity for a in chosen]),
                first=bootstrap([a.first for a in chosen]),
            ))  # fmt: skip
    return found


def windows(
    files: Sequence[SourceFile], tokenizer: TextTokenizer, count: int
) -> list[tuple[str, list[int], int]]:
    """For each language up to `count` runs of tokens from file starts, with their bytes."""
    found, taken = [], dict[str, int]()
    order = sorted(files, key=lambda file: (file.package, file.path))
    random.Random(7).shuffle(order)
    for file in order:
        if taken.get(file.language, 0) < count:
            ids = tokenizer.encode(file.text[: WINDOW * 6])[:WINDOW]
            found.append((file.language, ids, len(tokenizer.decode(ids).encode())))
            taken[file.language] = taken.get(file.language, 0) + 1
    return found


@torch.no_grad()
def network_bits(completer: Completer, ids: Sequence[int]) -> float:
    """Bits that the network needs for `ids` (behind the opening that its training used)."""
    opening = [completer.tokenizer.control_id(name) for name in ("[gMASK]", "<sop>")]
    tokens = torch.tensor([[token for token in opening if token is not None] + list(ids)])
    logits = completer.network(tokens).logits[0, len(opening) - 1 : -1]
    nats = F.cross_entropy(logits.float(), tokens[0, len(opening) :], reduction="sum")
    return float(nats) / math.log(2)


def ngram_bits(model: NgramModel, ids: Sequence[int]) -> float:
    """Bits that the n-gram model needs, its cache filled as it goes."""
    cache, bits = CacheCounts(), 0.0
    for at, token in enumerate(ids):
        bits -= math.log2(model.probability(ids[max(0, at - 8) : at], token, cache))
        cache.add(ids[: at + 1], start=at)
    return bits


def corpus_tokens(tokenizer: TextTokenizer, limit: int) -> list[int]:
    """Tokens of a slice of the training split, files drawn by chance."""
    texts = [file.text for file in read_files("train")]
    random.Random(3).shuffle(texts)
    found: list[int] = []
    for start in range(0, len(texts), 256):
        for ids in tokenizer.encode_many(texts[start : start + 256]):
            found += ids
        if len(found) >= limit:
            break
    return found[:limit]


def bits_per_byte(
    asked: Sequence[tuple[str, list[int], int]], needs: Callable[[Sequence[int]], float]
) -> dict[str, Mean]:
    """Bits per byte by language and over all, with intervals over the windows."""
    found: dict[str, list[float]] = {}
    for language, ids, size in asked:
        value = needs(ids) / size
        for key in ("all", language):
            found.setdefault(key, []).append(value)
    return {key: bootstrap(values) for key, values in sorted(found.items())}


def network_report(
    completer: Completer, spots: Sequence[Spot], asked: Sequence[tuple[str, list[int], int]]
) -> tuple[list[Score], dict[str, dict[str, Mean]]]:
    """Scores and bits of nano-code."""
    bits = bits_per_byte(asked, lambda ids: network_bits(completer, ids))
    print(f"nano-code: {bits['all'].value:.3f} bits per byte", flush=True)
    return scores("nano-code", network_answers(completer, spots)), {"nano-code": bits}


def baseline_report(
    tokenizer: TextTokenizer, spots: Sequence[Spot], asked: Sequence[tuple[str, list[int], int]]
) -> tuple[list[Score], dict[str, dict[str, Mean]]]:
    """Scores and bits of the two baselines."""
    words = [judge(spot, open_file_words.complete(spot.context)) for spot in spots]
    ngram = NgramModel(corpus_tokens(tokenizer, NGRAM_TOKENS), tokenizer.vocabulary_size)
    said = [judge(s, ngram_complete(ngram, tokenizer, s.context, s.mode)) for s in spots]
    bits = bits_per_byte(asked, lambda ids: ngram_bits(ngram, ids))
    found = scores("words of the open file", words) + scores("n-gram with cache", said)
    return found, {"n-gram with cache": bits}


def main() -> None:
    """Ask the network or the baselines and write what they said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("who", choices=("network", "baselines"))
    parser.add_argument("--per-language", type=int, default=26)
    parser.add_argument("--windows", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--checkpoint", type=Path, help="instead of the model folder's weights")
    parser.add_argument("--folder", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    began = time.monotonic()
    files = list(read_files("held-out"))
    spots = draw_spots(files, per_language=arguments.per_language)
    tokenizer = TextTokenizer.from_folder(MODEL)
    asked = windows(files, tokenizer, arguments.windows)
    if arguments.who == "network":
        completer = Completer(weights=arguments.checkpoint)
        found, bits = network_report(completer, spots, asked)
    else:
        found, bits = baseline_report(tokenizer, spots, asked)
    result = {
        "spots": len(spots),
        "windows": len(asked),
        "ngram_tokens": NGRAM_TOKENS,
        "scores": [asdict(score) for score in found],
        "bits_per_byte": {
            name: {key: asdict(mean) for key, mean in rows.items()} for name, rows in bits.items()
        },
    }
    arguments.folder.mkdir(parents=True, exist_ok=True)
    path = arguments.folder / f"{arguments.who}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for score in found:
        if score.language == "all":
            print(f"{score.model:24} {score.mode:6} exact {score.exact.value:.3f} similarity "
                  f"{score.similarity.value:.3f} first word {score.first.value:.3f}")  # fmt: skip
    for name, rows in bits.items():
        print(f"{name:24} {rows['all'].value:.3f} bits per byte")
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
