"""What the tokenizer makes of icons that trained nothing: sheets, and figures over all of them.

    python -m recipes.nano_image.held_out

Writes `results/held-out-icons.png` and its sources (64 icons, black on white, for `glm-lsp eval
image --pictures`), `docs/pictures/nano-image-held-out.png` (some of them above what the tokenizer
makes of them) and `results/held-out.json`: PSNR and use of the book over every held-out icon, once
all black and once in the ten colours that the tokenizer was trained on, and over drawings.
"""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import torch
from PIL import Image

from glm_t2i.assets.contact_sheet import contact_sheet
from glm_t2i.cogview_painter import CogViewPainter
from glm_t2i.evaluate.drawn_prompts import COLOURS
from glm_t2i.evaluate.image_command import tokenizer_scores
from glm_t2i.painter_loading import load_cogview_painter
from recipes.nano_image.captions import MODEL
from recipes.nano_image.drawings import drawing
from recipes.nano_image.icons import read_icons, tinted
from recipes.nano_image.tokenizer_training import RESULTS

COLUMNS = 8
SHOWN = 16
DRAWINGS = 400
PICTURES = MODEL.parent.parent / "docs" / "pictures"


def held_out_icons() -> tuple[list[np.ndarray], list[str]]:
    """Coverage of each held-out icon, and where it came from."""
    cover_NHW, icons = read_icons()
    chosen = [index for index, icon in enumerate(icons) if icon.held_out]
    sources = [f"{icons[index].package}\t{icons[index].file}" for index in chosen]
    return [np.asarray(cover_NHW[index]) for index in chosen], sources


def in_colours(covers: list[np.ndarray], names: list[str]) -> list[Image.Image]:
    """Every icon in one colour, by turns."""
    colours = [COLOURS[name] for name in names]
    return [
        Image.fromarray(tinted(cover, colours[index % len(colours)]))
        for index, cover in enumerate(covers)
    ]


def scores(painter: CogViewPainter, covers: list[np.ndarray]) -> dict[str, Any]:
    """Over every held-out icon, and over drawings of the recipe."""
    draw = random.Random(1)
    return {
        "icons_black": tokenizer_scores(painter, in_colours(covers, ["black"])),
        "icons_in_colours": tokenizer_scores(painter, in_colours(covers, list(COLOURS))),
        "drawings": tokenizer_scores(painter, [drawing(draw)[1] for _ in range(DRAWINGS)]),
    }


def write_sheet(covers: list[np.ndarray], sources: list[str]) -> None:
    """64 black icons, evenly over all held-out ones."""
    step = len(covers) // COLUMNS**2
    pictures = [np.asarray(one) for one in in_colours(covers[::step], ["black"])][: COLUMNS**2]
    rows = [
        np.concatenate(pictures[start : start + COLUMNS], axis=1)
        for start in range(0, len(pictures), COLUMNS)
    ]
    sheet = Image.fromarray(np.concatenate(rows)).convert("L")
    sheet.save(RESULTS / "held-out-icons.png", optimize=True)
    lines = "\n".join(sources[::step][: COLUMNS**2]) + "\n"
    (RESULTS / "held-out-icons.tsv").write_text(lines, encoding="utf-8")


def comparison(painter: CogViewPainter, covers: list[np.ndarray]) -> Image.Image:
    """Rows of icons in colours, and under each row what codes make of them."""
    own = in_colours(covers[:: len(covers) // SHOWN][:SHOWN], list(COLOURS))
    again = [painter.decoded(painter.encoded(picture)) for picture in own]
    pictures, labels = list[Image.Image](), list[str]()
    for start in range(0, SHOWN, COLUMNS):
        pictures += own[start : start + COLUMNS] + again[start : start + COLUMNS]
        labels += ["held out"] * COLUMNS + ["from its codes"] * COLUMNS
    return contact_sheet(pictures, labels, columns=COLUMNS, cell=128)


def main() -> None:
    """Look at the shipped tokenizer."""
    torch.set_num_threads(1)
    covers, sources = held_out_icons()
    painter = load_cogview_painter(MODEL)
    write_sheet(covers, sources)
    sheet = comparison(painter, covers).quantize(128, dither=Image.Dither.NONE)
    sheet.save(PICTURES / "nano-image-held-out.png", optimize=True)
    text = json.dumps(scores(painter, covers), indent=1)
    (RESULTS / "held-out.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
