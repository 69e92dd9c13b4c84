"""The model card of nano-vision, from its scores and its loss curve.

`python -m recipes.nano_vision.report` reads `results/scores.json` (written by `glm-lsp eval vision
--json`) and `results/curve.csv`, and writes `models/nano-vision/README.md`.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from recipes.nano_vision.fonts import read_table
from recipes.nano_vision.tokenizer import MODEL

RESULTS = Path(__file__).parent / "results"
# What the project set out to reach, by category; "" where nothing was set.
WANTED = {
    "read: known font": "0.95",
    "read: unseen font": "0.80",
    "error: file and line": "0.85",
    "scene: count": "0.90",
    "scene: sum": "0.90",
    "scene: where": "0.80",
    "diagram: edges": "0.80",
}

HEAD = """# nano-vision

The vision model that ships with glm-lsp: CogVLM's architecture (a visual expert in every layer) at
4.2 million parameters: image tower of 4 layers, language part of 4 layers, 160 wide, 144 patches of
16 pixels, one token a character; 8-bit weights in groups of 32. Made by `recipes/nano_vision` on
pictures that the recipe draws; Apache-2.0.

## How it sees

Its tower names what stands in each patch: one of 95 characters, or one of five shapes. *Where* the
lines of text, things, boxes, arrows and bars of a picture are is found by geometry in glm-lsp
(`text_lines`, `regions`, `arrow_ends`, `lifelines`, `class_boxes`) and laid before it cell by cell.
Its language part was trained too and answers nothing here: asked what kind of picture it sees, it
was right in 47 and 52 of 100 after two short trainings of its last layer; geometry is right in 93.
It is kept because CogVLM's forward needs it.

## What it cannot do

- It explains nothing and holds no conversation. `--task error` gives what is written and the file
  and line that it names; a free question gets what can be read, counted or found, in plain words.
- Fixed-width fonts on an even ground only; no handwriting, no photos, no slanted or curved text, no
  alphabet but ASCII. Text in two sizes or two columns side by side is read as one block.
- Letters that look alike are confused (l 1 I, O 0, capital and small x, w, s); short labels most.
- Scenes of flat shapes that do not touch; flowcharts, sequence and class diagrams of outlined boxes
  with straight arrows; charts with coloured bars or points; screens of one column of elements.
- Whole web pages: see the real screenshots below.
"""


def table(scores: dict[str, Any]) -> list[str]:
    """One row a category."""
    lines = [
        "| what | score | wanted | without a fault | pictures | s each |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in scores["scores"].items():
        lines.append(
            f"| {name} | {row['mean']:.3f} | {WANTED.get(name, '')} | {row['whole']:.3f}"
            f" | {row['n']} | {row['seconds']:.2f} |"
        )
    return lines


def card(scores: dict[str, Any], curve: list[list[str]]) -> str:
    """The whole text."""
    last = curve[-1]
    fonts = read_table()
    trained = ", ".join(f"{font.name} ({font.licence})" for font in fonts if font.use == "train")
    held = ", ".join(font.name for font in fonts if font.use != "train")
    return "\n".join(
        [
            HEAD,
            "## Scores",
            "",
            "`glm-lsp eval vision --count"
            f" {max(row['n'] for row in scores['scores'].values())} --seed {scores['seed']}`:"
            " fresh pictures, encoded as PNG and sent the whole way. Reading is 1 less the edit"
            " distance over the length, on one to three lines of up to 40 columns of Python's"
            " library; errors, counts, sums and descriptions are right or wrong; boxes count from"
            " an overlap of one half; diagrams are scored by the F1 of edges between labels, charts"
            " by named values within a twentieth of the largest, screens by elements whose kind and"
            " text are both right.",
            "",
            *table(scores),
            "",
            f"Mermaid that parses: {scores['mermaid_parses']:.3f}. Seconds are of one thread of a"
            " machine that was busy with other work.",
            "",
            *more_tables(),
            "Failures (category, what was wanted, what came):",
            "",
            "![failures](failures.png)",
            "",
            "## Training",
            "",
            f"- {int(last[1]):,} pictures in {last[0]} steps, {float(last[2]) / 60:.0f} minutes"
            " of one process with one thread on two cores that other trainings and tests shared"
            " (load 4 to 13): it had a small part of a core.",
            "- Curriculum: text alone for 15 minutes; text and drawings; from 46 minutes on text"
            " 78 %, drawings 12 %, shapes in cells 10 %.",
            f"- Loss at the end: {last[4]} nats a patch; {last[3]} nats a token of the language"
            " part.",
            "",
            "## Data",
            "",
            f"Fonts drawn with: {trained}. Held out: {held}. Lines of code come from nano-code's"
            " corpus (permissive licences, listed in `recipes/nano_code/corpus.tsv`); error lines,"
            " noise, scenes, diagrams, charts and screens are made up. No picture was taken from"
            " anywhere.",
            "",
        ]
    )


def more_tables() -> list[str]:
    """Real screenshots (`glm-lsp eval vision --screens`)."""
    screens = json.loads((RESULTS / "screens.json").read_text(encoding="utf-8"))["kinds"]
    measures = ("words", "fixed-width lines", "other lines")
    rows = [
        f"| {name} | "
        + " | ".join(
            f"{found[m]['mean']:.3f} ({found[m]['n']})" if m in found else "-" for m in measures
        )
        + " |"
        for name, found in screens.items()
    ]
    return [
        "Screenshots of this project's editors, pages and terminals (`bash scripts/screens.sh`,"
        " `glm-lsp eval vision --screens build/screens`): F1 of the words of a whole screen, and"
        " characters of single lines cut out of it, with their counts. Web pages have proportional"
        " letters of many sizes, which this model was never taught.",
        "",
        "| screens | words | fixed-width lines | other lines |",
        "| --- | --- | --- | --- |",
        *rows,
        "",
    ]


def main() -> None:
    """Write the card."""
    scores = json.loads((RESULTS / "scores.json").read_text(encoding="utf-8"))
    with (RESULTS / "curve.csv").open(encoding="utf-8", newline="") as stream:
        curve = list(csv.reader(stream))
    (MODEL / "README.md").write_text(card(scores, curve), encoding="utf-8")


if __name__ == "__main__":
    main()
