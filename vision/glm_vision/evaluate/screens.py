"""Real screenshots: how much of the text that a page or a terminal shows is read off its picture.

A folder holds FILE.png and FILE.json, `{"kind", "lines": [{"text", "box", "mono"}]}`, the text by
the page's own word (`scripts/screens.sh` makes them). Two measures, by kind of screen:

    words   F1 of the words of the whole screen, wherever they stand
    lines   characters of single lines cut out of it, as when a user selects one: in fixed-width
            letters and in others, which nano-vision does not claim to read
"""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from glm_protocol.errors import BadRequest
from glm_vision.evaluate.likeness import same_characters

Reader = Callable[[Image.Image], str]
LINES_EACH = 6  # cut out of one screen
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScreenLine:
    """`box` is left, top, right, bottom in the picture's pixels."""

    text: str
    box: tuple[int, int, int, int]
    mono: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Screen:
    name: str
    kind: str
    picture: Image.Image
    lines: tuple[ScreenLine, ...]

    @property
    def words(self) -> Counter[str]:
        return words_of(" ".join(line.text for line in self.lines))


def read_screens(folder: Path) -> Iterator[Screen]:
    """By name. Raises BadRequest where none is here, or one cannot be read."""
    files = sorted(folder.glob("*.png"))
    pairs = [(file, file.with_suffix(".json")) for file in files]
    pairs = [(picture, text) for picture, text in pairs if text.is_file()]
    if not pairs:
        raise BadRequest(
            f"There is no screenshot with its text in {folder}.",
            remedy="Make some: bash scripts/screens.sh",
        )
    for picture, text in pairs:
        try:
            raw = json.loads(text.read_text(encoding="utf-8"))
            lines = tuple(
                ScreenLine(text=line["text"], box=tuple(line["box"]), mono=line["mono"])
                for line in raw["lines"]
            )
            with Image.open(picture) as opened:
                shown = opened.convert("RGB")
            yield Screen(name=picture.stem, kind=raw["kind"], picture=shown, lines=lines)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadRequest(f"{text} and its picture cannot be read ({error}).") from error


def measure_screens(screens: Iterator[Screen], reader: Reader, *, seed: int) -> dict[str, Any]:
    """Mean scores by kind, how many, and seconds a screen."""
    chooser = random.Random(seed)
    scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    each: dict[str, float] = {}
    for screen in screens:
        kind = scores[screen.kind]
        began = time.perf_counter()
        read = reader(screen.picture)
        kind["seconds"].append(time.perf_counter() - began)
        each[screen.name] = round(word_f1(screen.words, words_of(read)), 3)
        kind["words"].append(each[screen.name])
        whole = [line for line in screen.lines if len(line.text) >= 3]
        for line in chooser.sample(whole, min(LINES_EACH, len(whole))):
            cut = screen.picture.crop(_wider(line.box, screen.picture))
            letters = "fixed-width lines" if line.mono else "other lines"
            kind[letters].append(same_characters(line.text, reader(cut).strip()))
    kinds = {
        name: {
            measure: {"mean": round(sum(found) / len(found), 4), "n": len(found)}
            for measure, found in measures.items()
        }
        for name, measures in scores.items()
    }
    return {"kinds": kinds, "screens": each}


def words_of(text: str) -> Counter[str]:
    """Words of two characters and more, without punctuation at their ends."""
    words = (word.strip(".,;:()[]\"'`") for word in _WORD.findall(text))
    return Counter(word for word in words if len(word) > 1)


def word_f1(expected: Counter[str], found: Counter[str]) -> float:
    """1 where both are empty."""
    total = expected.total() + found.total()
    return 2 * (expected & found).total() / total if total else 1.0


def screens_table(result: dict[str, Any]) -> str:
    """For people."""
    measures = ("words", "fixed-width lines", "other lines", "seconds")
    rows = [f"{'screens':<12}{'n':>4}" + "".join(f"{name:>19}" for name in measures)]
    for kind, found in result["kinds"].items():
        cells = [
            f"{found[name]['mean']:.3f} ({found[name]['n']})" if name in found else "-"
            for name in measures
        ]
        rows.append(f"{kind:<12}{found['words']['n']:>4}" + "".join(f"{c:>19}" for c in cells))
    return "\n".join(rows)


def _wider(box: tuple[int, int, int, int], picture: Image.Image) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    return (max(0, left - 6), max(0, top - 2), min(picture.width, right + 6),
            min(picture.height, bottom + 2))  # fmt: skip
