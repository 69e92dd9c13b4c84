"""What retrieval is worth before any model: `python -m bench.retrieval FOLDER… [--json FILE]`.

Holes are cut into the files of each folder (the rest of a line, or a few statements). Wanted are
the names of the missing text that neither the 3,000 characters before it nor the 800 after it
have. Counted is the share of them that the snippets hold, by the characters that there is room for,
packed as the engine does: best first, each whole or not at all.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.machine import describe
from glm_context.gathered import CursorSite
from glm_context.identifiers import IDENTIFIER, KEYWORDS
from glm_context.workspace_context import WorkspaceContext
from glm_protocol.completion import Snippet

ROOMS = (600, 1200, 4000, 12_000)  # characters
FILES, HOLES = 14, 5  # of each folder, of each file


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundNames:
    """Mean share of the wanted names that snippets of so many characters hold."""

    room: int
    percent: float
    n: int


def names_in(text: str) -> set[str]:
    found = IDENTIFIER.findall(text)
    return {name for name in found if name.lower() not in KEYWORDS and len(name) > 3}


def packed(snippets: tuple[Snippet, ...], room: int) -> list[Snippet]:
    """The snippets that fit, best first."""
    kept = []
    for each in snippets:
        if len(each.text) <= room:
            kept.append(each)
            room -= len(each.text)
    return kept


def spots(folder: Path, home: Path) -> Iterator[tuple[set[str], tuple[Snippet, ...]]]:
    """Wanted names and the snippets given, for places of a folder."""
    rng = random.Random(7)
    with WorkspaceContext(folder, home=home) as workspace:
        workspace.build()
        files = [f for f in workspace.files.walk() if 2000 < f.size < 80_000]
        rng.shuffle(files)
        for file in files[:FILES]:
            text = workspace.files.read(file.path) or ""
            holes = workspace.syntax.holes(text, file.language)
            chosen = [hole for hole in holes if hole.kind in ("line", "multi_line")]
            for hole in rng.sample(chosen, min(HOLES, len(chosen))):
                before, after = text[: hole.start], text[hole.end :]
                known = names_in(before[-3000:]) | names_in(after[:800])
                wanted = names_in(text[hole.start : hole.end]) - known
                if wanted:
                    site = CursorSite(
                        path=file.path,
                        language=file.language,
                        text=before + after,
                        offset=hole.start,
                    )
                    yield wanted, workspace.gather(site).snippets


def measure(folders: list[Path]) -> tuple[list[FoundNames], dict[str, float]]:
    """Shares by room, and by source the mean of wanted names a snippet brought first."""
    shares: dict[int, list[float]] = defaultdict(list)
    brought: Counter[str] = Counter()
    given: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="glm-bench-") as home:
        for folder in folders:
            for wanted, snippets in spots(folder.resolve(), Path(home)):
                for room in ROOMS:
                    held = set[str]()
                    for each in packed(snippets, room):
                        held |= names_in(each.text)
                    shares[room].append(100 * len(wanted & held) / len(wanted))
                left = set(wanted)
                for each in snippets:
                    given[each.source] += 1
                    brought[each.source] += len(left & names_in(each.text))
                    left -= names_in(each.text)
    series = [
        FoundNames(room=room, percent=sum(shares[room]) / len(shares[room]), n=len(shares[room]))
        for room in ROOMS
    ]
    return series, {source: brought[source] / given[source] for source in sorted(given)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.retrieval", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    series, by_source = measure(options.folders)
    machine = describe()
    print("; ".join(f"{key} {value}" for key, value in machine.items()))
    print("| what | mean | n |\n|---|---|---|")
    for each in series:
        label = f"names found in {each.room:,} characters"
        print(f"| {label} | {each.percent:.1f} % | {each.n} |")
    for source, worth in by_source.items():
        print(f"| names a `{source}` snippet brings | {worth:.3f} | |")
    if options.json:
        folders = [folder.name for folder in options.folders]
        wire = {"machine": machine, "folders": folders, "series": [asdict(s) for s in series]}
        options.json.write_text(json.dumps({**wire, "by_source": by_source}, indent=1) + "\n")


if __name__ == "__main__":
    main()
