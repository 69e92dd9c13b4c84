"""Where the lines of text in a screenshot are, and how wide a character is. No model, no torch.

Works on text in one fixed-width font on an even ground: editors, terminals, logs. Rows of ink give
the lines; the strongest period of the columns gives the width of a character, since letters
stand in the middle of their cells. What it cannot do: proportional text (told by `regular`),
slanted pictures, several columns of text in different sizes.

Arrays: y, x over the picture's pixels; ink is 0 on the ground, up to 1 where the text is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

Ink = np.ndarray[tuple[int, int], np.dtype[np.float32]]
Profile = np.ndarray[tuple[int], np.dtype[np.float64]]

MARK = 0.22  # ink from which a pixel counts as part of a letter
MOST_LINES = 200
NARROWEST, WIDEST = 3.0, 64.0  # pixels of a character
# Below it the text is hardly fixed-width. Measured on 60 pages of either kind: fixed-width fonts
# had 1.25 and more in 99 of 100, a proportional one 0.78 and less in 95 of 100.
REGULAR = 1.0


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
    regular: float  # share of the ink in step with the pitch, times the root of the characters

    @property
    def in_step(self) -> float:
        """Share of the ink in step with the pitch, however long the text is."""
        return float(self.regular / max(1, sum(line.columns for line in self.lines)) ** 0.5)


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


@dataclass(frozen=True, kw_only=True, slots=True)
class LetterSize:
    """Width of a character's cell, height of tall letters over the baseline, in pixels."""

    pitch: float
    ascent: float


def find_text(picture: Image.Image, *, size: LetterSize | None = None) -> TextBlock | None:
    """The picture's text, or None where no line of it is found.

    `size` is that of its letters where it is known, as from `common_size`.
    """
    found = _find_bands(picture)
    if found is None:
        return None
    ink, marked, bands, height = found
    return block_of(ink, marked, bands, height=height, size=size)


def block_of(
    ink: Ink,
    marked: np.ndarray,
    bands: list[tuple[int, int]],
    *,
    height: float,
    size: LetterSize | None = None,
) -> TextBlock:
    """Lines whose rows (`bands`) are known, as text in one fixed-width font."""
    presence = _presence(ink, bands, height)
    grid = _widths(height, len(presence)) if size is None else np.array([size.pitch])
    waves, strength = _spectrum(presence, grid)
    best = _best(grid, strength, height)
    pitch = float(grid[best])
    phase = _phase(waves[best], pitch)
    baselines = [baseline_of(ink, band) for band in bands]
    ascent = _ascent(baselines, bands, pitch) if size is None else size.ascent
    extents = [_extent(marked, band) for band in bands]
    first = min(start for start, _ in extents)
    left = float(phase + pitch * np.floor((first + 0.3 * pitch - phase) / pitch))
    lines = _lines(baselines, extents, left=left, pitch=pitch)
    characters = sum(line.columns for line in lines)
    return TextBlock(
        ink=grey_of(ink),
        lines=lines,
        left=left,
        pitch=pitch,
        ascent=ascent,
        regular=float(strength[best]) * characters**0.5,
    )


def grey_of(ink: Ink) -> Image.Image:
    """As a picture, 255 where ink is 1."""
    return Image.fromarray((255 * np.minimum(ink, 1) + 0.5).astype(np.uint8), "L")


def common_size(pictures: Sequence[Image.Image]) -> LetterSize | None:
    """Of the letters in several short texts of one font; None where there is no text.

    One word alone may as well have letters of half the width, or none that is tall; many words
    settle it.
    """
    found = [one for picture in pictures if (one := _find_bands(picture)) is not None]
    if not found:
        return None
    height = max(height for _, _, _, height in found)
    grid = _widths(height, max(ink.shape[1] for ink, _, _, _ in found))
    total = np.zeros(len(grid))
    for ink, _, bands, own in found:
        presence = _presence(ink, bands, own)
        total += _spectrum(presence, grid)[1] * (presence > 0).sum()
    pitch = float(grid[_best(grid, total, height)])
    tallest = max(
        _ascent([baseline_of(ink, band) for band in bands], bands, pitch)
        for ink, _, bands, _ in found
    )
    return LetterSize(pitch=pitch, ascent=tallest)


def _ascent(baselines: list[float], bands: list[tuple[int, int]], pitch: float) -> float:
    heights = [base - top for base, (top, _) in zip(baselines, bands, strict=True)]
    return float(np.clip(np.percentile(heights, 85), 1.18 * pitch, 1.6 * pitch))


def _find_bands(
    picture: Image.Image,
) -> tuple[Ink, np.ndarray, list[tuple[int, int]], float] | None:
    """Ink, where it is marked, the rows of each line, and the height of a line."""
    ink = ink_of(picture)
    marked = ink > MARK
    bands = row_bands(marked)
    if not bands:
        return None
    height = float(np.median([bottom - top for top, bottom in bands]))
    bands = [part for band in bands for part in _split(marked, band, height)][:MOST_LINES]
    bands = [band for band in bands if band[1] - band[0] >= max(2.0, 0.2 * height)]
    return (ink, marked, bands, height) if bands else None


def _presence(ink: Ink, bands: list[tuple[int, int]], height: float) -> Profile:
    """How much ink stands in each column, no line counting for too much."""
    presence = np.zeros(ink.shape[1])
    for top, bottom in bands:
        presence += np.minimum(ink[top:bottom].sum(axis=0), 0.35 * height)
    return presence


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


def row_bands(marked: np.ndarray) -> list[tuple[int, int]]:
    """(top, bottom) of runs of rows with ink; dots of i and the like are joined to their line."""
    rows = marked.any(axis=1)
    edges = np.flatnonzero(np.diff(np.r_[False, rows, False].astype(np.int8)))
    runs = [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    if not runs:
        return []
    share = 100 if len(runs) < 5 else 80  # of many, a few may be lines that touch
    tallest = float(np.percentile([bottom - top for top, bottom in runs], share))
    joined = [runs[0]]
    for top, bottom in runs[1:]:
        last_top, last_bottom = joined[-1]
        small = min(bottom - top, last_bottom - last_top) < 0.55 * tallest
        dot = last_bottom - last_top < 0.35 * tallest  # of i and j, over short letters alone
        gap = (0.4 if dot else 0.2) * tallest
        if small and top - last_bottom <= gap and bottom - last_top <= 1.5 * tallest:
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


def _widths(height: float, length: int) -> Profile:
    """Widths of a character that a line of this height may have, finely spaced."""
    low = max(NARROWEST, 0.43 * height)
    high = min(WIDEST, max(low + 1.0, 1.2 * height))
    widths = [low]
    while widths[-1] < high:
        widths.append(widths[-1] + max(0.004, 0.1 * widths[-1] ** 2 / max(length, 1)))
    return np.array(widths)


def _likely(grid: Profile, height: float) -> Profile:
    """A character is about seven tenths as wide as a line of letters is high."""
    likely: Profile = np.exp(-0.5 * (np.log(grid / (0.68 * height)) / 0.3) ** 2)
    return likely


def _spectrum(presence: Profile, grid: Profile) -> tuple[np.ndarray, Profile]:
    """For each width its wave and the share of the ink in step with it."""
    places = np.flatnonzero(presence > 0)
    weights = presence[places]
    waves = np.exp(-2j * np.pi * places[None, :] / grid[:, None]) @ weights
    return waves, np.abs(waves) / weights.sum()


def _best(grid: Profile, strength: Profile, height: float) -> int:
    """Index of the likeliest width.

    Letters with two stems are in step with half their width as well; where the whole one is in
    step too, it is meant.
    """
    best = int(np.argmax(strength * _likely(grid, height)))
    double = np.flatnonzero(np.abs(grid / (2 * grid[best]) - 1) < 0.05)
    if double.size and 2 * grid[best] <= 1.05 * height:
        whole = int(double[np.argmax(strength[double])])
        if strength[whole] > 0.45 * strength[best]:
            return whole
    return best


def _phase(wave: complex, pitch: float) -> float:
    """Where a cell begins: half a width before the middle of its ink."""
    centre = -float(np.angle(wave)) / (2 * np.pi) * pitch + 0.5
    return float((centre - pitch / 2) % pitch)


def baseline_of(ink: Ink, band: tuple[int, int]) -> float:
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
