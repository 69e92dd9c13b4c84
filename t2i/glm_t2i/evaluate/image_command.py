"""`glm-lsp eval image`: what a picture model of CogView's layout can do, measured.

Four measures, each from what is really drawn or read: the tokenizer's PSNR and use of its codes,
drawn prompts judged by `attribute_check`, and how often the right caption comes first among 20 by
caption score. The model runs in this process, on one thread, without the daemon.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from glm_protocol.errors import BadRequest, Unsupported
from glm_protocol.folders import user_folders
from glm_runtime.model_family import IMAGE
from glm_runtime.model_registry import ModelRegistry
from glm_t2i.assets.contact_sheet import contact_sheet
from glm_t2i.cogview_painter import CogViewPainter
from glm_t2i.evaluate.attribute_check import Verdict, judge
from glm_t2i.evaluate.drawn_prompts import COLOURS, Wanted, plain_prompts, sampled_prompts
from glm_t2i.evaluate.shape_canvas import paint
from glm_t2i.painter_loading import load_painter
from glm_t2i.painting import Painted, Painting
from glm_t2i.png_file import picture_from_bytes

CHOICES = 20  # captions to choose from
TILE = 128
SHEET_PICTURES = 48
ICONS = (
    "star", "heart", "home", "folder", "cloud", "camera", "key", "bell", "moon", "sun", "flag",
    "bookmark", "shield", "trash", "lock open", "arrow up", "play", "pencil", "umbrella", "phone",
    "eye", "gift", "leaf", "check",
)  # fmt: skip


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glm-lsp eval image",
        description="Measure a picture model: tokenizer, drawn prompts, captions.",
    )
    parser.add_argument(
        "--model", help="a model of `glm-lsp models` (default: the first for pictures)"
    )
    parser.add_argument(
        "--prompts",
        type=int,
        default=80,
        help="prompts of either kind: shape and colour, all attributes (default: 80)",
    )
    parser.add_argument("--captions", type=int, default=100, help="pictures to be captioned")
    parser.add_argument(
        "--pictures",
        type=Path,
        metavar="FILE",
        help="a sheet of 128x128 tiles for the tokenizer (default: drawn shapes)",
    )
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="as of `glm-lsp draw`"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--sheet", type=Path, metavar="FILE", help="write what was drawn, as a sheet"
    )
    parser.add_argument(
        "--icon-sheet",
        type=Path,
        metavar="FILE",
        help="write icons by name, for a person to look at",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser  # fmt: skip


def tokenizer_scores(painter: CogViewPainter, pictures: Sequence[Image.Image]) -> dict[str, Any]:
    """Mean PSNR in dB, and the share of the book's codes that these pictures use."""
    decibels, used = [], set[int]()
    for picture in pictures:
        codes_hw = painter.encoded(picture)
        used.update(codes_hw.flatten().tolist())
        again = np.asarray(painter.decoded(codes_hw)).astype(np.float64)
        own = picture.convert("RGB").resize((again.shape[1], again.shape[0]))
        error = np.square(again - np.asarray(own)).mean()
        decibels.append(10 * np.log10(255**2 / max(error, 1e-9)))
    return {
        "pictures": len(pictures),
        "psnr_db": round(float(np.mean(decibels)), 2),
        "psnr_db_worst": round(float(np.min(decibels)), 2),
        "codes_used": round(len(used) / painter.codes, 3),
    }


def drawn(
    painter: CogViewPainter, wanted: Sequence[Wanted], options: dict[str, str], seed: int
) -> tuple[list[Image.Image], list[Verdict], float]:
    """Pictures, verdicts, and seconds a picture."""
    pictures, verdicts = [], []
    began = time.perf_counter()
    for index, prompt in enumerate(wanted):
        painting = Painting(
            prompt=prompt.sentence(), width=TILE, height=TILE, seed=seed + index, options=options
        )
        picture = next(s.picture for s in painter.paint(painting) if isinstance(s, Painted))
        pictures.append(picture)
        verdicts.append(judge(picture, prompt))
    return pictures, verdicts, (time.perf_counter() - began) / max(1, len(wanted))


def shares(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """Shares of prompts that were met, by attribute."""
    words = ("shape", "colour", "count", "place", "shape_and_colour", "everything")
    count = max(1, len(verdicts))
    return {word: round(sum(getattr(v, word) for v in verdicts) / count, 3) for word in words}


def icon_sheet(painter: CogViewPainter, options: dict[str, str], seed: int) -> Image.Image:
    """An icon of each name, every other one in a colour. Nothing here judges them."""
    prompts = [
        f"a {name} icon"
        if index % 2
        else f"a {list(COLOURS)[index // 2 % len(COLOURS)]} {name} icon"
        for index, name in enumerate(ICONS)
    ]
    pictures = [
        next(s.picture for s in painter.paint(painting) if isinstance(s, Painted))
        for painting in (
            Painting(prompt=prompt, width=TILE, height=TILE, seed=seed + index, options=options)
            for index, prompt in enumerate(prompts)
        )
    ]
    return contact_sheet(pictures, prompts, columns=8, cell=TILE)


def caption_rank(painter: CogViewPainter, pictures: int, seed: int) -> dict[str, Any]:
    """Painted pictures, each with its own caption and 19 others."""
    draw = random.Random(seed)
    first = 0
    places = []
    for _ in range(pictures):
        pool = _pool(draw)
        sentences = draw.sample(sorted(pool), CHOICES)
        codes_hw = painter.encoded(paint(pool[sentences[0]]))
        scores = painter.ranked(codes_hw, sentences)
        place = int((scores > scores[0]).sum())
        places.append(place)
        first += place == 0
    return {
        "pictures": pictures,
        "choices": CHOICES,
        "right_first": round(first / max(1, pictures), 3),
        "mean_place": round(float(np.mean(places)) + 1, 2),
    }


def _pool(draw: random.Random) -> dict[str, Wanted]:
    wanted = [*plain_prompts(), *sampled_prompts(80, seed=draw.randrange(1 << 30))]
    return {prompt.sentence(): prompt for prompt in wanted}


def tiles(file: Path) -> list[Image.Image]:
    """A sheet cut into squares of 128 pixels. Raises BadRequest."""
    try:
        sheet = picture_from_bytes(file.read_bytes(), f"sheet {file}").convert("RGB")
    except OSError as error:
        raise BadRequest(f"{file} cannot be read ({error.strerror}).") from error
    found = [
        sheet.crop((left, top, left + TILE, top + TILE))
        for top in range(0, sheet.height - TILE + 1, TILE)
        for left in range(0, sheet.width - TILE + 1, TILE)
    ]
    if not found:
        raise BadRequest(f"{file} is smaller than one tile of {TILE} pixels.")
    return found


def run(argv: Sequence[str]) -> int:
    """The `eval image` subcommand."""
    options = arguments().parse_args(argv)
    registry = ModelRegistry(user_folders().registry)
    spec = registry.resolve(options.model or registry.default_of(IMAGE))
    if spec.folder is None:
        raise BadRequest(f"{spec.name} is no folder.", remedy="Fetch it and add its folder.")
    torch.set_num_threads(1)
    painter = load_painter(spec.folder)
    if not isinstance(painter, CogViewPainter):
        raise Unsupported(f"{spec.name} is not of CogView's layout; its codes cannot be read.")
    words = dict(text.split("=", 1) for text in options.option if "=" in text)
    draw = random.Random(options.seed)
    plain = draw.sample(plain_prompts(), min(options.prompts, len(plain_prompts())))
    rich = sampled_prompts(options.prompts, seed=options.seed)
    painted = [paint(wanted) for wanted in [*plain, *rich]]
    result: dict[str, Any] = {"model": spec.name, "options": words, "seed": options.seed}
    result["tokenizer_on_drawings"] = tokenizer_scores(painter, painted)
    if options.pictures is not None:
        result["tokenizer_on_pictures"] = tokenizer_scores(painter, tiles(options.pictures))
    first, first_verdicts, seconds = drawn(painter, plain, words, options.seed)
    second, second_verdicts, _ = drawn(painter, rich, words, options.seed)
    result["shape_and_colour_prompts"] = {"prompts": len(plain), **shares(first_verdicts)}
    result["count_or_place_prompts"] = {"prompts": len(rich), **shares(second_verdicts)}
    result["seconds_a_picture"] = round(seconds, 2)
    result["captions"] = caption_rank(painter, options.captions, options.seed)
    if options.icon_sheet is not None:
        icon_sheet(painter, words, options.seed).save(options.icon_sheet)
    if options.sheet is not None:
        half = SHEET_PICTURES // 2
        pairs = (
            *zip(plain[:half], first[:half], first_verdicts[:half], strict=True),
            *zip(rich[:half], second[:half], second_verdicts[:half], strict=True),
        )
        chosen = list(pairs)
        labels = [f"{'+' if v.everything else '-'} {w.sentence()}" for w, _, v in chosen]
        contact_sheet([p for _, p, _ in chosen], labels, columns=8, cell=TILE).save(options.sheet)
    print(json.dumps(result) if options.json else told(result))
    return 0


def told(result: dict[str, Any]) -> str:
    """The same for a person."""
    lines = [f"model {result['model']}, seed {result['seed']}"]
    for key, value in result.items():
        if isinstance(value, dict) and value:
            lines.append(
                f"{key.replace('_', ' ')}: " + ", ".join(f"{k} {v}" for k, v in value.items())
            )
    lines.append(f"{result['seconds_a_picture']} s a picture")
    return "\n".join(lines)
