"""One page about the rounds of `scripts/soak.sh`: `python -m bench.soak_report FOLDER`.

FOLDER holds a folder for each round (log, seconds, status, results of both editors) and
daemon.md, the daemon's own table.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from bench.machine import machine_line

EDITORS = ("vscode", "neovim")
FIGURES = {  # of the scenarios: what they are, in milliseconds
    "activation_ms": "activation of the extension",
    "first_ghost_ms": "first ghost text, from nothing",
    "ghost_with_daemon_ms": "first ghost text, daemon running",
    "with_median_ms": "one key with the extension, median",
    "without_median_ms": "one key without the extension, median",
    "with_p95_ms": "one key with the extension, p95",
    "without_p95_ms": "one key without the extension, p95",
    "back_after_ms": "ghost text back after a kill (daemon once, language server five times)",
}


def results(round_folder: Path, editor: str) -> list[dict[str, Any]]:
    """The scenarios of one editor in one round; none where it did not get there."""
    try:
        found = json.loads((round_folder / "out" / f"{editor}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []


def rounds_table(rounds: list[Path]) -> list[str]:
    """A line for each round: how it ended and how long it took."""
    lines = ["| round | VS Code | Neovim | seconds | end |", "| --- | --- | --- | --- | --- |"]
    for folder in rounds:
        cells = []
        failures: list[str] = []
        for editor in EDITORS:
            found = results(folder, editor)
            cells.append(f"{sum(one['ok'] for one in found)} of {len(found)}")
            failures += [f"{editor}: {one['name']}" for one in found if not one["ok"]]
        status = (folder / "status").read_text().strip()
        end = "passed" if status == "0" else "; ".join(failures) or f"exit code {status}"
        seconds = (folder / "seconds").read_text().strip()
        lines.append(f"| {folder.name} | {' | '.join(cells)} | {seconds} | {end} |")
    return lines


def figures_table(rounds: list[Path]) -> list[str]:
    """Median and worst of every figure over the rounds."""
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    for folder in rounds:
        for editor in EDITORS:
            for one in results(folder, editor):
                for key in FIGURES.keys() & one["figures"].keys():
                    value = one["figures"][key]
                    values[editor, key] += value if isinstance(value, list) else [value]
    lines = ["| figure | editor | median ms | worst ms | n |", "| --- | --- | --- | --- | --- |"]
    for editor in EDITORS:
        for key, words in FIGURES.items():
            if found := values.get((editor, key)):
                middle = statistics.median(found)
                lines.append(
                    f"| {words} | {editor} | {middle:.1f} | {max(found):.1f} | {len(found)} |"
                )
    return lines


def report(folder: Path, seconds: int) -> str:
    """The page."""
    rounds = sorted(path for path in folder.iterdir() if (path / "status").exists())
    passed = sum((path / "status").read_text().strip() == "0" for path in rounds)
    daemon = folder / "daemon.md"
    told = daemon.read_text(encoding="utf-8").strip() if daemon.exists() else "did not run"
    return "\n".join(
        [
            "# Soak: `make soak`",
            "",
            f"{machine_line()} (load at the end).",
            "",
            f"{passed} of {len(rounds)} rounds of both editors' tests passed; {seconds} s in all.",
            "",
            *rounds_table(rounds),
            "",
            *figures_table(rounds),
            "",
            "## Daemon",
            "",
            told,
        ]
    )


def main() -> int:
    """Prints the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=int, default=0)
    options = parser.parse_args()
    print(report(options.folder, options.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
