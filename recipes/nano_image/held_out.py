"""A sheet of 64 held-out icons, black on white, for `glm-lsp eval image --pictures`.

`python -m recipes.nano_image.held_out` writes `results/held-out-icons.png` and its sources.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from glm_t2i.evaluate.drawn_prompts import COLOURS
from recipes.nano_image.icons import read_icons, tinted
from recipes.nano_image.tokenizer_training import RESULTS

COLUMNS = 8


def main() -> None:
    """Evenly over all held-out icons."""
    cover_NHW, icons = read_icons()
    held_out = [index for index, icon in enumerate(icons) if icon.held_out]
    chosen = held_out[:: len(held_out) // COLUMNS**2][: COLUMNS**2]
    black = COLOURS["black"]
    pictures = [tinted(np.asarray(cover_NHW[index]), black) for index in chosen]
    rows = [
        np.concatenate(pictures[start : start + COLUMNS], axis=1)
        for start in range(0, len(pictures), COLUMNS)
    ]
    sheet = Image.fromarray(np.concatenate(rows)).convert("L")
    sheet.save(RESULTS / "held-out-icons.png", optimize=True)
    lines = [f"{icons[index].package}\t{icons[index].file}" for index in chosen]
    (RESULTS / "held-out-icons.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
