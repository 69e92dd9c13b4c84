"""Where the lines of text in a screenshot are, and how wide a character is. No model, no torch.

Works on text in one fixed-width font on an even ground: editors, terminals, logs. Rows of ink give
the lines; the strongest period of the columns gives the width of a character, since letters
stand in the middle of their cells. What it cannot do: proportional text (told by `regular`),
slanted pictures, several columns of text in different sizes.

Arrays: y, x over the picture's pixels; ink is 0 on the ground, up to 1 where the text is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

Ink = np.ndarray[tuple[int, int], np.dtype[np.float32]]
Profile = np.ndarray[tuple[int], np.dtype[np.float64]]

MARK = 0.22  # ink from which a pixel counts as part of a letter
MOST_LINES = 200
NARROWEST, WIDEST = 3.0, 64.0  # pixels of a character
REGULAR = 0.30  # of the ink in step with the width: below it the text is hardly fixed-width


@dataclass(frozen=True, kw_only=True, slots=True)
class TextLine:
    """One line; `columns` counts characters from the block's left edge to the last ink."""

    baseline: float
    columns: int
    blank_before: int = 0  # empty lines above it


@dataclass(frozen=True, kw_only=True, slots=True)
class TextBlock:
    """All lines of a picture. Lengths are pixels of `ink`, a grey picture (255 is ink)."""

    ink: Image.Image
    lines: tuple[TextLine, ...]
    left: float
    pitch: float
    ascent: float
    regular: float  # share of the ink in step with the pitch, 0..1


def ink_of(picture: Image.Image) -> Ink:
    """Distance from the ground's colour, the commonest one of the picture."""
    colours = np.asarray(picture.convert("RGB"))
    coarse = colours.astype(np.uint32) >> 3
    keys = (coarse[..., 0] << 10) | (coarse[..., 1] << 5) | coarse[..., 2]
    commonest = np.bincount(keys.ravel(), minlength=1).argmax()
    ground = np.median(colours[keys == commonest], axis=0)
    distance = np.abs(colours.astype(np.float32) - ground.astype(np.float32)).max(axis=2)
    top = float(np.percentile(distance[distance > 24], 90)) if (distance > 24).any() else 255.0
    ink = np.clip(distance / max(top, 48.0), 0, 1)
    return _without_rules(ink.astype(np.float32))


def find_text(picture: Image.Image) -> TextBlock | None:
    """The picture's text, or None where no line of it is found."""
    ink = ink_of(picture)
    marked = ink > MARK
    bands = _bands(marked)
    if not bands:
        return None
    height = float(np.median([bottom - top for top, bottom in bands]))
    bands = [part for band in bands for part in _split(marked, band, height)][:MOST_LINES]
    bands = [band for band in bands if band[1] - band[0] >= max(2.0, 0.2 * height)]
    if not bands:
        return None
    presence = np.zeros(ink.shape[1])
    for top, bottom in bands:
        presence += np.minimum(ink[top:bottom].sum(axis=0), 0.35 * height)
    pitch, phase, regular = _period(presence, height)
    baselines = [_baseline(ink, band) for band in bands]
    tall = float(
        np.percentile([base - top for base, (top, _) in zip(baselines, bands, strict=True)], 85)
    )
    ascent = float(np.clip(tall, 1.18 * pitch, 1.6 * pitch))
    extents = [_extent(marked, band) for band in bands]
    first = min(start for start, _ in extents)
    left = phase + pitch * np.floor((first + 0.3 * pitch - phase) / pitch)
    lines = _lines(baselines, extents, left=float(left), pitch=pitch)
    grey = Image.fromarray((255 * ink + 0.5).astype(np.uint8), "L")
    return TextBlock(
        ink=grey, lines=lines, left=float(left), pitch=pitch, ascent=ascent, regular=regular
    )


def _without_rules(ink: Ink) -> Ink:
    """Lines of frames and underlines taken out: rows and columns of ink without a gap."""
    height, width = ink.shape
    marked = ink > MARK
    ink = ink.copy()
    if height >= 24:
        ink[:, marked.mean(axis=0) > 0.9] = 0
    if width >= 24:
        ink[marked.mean(axis=1) > 0.8] = 0
    return ink


def _bands(marked: np.ndarray) -> list[tuple[int, int]]:
    """(top, bottom) of runs of rows with ink; dots of i and the like are joined to their line."""
    rows = marked.any(axis=1)
    edges = np.flatnonzero(np.diff(np.r_[False, rows, False].astype(np.int8)))
    runs = [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    if not runs:
        return []
    tallest = float(np.percentile([bottom - top for top, bottom in runs], 80))
    joined = [runs[0]]
    for top, bottom in runs[1:]:
        last_top, last_bottom = joined[-1]
        small = min(bottom - top, last_bottom - last_top) < 0.55 * tallest
        if small and top - last_bottom <= 0.2 * tallest and bottom - last_top <= 1.35 * tallest:
            joined[-1] = (last_top, bottom)
        else:
            joined.append((top, bottom))
    return joined


def _split(marked: np.ndarray, band: tuple[int, int], height: float) -> list[tuple[int, int]]:
    """A band of lines that touch, cut where there is least ink."""
    top, bottom = band
    if bottom - top < 1.7 * height:
        return [band]
    rows = marked[top:bottom].sum(axis=1)
    count = max(2, round((bottom - top) / (1.1 * height)))
    step = (bottom - top) / count
    cuts = [0]
    for number in range(1, count):
        middle, reach = number * step, 0.3 * step
        low, high = int(middle - reach), int(middle + reach) + 1
        cuts.append(low + int(np.argmin(rows[low:high])))
    cuts.append(bottom - top)
    return [(top + a, top + b) for a, b in pairwise(cuts) if b > a]


def _period(presence: Profile, height: float) -> tuple[float, float, float]:
    """(width of a character, where a cell begins, share of the ink in step)."""
    places = np.flatnonzero(presence > 0)
    weights = presence[places]
    length = float(places[-1] - places[0] + 1)
    low = max(NARROWEST, 0.36 * height)
    high = min(WIDEST, max(low + 1.0, 0.98 * height))
    widths = [low]
    while widths[-1] < high:
        widths.append(widths[-1] + max(0.004, 0.1 * widths[-1] ** 2 / max(length, 1.0)))
    grid = np.array(widths)
    waves = np.exp(-2j * np.pi * places[None, :] / grid[:, None]) @ weights
    strength = np.abs(waves) / weights.sum()
    likely = np.exp(-0.5 * (np.log(grid / (0.56 * height)) / 0.35) ** 2)
    best = int(np.argmax(strength * likely))
    pitch = float(grid[best])
    centre = -np.angle(waves[best]) / (2 * np.pi) * pitch + 0.5
    return pitch, float((centre - pitch / 2) % pitch), float(strength[best])


def _baseline(ink: Ink, band: tuple[int, int]) -> float:
    """The row under which most ink ends; descenders hang below it."""
    top, bottom = band
    rows = ink[top:bottom].sum(axis=1)
    padded = np.r_[rows, 0.0, 0.0]
    drop = padded[:-2] - padded[1:-1] + 0.5 * (padded[:-2] - padded[2:])
    start = int(0.45 * len(rows))
    return float(top + start + int(np.argmax(drop[start:])) + 1)


def _extent(marked: np.ndarray, band: tuple[int, int]) -> tuple[int, int]:
    columns = np.flatnonzero(marked[band[0] : band[1]].any(axis=0))
    return int(columns[0]), int(columns[-1]) + 1


def _lines(
    baselines: list[float], extents: list[tuple[int, int]], *, left: float, pitch: float
) -> tuple[TextLine, ...]:
    gaps = [after - before for before, after in pairwise(baselines)]
    step = float(np.percentile(gaps, 25)) if gaps else 0.0
    lines = []
    for number, (baseline, (_, end)) in enumerate(zip(baselines, extents, strict=True)):
        skipped = round(gaps[number - 1] / step) - 1 if number and step > 0 else 0
        columns = max(1, int(np.ceil((end - left) / pitch - 0.15)))
        lines.append(
            TextLine(baseline=baseline, columns=columns, blank_before=min(max(skipped, 0), 20))
        )
    return tuple(lines)
