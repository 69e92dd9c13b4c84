"""`glm-lsp draw PROMPT -o FILE`: a picture into the user's folder, through the daemon.

Everything that can be refused is refused before anything is drawn. Not here: what a picture
looks like (the engine), how files are written (`glm_client.new_files`).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import re
import sys
import uuid
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from glm_client.daemon_client import DaemonClient
from glm_client.new_files import check_writable, new_folder, refused, write_new
from glm_protocol.answers import End, Progress
from glm_protocol.drawing import DrawRequest
from glm_protocol.errors import BadRequest, EngineFailed
from glm_t2i.assets.contact_sheet import contact_sheet
from glm_t2i.assets.css_palette import palette_of
from glm_t2i.assets.icon_sets import ICON_SETS, SIDE
from glm_t2i.assets.picture_formats import as_format, check_format
from glm_t2i.assets.saved_recipe import read_recipe
from glm_t2i.given_picture import read_box
from glm_t2i.png_file import picture_from_bytes, png_bytes

MOST_SIDE = 4096
MOST_PROMPT = 10_000
MOST_COUNT = 16
MOST_SEED = 2**53 - 1
_SIZE = re.compile(r"(-?\d{1,9})[xX×](-?\d{1,9})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """Finished PNG files, best first, and the end that came with them."""

    pngs: tuple[bytes, ...]
    end: End


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glm-lsp draw",
        description="Draw a picture from words. Starts the daemon if none is running. "
        "No file is ever overwritten: a taken name gets -1, -2 …",
    )
    parser.add_argument("prompt", nargs="?", help="what the picture shows")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help=".png, .webp or .ico, or a folder (default: named by the prompt)",
    )
    parser.add_argument("--size", metavar="WxH", help="exact pixels, 1 to 4096 (default: 128x128)")
    parser.add_argument("--transparent", action="store_true", help="no background: real alpha")
    parser.add_argument("--seed", type=int, help="the same seed gives the same picture")
    parser.add_argument("--count", type=int, default=1, help="candidates, best first (default: 1)")
    parser.add_argument("--palette", type=Path, metavar="CSS", help="only colours of this file")
    parser.add_argument(
        "--icon-set", choices=sorted(ICON_SETS), help="a folder of icons in every size, at -o"
    )
    parser.add_argument(
        "--again",
        type=Path,
        metavar="FILE",
        help="make a drawn picture again from what it says of itself; --size, --seed, --count, "
        "--transparent, --option and --model go before that",
    )
    parser.add_argument(
        "--change",
        type=Path,
        metavar="FILE",
        help="draw into this picture, inside --mask (white) or --box; models that follow a "
        "picture take the whole of it",
    )
    parser.add_argument("--mask", type=Path, metavar="FILE", help="white is drawn anew")
    parser.add_argument("--box", metavar="X,Y,W,H", help="pixels that are drawn anew")
    parser.add_argument(
        "--model", help="a model of `glm-lsp models` (default: the first for pictures)"
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="for the model, e.g. best_of=4, guidance=2, steps=30",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser  # fmt: skip


def request_from(options: argparse.Namespace) -> DrawRequest:
    """The request that the command line describes. Raises BadRequest."""
    if (options.prompt is None) == (options.again is None):
        raise BadRequest("Give a prompt, or --again FILE.", remedy="See `glm-lsp draw --help`.")
    if options.again is not None:
        return _again(options)
    if not options.prompt.strip():
        raise BadRequest("The prompt is empty.", remedy="Say what the picture shows.")
    if len(options.prompt) > MOST_PROMPT:
        raise BadRequest(
            f"The prompt has {len(options.prompt)} characters; {MOST_PROMPT} are allowed.",
            remedy="Say it in fewer words.",
        )
    width, height = read_size(options.size) if options.size else (128, 128)
    if options.icon_set:
        if options.size:
            raise BadRequest("An icon set has its own sizes.", remedy="Leave --size out.")
        width = height = SIDE
    image, mask, region = _change(options)
    if image is not None and not options.size:
        width, height = image.size
    words = dict(_option(text) for text in options.option) | region
    if options.palette is not None:
        words["palette"] = palette_of(options.palette)
    return DrawRequest(
        id=uuid.uuid4().hex,
        document=f"draw:{uuid.uuid4().hex}",
        prompt=options.prompt,
        width=width,
        height=height,
        count=_bounded("--count", options.count, 1, MOST_COUNT),
        transparent=options.transparent,
        image=_base64(image),
        mask=_base64(mask),
        options=words,
        model=options.model,
        seed=None if options.seed is None else _seed(options.seed),
    )


def read_size(text: str) -> tuple[int, int]:
    """`WxH`. Raises BadRequest."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise BadRequest(f"{text[:40]!r} is no size.", remedy="Write it as 64x64.")
    width, height = int(match[1]), int(match[2])
    if not (1 <= width <= MOST_SIDE and 1 <= height <= MOST_SIDE):
        raise BadRequest(
            f"A picture of {width} x {height} pixels cannot be drawn.",
            remedy=f"Either side may be 1 to {MOST_SIDE}.",
        )
    return width, height


def _again(options: argparse.Namespace) -> DrawRequest:
    """What the picture says of itself; what the command line says goes before it."""
    if options.change is not None or options.palette is not None:
        raise BadRequest("--again takes neither --change nor --palette.")
    recipe = read_recipe(options.again)
    size = read_size(options.size) if options.size else (recipe.width, recipe.height)
    if options.icon_set:
        size = (SIDE, SIDE)
    words = recipe.options | dict(_option(text) for text in options.option)
    return DrawRequest(
        id=uuid.uuid4().hex, document=f"draw:{uuid.uuid4().hex}", prompt=recipe.prompt,
        width=size[0], height=size[1], temperature=recipe.temperature, options=words,
        transparent=recipe.transparent or options.transparent,
        count=_bounded("--count", options.count, 1, MOST_COUNT),
        seed=recipe.seed if options.seed is None else _seed(options.seed),
        model=options.model or recipe.model,
    )  # fmt: skip


def _seed(seed: int) -> int:
    return _bounded("--seed", seed, 0, MOST_SEED)


def _change(
    options: argparse.Namespace,
) -> tuple[Image.Image | None, Image.Image | None, dict[str, str]]:
    """The picture to be changed, its mask, and its box as an option."""
    if options.change is None:
        if options.mask is not None or options.box is not None:
            raise BadRequest("--mask and --box need --change FILE.")
        return None, None, {}
    if options.mask is not None and options.box is not None:
        raise BadRequest("Give --mask or --box, not both.")
    image = _read(options.change)
    if options.box is None:
        return image, None if options.mask is None else _read(options.mask), {}
    read_box(options.box, image.size)
    return image, None, {"box": options.box}


def _read(file: Path) -> Image.Image:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise BadRequest(f"{file} cannot be read ({error.strerror}).") from error
    return picture_from_bytes(data, f"picture {file}")


def _base64(picture: Image.Image | None) -> str:
    return "" if picture is None else base64.b64encode(png_bytes(picture, {})).decode("ascii")


def _bounded(name: str, value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise BadRequest(f"{name} is {value}; it may be {least} to {most}.")
    return value


def _option(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise BadRequest(f"{text[:40]!r} is no option.", remedy="Write it as NAME=VALUE.")
    return name, value


def output_of(options: argparse.Namespace, request: DrawRequest) -> Path:
    """The first file that is tried, or the folder of an icon set. Raises BadRequest."""
    name = re.sub(r"[^\w]+", "-", request.prompt.lower()).strip("-")[:48] or "picture"
    if options.icon_set:
        place: Path = options.output or Path(f"{name}-{options.icon_set}")
        check_writable(place.parent if not place.is_dir() else place)
        return place
    wanted = options.output or (
        options.again.parent / options.again.name if options.again else Path()
    )
    if wanted.is_dir():
        wanted = wanted / f"{name}.png"
    check_writable(wanted.parent)
    check_format(wanted, (request.width, request.height))
    return wanted


async def draw(request: DrawRequest, *, show: bool) -> Drawn:
    """Ask the daemon, starting it if need be. Raises GlmError."""
    pngs, end = list[bytes](), None
    async with DaemonClient() as client:
        await client.connect()
        async with aclosing(client.stream(request)) as chunks:
            async for chunk in chunks:
                if chunk.progress is not None and show:
                    _show(chunk.progress)
                if chunk.image:
                    pngs.append(base64.b64decode(chunk.image))
                end = chunk.end or end
    assert end is not None  # `stream` raises otherwise
    if not pngs:
        raise EngineFailed(f"No picture came: the request ended with {end.finish.value!r}.")
    return Drawn(pngs=tuple(pngs), end=end)


def _show(progress: Progress) -> None:
    done = progress.step == progress.steps
    text = f"\rdrawing {100 * progress.step // progress.steps:3} %"
    print("\r" + " " * len(text) + "\r" if done else text, end="", file=sys.stderr, flush=True)


def save(drawn: Drawn, wanted: Path, request: DrawRequest) -> list[Path]:
    """Every picture, the best under the wanted name; with several also their sheet."""
    files = [write_new(wanted, as_format(png, wanted.suffix)) for png in drawn.pngs]
    if len(files) > 1:
        scores = drawn.end.report.get("scores") or [None] * len(files)
        labels = [
            f"{file.name} {'' if score is None else format(score, '.2f')}"
            for file, score in zip(files, scores, strict=False)
        ]
        sheet = contact_sheet([picture_from_bytes(png, "picture") for png in drawn.pngs], labels)
        place = wanted.with_name(f"{wanted.stem}-sheet.png")
        files.append(
            write_new(place, png_bytes(sheet, {"prompt": request.prompt, "changed": True}))
        )
    return files


def save_set(drawn: Drawn, folder: Path, name: str) -> tuple[list[Path], str]:
    """The files of an icon set, and what to do with them. Raises BadRequest."""
    made = ICON_SETS[name](drawn.pngs[0])
    folder = new_folder(folder)
    files = []
    for path, data in made.files.items():
        place = folder / path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise refused(place.parent, error) from error
        files.append(write_new(place, data))
    return files, made.hint


def as_json(drawn: Drawn, files: Sequence[Path]) -> dict[str, Any]:
    """The object that `--json` prints; its first five words are a contract."""
    report = dict(drawn.end.report)
    return {
        "files": [str(file) for file in files],
        "seed": report.get("seed"),
        "model": drawn.end.model,
        "score": report.get("score"),
        "timings_ms": asdict(drawn.end.timings_ms),
        "seeds": report.get("seeds"),
        "scores": report.get("scores"),
        "alpha": report.get("alpha"),
        "finish": drawn.end.finish.value,
    }


def run(argv: Sequence[str]) -> int:
    """The `draw` subcommand."""
    options = arguments().parse_args(argv)
    request = request_from(options)
    if options.icon_set:
        request = replace(request, count=1, transparent=options.icon_set != "ios")
    wanted = output_of(options, request)
    drawn = asyncio.run(draw(request, show=not options.json and sys.stderr.isatty()))
    hint = ""
    if options.icon_set:
        files, hint = save_set(drawn, wanted, options.icon_set)
    else:
        files = save(drawn, wanted, request)
    if options.json:
        print(json.dumps(as_json(drawn, files)))
        return 0
    for file in files:
        print(file)
    alpha = drawn.end.report.get("alpha") or []
    if request.transparent and not all(entry.get("real", True) for entry in alpha):
        print(
            "note: the background could not be taken away; the picture is opaque", file=sys.stderr
        )
    if hint:
        print(hint)
    return 0
