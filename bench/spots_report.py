"""Ask the daemon at the spots of this repository and renew the table in docs/quality.md.

`python -m bench.spots_report --write`. Two baselines stand beside the model: words of the open
file, and the recipe's n-gram model with a cache (left out, and said so, where the recipe's corpus
is not on this machine). The verdicts are `bench.spots.judge`'s; nothing is chosen by hand.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.machine import describe
from bench.spots import Spot, draw, judge
from glm_client.daemon_client import DaemonClient
from glm_client.memory_feed import feed
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_protocol.completion import CodeContext, CompletionMode, CompletionRequest, GhostText
from glm_protocol.request_fields import Trigger
from glm_runtime.model_registry import bundled_models_folder
from recipes.nano_code import open_file_words
from recipes.nano_code.evaluate import NGRAM_TOKENS, corpus_tokens, ngram_complete
from recipes.nano_code.measures import Mean, bootstrap
from recipes.nano_code.ngram import NgramModel

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "quality.md"
README = ROOT / "README.md"
MARK = "<!-- spots: renewed by `python -m bench.spots_report --write` -->"
END = "<!-- end of spots -->"
UNITS = ("protocol", "runtime", "codegen", "daemon", "lsp_server", "bench", "scripts")
WORKSPACE = "bench/spots"
COUNT, SEED = 40, 20261123
GOOD = ("exact", "acceptable")
WINDOW = 24_000  # characters on each side, as the language server sends


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One contestant: its name, and what it said at each spot."""

    name: str
    guesses: list[str]
    verdicts: list[str]

    @property
    def good(self) -> list[float]:
        return [float(verdict in GOOD) for verdict in self.verdicts]


def tracked_files() -> list[Path]:
    """Python files of the product; recipes and tests are not spots."""
    listed = subprocess.run(
        ["git", "ls-files", *(f"{unit}/*.py" for unit in UNITS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split()]


def all_python_files() -> list[Path]:
    """What an editor's workspace would give the memory; a spot's own file is left out of it by
    the engine, which knows the open file from the request."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split()]


def context_of(spot: Spot) -> CodeContext:
    return CodeContext(
        path=spot.path,
        language="python",
        prefix=spot.prefix[-WINDOW:],
        suffix=spot.suffix[:WINDOW],
    )


async def ask_daemon(spots: Sequence[Spot], model: str | None) -> tuple[str, list[str]]:
    """(the model's name, its guesses). Raises GlmError."""
    guesses = []
    name = model or ""
    async with DaemonClient() as client:
        await client.connect()
        texts = [(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
                 for path in all_python_files()]  # fmt: skip
        async for _ in feed(client, WORKSPACE, texts, model=model):
            pass
        for spot in spots:
            request = CompletionRequest(
                id=uuid.uuid4().hex,
                document=spot.path,
                context=context_of(spot),
                mode=CompletionMode.LINE,
                trigger=Trigger.EXPLICIT,
                model=model,
                max_tokens=48,
                deadline_ms=60_000,
                workspace=WORKSPACE,
                ghost=GhostText(),
            )
            completed = await client.whole(request)
            name = completed.end.model
            shown = str(completed.end.report.get("final", completed.text))
            guesses.append(shown.split("\n", 1)[0])
    return name, guesses


def asked(name: str, spots: Sequence[Spot], guess: Callable[[CodeContext], str]) -> Asked:
    guesses = [guess(context_of(spot)) for spot in spots]
    return judged(name, spots, guesses)


def judged(name: str, spots: Sequence[Spot], guesses: list[str]) -> Asked:
    verdicts = [judge(spot, guess) for spot, guess in zip(spots, guesses, strict=True)]
    return Asked(name=name, guesses=guesses, verdicts=verdicts)


def ngram_guess() -> Callable[[CodeContext], str] | None:
    """The n-gram baseline, or None without its corpus."""
    tokenizer = TextTokenizer.from_folder(bundled_models_folder() / "nano-code")
    try:
        tokens = corpus_tokens(tokenizer, NGRAM_TOKENS)
    except OSError:
        return None
    model = NgramModel(tokens, tokenizer.vocabulary_size)
    return lambda context: ngram_complete(model, tokenizer, context, CompletionMode.LINE)


def percent(mean: Mean) -> str:
    return f"{100 * mean.value:.0f} % ({100 * mean.low:.0f} to {100 * mean.high:.0f})"


def summary(contestants: Sequence[Asked]) -> list[str]:
    """Counts by verdict, and the paired difference of the first to each other."""
    lines = [
        "| who | exact | acceptable | exact or acceptable (95 %) | first minus this (95 %) |",
        "|---|---|---|---|---|",
    ]
    first = contestants[0]
    for one in contestants:
        ahead = [a - b for a, b in zip(first.good, one.good, strict=True)]
        gap = "" if one is first else percent(bootstrap(ahead))
        counts = [one.verdicts.count(word) for word in GOOD]
        lines.append(
            f"| {one.name} | {counts[0]} | {counts[1]} | {percent(bootstrap(one.good))} | {gap} |"
        )
    return lines


def cell(text: str) -> str:
    """Code inside a table cell."""
    return f"`{text.replace('|', '¦').replace('`', 'ˋ')}`" if text.strip() else ""


def table(spots: Sequence[Spot], first: Asked) -> list[str]:
    """Every spot, good and bad, in the order the seed gave them."""
    lines = ["| place | line before | was | said | verdict |", "|---|---|---|---|---|"]
    for spot, guess, verdict in zip(spots, first.guesses, first.verdicts, strict=True):
        before = spot.prefix.rsplit("\n", 1)[-1].strip()
        lines.append(
            f"| {spot.path}:{spot.line}:{spot.column} | {cell(before)} | {cell(spot.answer)} "
            f"| {cell(guess)} | {verdict} |"
        )
    return lines


def write(section: str, teaser: str) -> None:
    """The whole table into docs/quality.md, the summary and the first ten into the README."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page.split(MARK)[0].rstrip() + "\n\n" + section, encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(MARK)
    after = rest.partition(END)[2]
    README.write_text(f"{before}{MARK}\n\n{teaser}\n\n{END}{after}", encoding="utf-8")


def main() -> int:
    """Prints the section; `--write` renews docs/quality.md and the README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    spots = draw(tracked_files(), ROOT, count=options.count, seed=options.seed)
    name, guesses = asyncio.run(ask_daemon(spots, options.model))
    contestants = [
        judged(name, spots, guesses),
        asked("words of the open file", spots, open_file_words.complete),
    ]
    ngram = ngram_guess()
    if ngram is not None:
        contestants.append(asked("n-gram with cache", spots, ngram))
    machine = describe()
    head = f"{len(spots)} spots, seed {options.seed}, {machine['date']}, {machine['cpu']}."
    if ngram is None:
        head += " The n-gram baseline is left out: the recipe's corpus is not here."
    counts = summary(contestants)
    rows = table(spots, contestants[0])
    text = "\n".join([MARK, "", head, "", *counts, "", *rows, ""])
    if options.write:
        write(
            text, "\n".join([*counts, "", "The first ten, as the seed gave them:", "", *rows[:12]])
        )
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
