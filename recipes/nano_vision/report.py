"""The model card of nano-vision, from its scores and its loss curve.

    python -m recipes.nano_vision.report --renew   measures, then writes the card
    python -m recipes.nano_vision.report           writes the card from what was measured

Measuring writes `results/scores.json` and the sheet of failures (fresh pictures), and
`results/screens.json` (real screenshots, which `scripts/screens.sh` makes; without them the last
measuring stands). A few minutes of one thread.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glm_runtime.engine import EngineOptions
from glm_vision.evaluate.command import measured, measured_screens
from glm_vision.evaluate.font_files import FOLDERS, find_fonts
from glm_vision.vision_engine import load_engine
from recipes.nano_vision.fonts import read_table
from recipes.nano_vision.tokenizer import MODEL

RESULTS = Path(__file__).parent / "results"
CARD = MODEL
# What the project set out to reach, by category; "" where nothing was set.
WANTED = {
    "read: known font": "0.95",
    "read: unseen font": "0.80",
    "error: file and line": "0.85",
    "scene: count": "0.90",
    "scene: sum": "0.90",
    "scene: where": "0.80",
    "diagram: flow": "0.80",
    "diagram: sequence": "0.80",
    "diagram: classes": "0.80",
}

HEAD = """# nano-vision

The vision model that ships with glm-lsp: CogVLM's architecture (a visual expert in every layer) at
4.2 million parameters: image tower of 4 layers, language part of 4 layers, 160 wide, 144 patches of
16 pixels, one token a character; 8-bit weights in groups of 32. Made by `recipes/nano_vision` on
pictures that the recipe draws; Apache-2.0.

## How it sees

Its tower names what stands in each patch: one of 95 characters, or one of five shapes. *Where* the
lines of text, things, boxes, arrows and bars of a picture are is found by geometry in glm-lsp
(`layout`, `text_lines`, `regions`, `arrow_ends`, `lifelines`, `class_boxes`) and laid before it
cell by cell. A screenshot of panels and letters of many sizes is read block by block.
Its language part was trained too and answers nothing here: asked what kind of picture it sees, it
was right in 47 and 52 of 100 after two short trainings of its last layer; geometry is right in 93.
It is kept because CogVLM's forward needs it.

## What it cannot do

- It explains nothing and holds no conversation. `--task error` gives what is written and the file
  and line that it names; a free question gets what can be read, counted or found, in plain words.
- It was taught fixed-width fonts. Proportional text is cut into letters and read one by one: some
  are confused, and letters that touch (serifs, bold, small sizes) are misread. Flat grounds only;
  no handwriting, no photos, no slanted or curved text, no alphabet but ASCII.
- Letters that look alike are confused (l 1 I, O 0, capital and small x, w, s); short labels most.
- Scenes of flat shapes that do not touch; flowcharts, sequence and class diagrams of outlined boxes
  with straight arrows; charts with coloured bars or points; screens of one column of elements.
- Icons, pictures in pictures and text on photos give stray characters: see the screenshots below.
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
        " characters of single lines cut out of it, with their counts. Web pages and VS Code have"
        " proportional letters of many sizes, which this model was never taught. While each screen"
        " was read as one block, their words had 0.075 and 0.009, Neovim's 0.000.",
        "",
        "| screens | words | fixed-width lines | other lines |",
        "| --- | --- | --- | --- |",
        *rows,
        "",
    ]


def renew(*, count: int, seed: int, screens: Path) -> None:
    """Measure again. Raises GlmError."""
    engine = load_engine(EngineOptions(model=MODEL.name, threads=1))
    try:
        scores, sheet = measured(engine, find_fonts(FOLDERS), count=count, seed=seed)
        _keep("scores.json", scores)
        sheet.save(CARD / "failures.png")
        if screens.is_dir():
            _keep("screens.json", measured_screens(engine, screens, seed=1))
        else:
            print(f"No screenshots in {screens}: make some with `bash scripts/screens.sh`.")
    finally:
        engine.close()


def _keep(name: str, result: dict[str, Any]) -> None:
    (RESULTS / name).write_text(json.dumps(result) + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    """Write the card, of new figures where that is asked for."""
    parser = argparse.ArgumentParser(prog="python -m recipes.nano_vision.report")
    parser.add_argument("--renew", action="store_true", help="measure first")
    parser.add_argument("--count", type=int, default=40, help="fresh pictures a category (40)")
    parser.add_argument("--seed", type=int, default=11, help="of the fresh pictures (11)")
    parser.add_argument("--screens", type=Path, default=Path("build/screens"))
    options = parser.parse_args(argv)
    if options.renew:
        renew(count=options.count, seed=options.seed, screens=options.screens)
    scores = json.loads((RESULTS / "scores.json").read_text(encoding="utf-8"))
    with (RESULTS / "curve.csv").open(encoding="utf-8", newline="") as stream:
        curve = list(csv.reader(stream))
    (CARD / "README.md").write_text(card(scores, curve), encoding="utf-8")


if __name__ == "__main__":
    main()
