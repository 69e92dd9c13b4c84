"""Runs the steps of the recipe in order; each is skipped when what it makes is there.

`python -m recipes.nano_code.make --minutes 90` goes from nothing to models/nano-code and its
model card; with `--renew` only results and card are made anew, as after a retrain. The steps may
also be run one by one; README.md says what each one does.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from recipes.nano_code.corpus import CORPUS
from recipes.nano_code.download import DOWNLOADS
from recipes.nano_code.evaluate import RESULTS
from recipes.nano_code.package_table import read_wanted
from recipes.nano_code.samples import shard_folder
from recipes.nano_code.tokenizer import MODEL
from recipes.nano_code.train import RUN

RENEWING = 3  # last steps: what a retrained model's card needs


@dataclass(frozen=True, kw_only=True)
class Step:
    """A module with its arguments, and whether its work is done already."""

    module: str
    arguments: tuple[str, ...] = ()
    done: Callable[[], bool] = lambda: False


def fetched() -> bool:
    """Whether every wanted package was fetched or refused."""
    folders = [DOWNLOADS / package.folder for package in read_wanted()]
    return all((f / "DONE").exists() or (f / "FAILED").exists() for f in folders)


def steps(minutes: float, rows: int) -> tuple[Step, ...]:
    """All steps; the last third of the training time sees the longer rows."""
    short = (RUN / "checkpoint.safetensors").exists
    return (
        Step(module="download", done=fetched),
        Step(module="corpus", done=(CORPUS / "train.jsonl.zst").exists),
        Step(module="tokenizer", done=(MODEL / "tokenizer.json").exists),
        Step(module="samples", arguments=("--split", "held-out", "--rows", "2048"),
             done=(shard_folder(512) / "held-out-0000.npz").exists),
        Step(module="samples", arguments=("--length", "256", "--rows", str(rows))),
        Step(module="samples", arguments=("--rows", str(rows))),
        Step(module="train", done=short,
             arguments=("--minutes", str(minutes * 2 / 3), "--rows", "16", "--item-rows", "4",
                        "--length", "256", "--horizon", str(minutes))),
        Step(module="train", arguments=("--minutes", str(minutes), "--rows", "8", "--resume")),
        Step(module="export", arguments=("--check",)),
        Step(module="evaluate", arguments=("baselines",),
             done=(RESULTS / "baselines.json").exists),
        Step(module="evaluate", arguments=("network",)),
        Step(module="report"),
    )  # fmt: skip


def main() -> None:
    """Run what is not done; stop at the first step that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=90.0, help="of training")
    parser.add_argument("--rows", type=int, default=32768, help="training rows of each length")
    parser.add_argument("--renew", action="store_true", help="only results and model card")
    arguments = parser.parse_args()
    chosen = steps(arguments.minutes, arguments.rows)
    for step in chosen[-RENEWING:] if arguments.renew else chosen:
        if step.done():
            print(f"--- {step.module}: there already", flush=True)
            continue
        print(f"--- {step.module} {' '.join(step.arguments)}", flush=True)
        command = [sys.executable, "-m", f"recipes.nano_code.{step.module}", *step.arguments]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
