"""Renews the table of repositories in docs/quality.md and the README from runs that were made.

    for each repository R and seed S, into one folder (R-S.full.json for a further seed):
    glm-lsp eval repo R --holes N --seed S --json               > R.full.json
    glm-lsp eval repo R --holes N --seed S --no-context --json  > R.no-context.json
    glm-lsp eval repo R --holes N --seed S --no-workspace-memory --json  > R.pieces.json
    glm-lsp eval repo R --holes N --seed S --no-context --no-workspace-memory --json > R.file.json
    glm-lsp eval repo R --holes N --seed S --no-memory --json   > R.no-memory.json
    glm-lsp eval repo R --holes N --seed S --no-context --no-memory --json > R.bare.json
    python -m bench.hole_baseline R --holes N --seed S          > R.ngram.json
    python -m bench.hole_report FOLDER --write

Intervals of differences are paired over the holes of all repositories together.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bench.machine import describe
from glm_codegen.evaluate.evaluation import comparison, evaluation, read_evaluation

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "docs" / "quality.md", ROOT / "README.md")
BEGIN = "<!-- repositories: renewed by `python -m bench.hole_report FOLDER --write` -->"
END = "<!-- end of repositories -->"
VARIANTS = {
    "full": "context and workspace memory",
    "no-context": "workspace memory only",
    "pieces": "context only",
    "file": "neither: the open file alone",
    "no-memory": "context in the prompt alone, no memory",
    "bare": "the model alone, no memory",
    "ngram": "n-gram with cache",
}
COLUMNS = ("exact", "similarity", "identifier_f1", "keystrokes_saved")
GAPS = (
    ("file", "pieces", "context on - off, workspace not in the memory"),
    ("no-context", "full", "context on - off, workspace in the memory"),
    ("bare", "no-memory", "context on - off, no memory"),
    ("file", "no-context", "workspace memory on - off, without context"),
    ("pieces", "full", "workspace memory on - off, with context"),
    ("no-memory", "full", "all memory on - off"),
    ("ngram", "full", "nano-code with both - n-gram with cache"),
)


def runs_of(folder: Path, variant: str) -> dict[str, Any]:
    """All repositories' runs of one variant as one evaluation; a hole drawn twice counts once."""
    holes: dict[str, dict[str, Any]] = {}
    names: dict[str, None] = {}
    seeds: set[str] = set()
    model, settings = "", {}
    for path in sorted(folder.glob(f"*.{variant}.json")):
        wire = read_evaluation(path)
        names[wire["repository"]] = None
        model, settings = wire["model"], wire["settings"]
        seeds.add(str(settings["seed"]))
        for hole in wire["holes"]:
            name = f"{wire['repository']}:{hole['id']}"
            holes.setdefault(name, {**hole, "id": name, "language": wire["repository"]})
    return evaluation(
        list(holes.values()),
        repository=", ".join(names),
        model=model,
        settings={**settings, "seed": " and ".join(sorted(seeds))},
    )


def percent(one: dict[str, Any] | None, *, sign: bool = False) -> str:
    if one is None:
        return ""
    form = "+.1f" if sign else ".1f"
    value, low, high = (format(100 * one[key], form) for key in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def cells(figures: dict[str, Any], *, sign: bool = False) -> str:
    """The cells of one row, and over how many holes."""
    shown = [percent(figures.get(name), sign=sign) for name in COLUMNS]
    return " | ".join([*shown, str(figures["exact"]["n"])])


def lines_of(folder: Path) -> tuple[list[str], dict[str, Any]]:
    """The section, and the figures behind it."""
    found = {variant: runs_of(folder, variant) for variant in VARIANTS}
    found = {variant: run for variant, run in found.items() if run["holes"]}
    machine = describe()
    counted = found["full"]
    lines = [
        f"{counted['repository']}; seed {counted['settings']['seed']}, "
        f"{counted['metrics']['all']['exact']['n']} holes, {machine['date']}, "
        f"{machine['cpu']}. In percent, with 95 % intervals.",
        "",
        "| | exact match | edit similarity | identifier F1 | keystrokes saved | holes |",
        "|---|---|---|---|---|---|",
    ]
    for variant, run in found.items():
        lines.append(f"| {VARIANTS[variant]} | {cells(run['metrics']['all'])} |")
    gaps = {}
    for a, b, title in GAPS:
        if a in found and b in found:
            gap = comparison(found[a], found[b])["differences"]
            gaps[title] = gap["all"]
            lines.append(f"| **{title}** | {cells(gap['all'], sign=True)} |")
            if title == GAPS[0][2]:
                for repository, one in gap["language"].items():
                    lines.append(f"| the same in {repository} | {cells(one, sign=True)} |")
    whole = counted["metrics"]["all"]
    latency = counted["latency_ms"].get("total", {})
    lines += [
        "",
        f"Shown text that repeats what follows: {percent(whole.get('suffix_repetition'))} %. "
        f"That breaks the parse of the file: {percent(whole.get('broken'))} %. "
        f"Silence where nothing is missing: {percent(whole.get('quiet'))} % of "
        f"{whole.get('quiet', {}).get('n', 0)} spots; at the same dial "
        f"{percent(whole.get('shown'))} % of the holes are answered while typing. "
        f"An answer takes {latency.get('p50')} ms (p95 {latency.get('p95')} ms) on a busy machine.",
    ]
    figures = {
        "machine": machine,
        "repositories": counted["repository"],
        "settings": counted["settings"],
        "metrics": {variant: run["metrics"] for variant, run in found.items()},
        "differences": gaps,
        "latency_ms": counted["latency_ms"],
    }
    return lines, figures


def main() -> int:
    """Prints the section; `--write` renews the pages and the dated results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    lines, figures = lines_of(options.folder)
    text = "\n".join([BEGIN, "", *lines, "", END])
    if options.write:
        for page in PAGES:
            held = page.read_text(encoding="utf-8")
            before, mark, rest = held.partition(BEGIN)
            if mark:
                page.write_text(before + text + rest.partition(END)[2], encoding="utf-8")
        day = str(figures["machine"]["date"])[:10]
        path = ROOT / "bench" / "results" / f"{day}-repositories.json"
        path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
