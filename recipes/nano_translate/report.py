"""Renews the card, the tables and the receipts of nano-translate from what was measured.

`python -m recipes.nano_translate.report [--export] [--count 40] [--limit 62] [--card-only]`:
exports the newest checkpoint if asked, runs the generated held-out programs and the hand-written
set, keeps both reports in recipes/nano_translate/results and writes models/nano-translate/README.md.
Every number of the card comes from there. Needs javac, g++, node and Go 1.21 or newer.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recipes.nano_code import checkpoint
from recipes.nano_translate.export import MODEL
from recipes.nano_translate.train import RUN

RESULTS = Path(__file__).parent / "results"
GENERATED, HAND_WRITTEN, TRAINING = (
    RESULTS / name for name in ("generated.json", "hand-written.json", "training.json")
)
NAMES = {"java": "Java", "python": "Python", "javascript": "JavaScript", "cpp": "C++", "go": "Go"}
AIMS = {"generated": 0.8, "hand": 0.4}
HEAD = """# nano-translate

The bundled translator of glm-lsp: 7.6 million parameters, nano-code's architecture and tokenizer
(linked, not copied), 8-bit weights in groups of 64, {size:.2f} MB. It translates functions and small
classes between Python, Java, JavaScript, C++ and Go. It is young and makes mistakes: run tests on
what it writes.

## How it was made

Warm-started from nano-code, trained for {minutes:.0f} minutes on a part of one CPU core with
{tokens:.1f} million tokens of generated parallel programs (`recipes/nano_translate`). No program was
seen twice. The last {last} steps had a mean loss of {loss:.3f} nats a token of the answers.

## Executed pass@1

As serving answers: the likeliest text, with lines tried again that their own names, numbers or
types speak against (docs/translate.md); no compiler and no test is asked. Measured {date}.
"""


def title(direction: str) -> str:
    """`java-python` in words."""
    source, target = direction.split("-")
    return f"{NAMES[source]} to {NAMES[target]}"


def failures(outcomes: dict[str, int]) -> str:
    """Counts of all that did not pass, the most frequent first."""
    rest = sorted(((n, what) for what, n in outcomes.items() if what != "pass"), reverse=True)
    return ", ".join(f"{n} {what}" for n, what in rest) or "none"


def table(directions: dict[str, Any]) -> list[str]:
    """Pass@1 by direction."""
    lines = ["| direction | programs | pass@1 | failures |", "|---|---|---|---|"]
    for direction, found in directions.items():
        count = sum(found["outcomes"].values())
        share = f"{100 * found['pass_at_1']:.1f} %"
        if "interval" in found:
            low, high = found["interval"]
            share += f" ({100 * low:.0f} to {100 * high:.0f})"
        lines.append(f"| {title(direction)} | {count} | {share} | {failures(found['outcomes'])} |")
    return lines


def reached(directions: dict[str, Any], aim: float) -> str:
    """How many directions reach the aim, and which do not."""
    short = [title(d) for d, found in directions.items() if found["pass_at_1"] < aim]
    good = len(directions) - len(short)
    words = f"The aim of {100 * aim:.0f} % is reached in {good} of {len(directions)} directions"
    return f"{words}." if not short else f"{words}; short are {', '.join(short)}."


def card() -> str:
    """The whole README of the model."""
    generated, hand, training = (
        json.loads(path.read_text(encoding="utf-8")) for path in (GENERATED, HAND_WRITTEN, TRAINING)
    )
    size = (MODEL / "model.safetensors").stat().st_size / 1e6
    parts = [
        HEAD.format(size=size, **training),
        "Held-out generated programs, whose syntax tree (names and literals erased) and whose names"
        "\noccur nowhere in training, run on six calls each"
        "\n(`python -m recipes.nano_translate.evaluate --model models/nano-translate --count N`):\n",
        *table(generated),
        "",
        reached(generated, AIMS["generated"]),
        "",
        f"Hand-written functions, {hand['functions']} of them, which nothing was tuned on"
        "\n(`glm-lsp eval translate`; 95 % intervals):\n",
        *table(hand["directions"]),
        "",
        reached(hand["directions"], AIMS["hand"]),
    ]
    return "\n".join(parts) + "\n"


def training_receipt() -> dict[str, Any]:
    """What the newest checkpoint and the loss curve say of the training."""
    _, progress = checkpoint.load(RUN / "checkpoint.safetensors")
    rows = (RUN / "curve.csv").read_text(encoding="utf-8").strip().split("\n")[-20:]
    losses = [float(row.split(",")[3]) for row in rows]
    return {
        "minutes": progress.elapsed_s / 60,
        "tokens": progress.tokens / 1e6,
        "last": 20 * len(losses),
        "loss": sum(losses) / len(losses),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def run(*arguments: str) -> str:
    """One command; raises where it fails."""
    return subprocess.run(arguments, check=True, stdout=subprocess.PIPE).stdout.decode()


def main() -> None:
    """Export, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--export", action="store_true", help="the newest checkpoint first")
    parser.add_argument("--count", type=int, default=40, help="generated programs a direction")
    parser.add_argument("--limit", type=int, default=62, help="hand-written functions")
    parser.add_argument("--card-only", action="store_true", help="measure nothing")
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    if arguments.export:
        run(sys.executable, "-m", "recipes.nano_translate.export")
        TRAINING.write_text(json.dumps(training_receipt(), indent=1) + "\n", encoding="utf-8")
    if not arguments.card_only:
        run(sys.executable, "-m", "recipes.nano_translate.evaluate", "--model", str(MODEL),
            "--count", str(arguments.count), "--out", str(GENERATED))  # fmt: skip
        cli = str(Path(sys.executable).with_name("glm-lsp"))
        hand = run(cli, "eval", "translate", "--json", "--limit", str(arguments.limit))
        HAND_WRITTEN.write_text(json.dumps(json.loads(hand), indent=1) + "\n", encoding="utf-8")
    (MODEL / "README.md").write_text(card(), encoding="utf-8")


if __name__ == "__main__":
    main()
