"""Everything that is said of nano-image, measured anew after its weights changed: one command.

    python -m recipes.nano_image.renew [--prompts 80] [--captions 60] [--seed 1]

Runs `held_out` and `glm-lsp eval image`, and writes `results/{held-out,eval}.json`, the contact
sheets under `docs/pictures` and the table of the card. Needs what `icons` made.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from bench.machine import machine_line
from recipes.nano_image import held_out
from recipes.nano_image.captions import MODEL
from recipes.nano_image.held_out import PICTURES
from recipes.nano_image.tokenizer_training import RESULTS

CARD = MODEL / "README.md"
MARK = "<!-- measured: renewed by `python -m recipes.nano_image.renew` -->"
END = "<!-- end of measured -->"
COLOURS = 64  # of a sheet: a fifth of the bytes
HELD_OUT = "recipes/nano_image/results/held-out-icons.png"


def command(prompts: int, captions: int, seed: int) -> list[str]:
    """The words of `glm-lsp` that the card names."""
    return [
        "eval", "image", "--model", "nano-image", "--prompts", str(prompts), "--captions",
        str(captions), "--seed", str(seed), "--pictures", HELD_OUT,
    ]  # fmt: skip


def evaluated(words: list[str]) -> dict[str, Any]:
    """Scores; the sheets are written on the way."""
    sheets = [
        *("--sheet", str(PICTURES / "nano-image-drawn.png")),
        *("--icon-sheet", str(PICTURES / "nano-image-icons.png")),
    ]
    glm_lsp = str(Path(sys.executable).with_name("glm-lsp"))
    done = subprocess.run(
        [glm_lsp, *words, *sheets, "--json"], cwd=MODEL.parent.parent, check=True,
        stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    for file in (sheets[1], sheets[3]):
        with Image.open(file) as sheet:
            few = sheet.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(file, optimize=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def table(scores: dict[str, Any], icons: dict[str, Any], words: list[str], machine: str) -> str:
    """What the card says between its marks."""
    plain, rich = scores["shape_and_colour_prompts"], scores["count_or_place_prompts"]
    black, coloured, drawings = (
        icons[key] for key in ("icons_black", "icons_in_colours", "drawings")
    )
    psnr = [f"{one['psnr_db']:.1f} dB ({one['psnr_db_worst']:.1f})" for one in (black, drawings)]
    rows = (
        (f"PSNR of all {black['pictures']} held-out icons, mean (worst)", psnr[0], "24 dB"),
        (f"PSNR of {drawings['pictures']} drawings, mean (worst)", psnr[1], ""),
        (
            "codes used by those icons in the ten colours; all black; by the drawings",
            "; ".join(percent(one["codes_used"]) for one in (coloured, black, drawings)),
            "60 %",
        ),
        (
            f"one object: shape and colour right, of {plain['prompts']}",
            f"{percent(plain['shape_and_colour'])} (colour alone {percent(plain['colour'])})",
            "80 %",
        ),
        (
            f"several objects, or one in a place: everything right, of {rich['prompts']}",
            f"{percent(rich['everything'])} (colour {percent(rich['colour'])}, count "
            f"{percent(rich['count'])}, place {percent(rich['place'])}, shape "
            f"{percent(rich['shape'])})",
            "60 %",
        ),
        (
            f"right caption first among 20, of {scores['captions']['pictures']} painted pictures",
            percent(scores["captions"]["right_first"]),
            "60 %",
        ),
        ("a picture, one thread", f"{scores['seconds_a_picture']:.1f} s", "5 s"),
    )
    lines = [f"`glm-lsp {' '.join(words)}` and `python -m recipes.nano_image.held_out`, once each"]
    lines += [f"({machine}).", "", "| measure | reached | aim |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def put(page: str, text: str) -> str:
    """The page with the text between its marks. Raises ValueError without them."""
    before, mark, rest = page.partition(MARK)
    _, end, behind = rest.partition(END)
    if not mark or not end:
        raise ValueError(f"the card has no place {MARK} … {END}")
    return f"{before}{MARK}\n{text}\n{END}{behind}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=80, help="of either kind")
    parser.add_argument("--captions", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    machine = machine_line()
    held_out.main()
    words = command(asked.prompts, asked.captions, asked.seed)
    scores = evaluated(words)
    (RESULTS / "eval.json").write_text(json.dumps(scores, indent=1) + "\n", encoding="utf-8")
    icons = json.loads((RESULTS / "held-out.json").read_text(encoding="utf-8"))
    page = CARD.read_text(encoding="utf-8")
    CARD.write_text(put(page, table(scores, icons, words, machine)), encoding="utf-8")


if __name__ == "__main__":
    main()
