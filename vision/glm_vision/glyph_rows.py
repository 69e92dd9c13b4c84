"""Rows of a layout made ready for a reader of character cells, whatever their letters' widths.

Text in step with one pitch is read as it stands. Any other row is taken apart at the gaps between
its letters, and each letter is set in the middle of a cell of its own, as if the font were
fixed-width; a wide gap becomes one blank. Letters that touch are cut where there is least ink.

A stroke without serifs (i, l, a stop) looks like nothing a fixed-width font has; such slim letters
are told apart here, by where their ink stands over the baseline.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from PIL import Image

from glm_vision.grounds import Ink
from glm_vision.layout import MARK, Block, Layout, TextRow
from glm_vision.text_lines import REGULAR, LetterSize, TextBlock, TextLine, block_of, grey_of

# Share of the ink in step with a pitch: from the first on it is fixed-width, below the second not.
_IN_STEP, _DOUBTFUL = 0.28, 0.1
_LIKELY = 0.2  # what is so much in step lends its pitch to others
_SLIM_CELL = 1.26  # ascent over the width of a cell
_BLANK = 0.36  # of the ascent: a gap so wide is a blank
_TOUCHING = 0.75  # of the ascent: a run so wide may be two letters
_RIM = 0.2  # of the ascent: no letter is narrower beside another that it touches
_TWO = 0.95  # of the ascent: a run so wide is two letters more often than m or w
_BRIDGE, _THIN = 0.65, 0.5  # of the darkest: fainter where two touch; the second below `_TWO`
_BLANK_BY_DOT = 0.5  # beside a stop or a dash, which stand apart in fixed-width fonts
_WIDEST = 1.35  # of the ascent: no letter is wider
_USUAL = 0.75  # of the ascent: how wide letters that touch are taken to be
_LEAST_LIGATURE = 8.0  # pixels of the ascent
_FILLS = 0.92  # of its cell, a wide letter
_SLIM = 0.3  # of the ascent: a letter so narrow is a stroke or dots


@dataclass(frozen=True, kw_only=True, slots=True)
class SpacedRow:
    """One row, its letters in even cells; `known` has a blank where a letter is to be read."""

    text: TextBlock
    known: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Readings:
    """Ways to read the rows of a block: as they stand, letter by letter, or both in doubt."""

    fixed: TextBlock | None
    spaced: tuple[SpacedRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Letter:
    """Columns, and rows over and under the baseline's; all in the row's own pixels."""

    start: int
    stop: int
    top: int
    bottom: int


def readings(layout: Layout) -> list[Readings]:
    """Of each block, in coordinates of its own.

    Where it is not clear whether a block is fixed-width, it is tried at the pitch of one of the
    same height that is: a screen seldom has two fixed-width fonts of one size.
    """
    alone = [_alone(layout.ink, block) for block in layout.blocks]
    heights = [float(np.median([bottom - top for top, bottom in bands])) for _, bands in alone]
    fixed = [
        block_of(ink, ink > MARK, bands, height=height)
        for (ink, bands), height in zip(alone, heights, strict=True)
    ]
    sizes = [
        (height, LetterSize(pitch=block.pitch, ascent=block.ascent))
        for height, block in zip(heights, fixed, strict=True)
        if block.regular >= REGULAR and block.in_step >= _LIKELY
    ]
    found = []
    for (ink, bands), height, block in zip(alone, heights, fixed, strict=True):
        if block.regular >= REGULAR and block.in_step >= _IN_STEP:
            found.append(Readings(fixed=block, spaced=()))
            continue
        near = [size for other, size in sizes if abs(other - height) <= 0.2 * height]
        if near:
            block = block_of(ink, ink > MARK, bands, height=height, size=near[0])
        found.append(
            Readings(
                fixed=block if block.in_step >= _DOUBTFUL else None,
                spaced=tuple(_spaced_rows(ink, bands)),
            )
        )
    return found


def _spaced_rows(ink: Ink, bands: list[tuple[int, int]]) -> Iterator[SpacedRow]:
    rows = [_letters(ink[top:bottom], bottom - top) for top, bottom in bands]
    sizes = [_size(letters) for letters in rows]
    usual = float(np.median([ascent for _, ascent in sizes]))
    for (top, bottom), letters, (base, own) in zip(bands, rows, sizes, strict=True):
        # A row without tall letters is of the size of the others.
        ascent = usual if 0.6 * usual < own < 0.85 * usual else own
        yield _spaced_row(ink[top:bottom], letters, base, ascent)


def _alone(ink: Ink, block: Block) -> tuple[Ink, list[tuple[int, int]]]:
    """The block's own ink and where its rows are; what else stands in its box is left out."""
    left, top, right, bottom = block.box
    alone = np.zeros((bottom - top + 2, right - left + 2), dtype=np.float32)
    for row in block.rows:
        _copy_row(ink, row, alone, (left - 1, top - 1))
    bands = [(row.box[1] - top + 1, row.box[3] - top + 1) for row in block.rows]
    return alone, bands


def _copy_row(ink: Ink, row: TextRow, into: Ink, origin: tuple[int, int]) -> None:
    height, width = ink.shape
    for left, top, right, bottom in row.parts:
        x0, y0 = max(0, left - 1, origin[0]), max(0, top - 1, origin[1])
        x1 = min(width, right + 1, origin[0] + into.shape[1])
        y1 = min(height, bottom + 1, origin[1] + into.shape[0])
        place = into[y0 - origin[1] : y1 - origin[1], x0 - origin[0] : x1 - origin[0]]
        np.maximum(place, ink[y0:y1, x0:x1], out=place)


def _letters(row: Ink, height: int) -> list[_Letter]:
    """From left to right."""
    dark = row > MARK
    edges = np.flatnonzero(np.diff(np.r_[False, dark.any(axis=0), False].astype(np.int8)))
    found = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        for a, b in _parted(row, start, stop, 0.8 * height):
            rows = np.flatnonzero(dark[:, a:b].any(axis=1))
            if rows.size:
                found.append(_Letter(start=a, stop=b, top=int(rows[0]), bottom=int(rows[-1]) + 1))
    return found


def _size(letters: list[_Letter]) -> tuple[float, float]:
    """(baseline, ascent): most letters end on the one, and one in five or so is as tall as that."""
    if not letters:
        return 1.0, 3.0
    middle = float(np.median([one.bottom - one.top for one in letters]))
    whole = [one for one in letters if one.bottom - one.top > 0.6 * middle] or letters
    base = float(np.median([one.bottom for one in whole]))
    tall = [base - one.top for one in whole if one.top < base]
    return base, max(3.0, float(np.percentile(tall, 85)) if tall else 3.0)


def _spaced_row(row: Ink, letters: list[_Letter], base: float, ascent: float) -> SpacedRow:
    pitch = ascent / _SLIM_CELL
    places: list[tuple[_Letter, str] | None] = []
    before = None
    for letter in letters:
        if before is not None:
            small = min(before.bottom - before.top, letter.bottom - letter.top) < 0.4 * ascent
            if letter.start - before.stop > (_BLANK_BY_DOT if small else _BLANK) * ascent:
                places.append(None)
        before = letter
        if _is_fi(row, letter, base, ascent):
            middle = (letter.start + letter.stop) // 2
            places.append((replace(letter, stop=middle), "f"))
            places.append((replace(letter, start=middle), "i"))
        else:
            places.append((letter, _slim_letter(row, letter, base, ascent)))
    spaced = np.zeros((row.shape[0], int(np.ceil((len(places) + 1) * pitch))), dtype=np.float32)
    for column, place in enumerate(places):
        if place is not None:
            _set(row[:, place[0].start : place[0].stop], spaced, column, pitch)
    text = TextBlock(
        ink=grey_of(spaced),
        lines=(TextLine(baseline=base, columns=max(1, len(places))),),
        left=0.0,
        pitch=pitch,
        ascent=ascent,
        regular=0.0,
    )
    return SpacedRow(text=text, known="".join(" " if one is None else one[1] for one in places))


def _is_fi(row: Ink, letter: _Letter, base: float, ascent: float) -> bool:
    """The ligature: two stems, a bar that sticks out at the left, a hook over both."""
    wide = letter.stop - letter.start
    if not 0.5 * ascent < wide < 0.95 * ascent or base - letter.top < 0.85 * ascent:
        return False
    if abs(letter.bottom - base) > 0.12 * ascent or ascent < _LEAST_LIGATURE:
        return False
    dark = row[letter.top : letter.bottom, letter.start : letter.stop] > 2 * MARK
    high = len(dark)
    foot = dark[-1 - high // 5 : -1 - high // 20].mean(axis=0) > 0.5
    stems = np.count_nonzero(np.diff(np.r_[False, foot, False].astype(np.int8)) == 1)
    rim = dark[:, : max(1, round(0.12 * wide))].any(axis=1)
    bar = np.flatnonzero(rim)
    head = np.flatnonzero(dark[: max(1, high // 6)].any(axis=0))
    return bool(
        stems == 2
        and bar.size
        and bar[-1] - bar[0] < 0.25 * high
        and 0.1 * high < bar[0] < 0.5 * high
        and head.size
        and head[0] > 0.15 * wide
        and head[-1] > 0.55 * wide
    )


def _slim_letter(row: Ink, letter: _Letter, base: float, ascent: float) -> str:
    """What a narrow letter is by its strokes, a blank where it is not narrow or not clear."""
    if letter.stop - letter.start > max(_SLIM * ascent, 2):
        return " "
    dark = (row[letter.top : letter.bottom, letter.start : letter.stop] > MARK).any(axis=1)
    edges = np.flatnonzero(np.diff(np.r_[False, dark, False].astype(np.int8)))
    runs = [(letter.top + int(a), letter.top + int(b)) for a, b in edges.reshape(-1, 2)]
    lengths = [(b - a) / ascent for a, b in runs]
    over, under = (base - letter.top) / ascent, (letter.bottom - base) / ascent
    if len(runs) == 1:
        if lengths[0] > 0.85 and over > 0.85:
            # Round letters overlap the baseline by less than brackets and bars go below it.
            return "l" if under < 0.12 else " "
        if over < 0.35:
            return "." if under < 0.1 else ","
        return "'" if under < -0.4 and over > 0.8 else " "
    if len(runs) == 2:
        if lengths[0] < 0.35 and lengths[1] > 0.5:
            return "i" if under < 0.12 else "j"
        if lengths[0] > 0.5 and lengths[1] < 0.35:
            return "!"
        if max(lengths) < 0.4:
            return ":" if under < 0.1 else ";"
    return " "


def _parted(row: Ink, start: int, stop: int, ascent: float) -> list[tuple[int, int]]:
    """One letter, or several that touch.

    Where two letters touch there is a column without any dark pixel; no stroke of a letter is so
    faint. Wider than any letter, a run is cut into letters of the usual width.
    """
    wide = stop - start
    if wide <= _TOUCHING * ascent:
        return [(start, stop)]
    rim = max(1, int(_RIM * ascent))
    peaks = row[:, start:stop].max(axis=0)
    inner = peaks[rim : wide - rim]
    faint = _BRIDGE if wide > _TWO * ascent else _THIN
    if inner.size and inner.min() < faint * peaks.max():
        cut = start + rim + int(np.argmin(inner))
        return [*_parted(row, start, cut, ascent), *_parted(row, cut, stop, ascent)]
    if wide <= _WIDEST * ascent:
        return [(start, stop)]
    count = max(2, round(wide / (_USUAL * ascent)))
    step = wide / count
    weight = row.sum(axis=0)
    cuts = [start]
    for number in range(1, count):
        low = max(cuts[-1] + 1, int(start + (number - 0.35) * step))
        high = max(low + 1, int(start + (number + 0.35) * step))
        cuts.append(low + int(np.argmin(weight[low:high])))
    cuts.append(stop)
    return [(a, b) for a, b in pairwise(cuts) if b > a]


def _set(letter: Ink, row: Ink, column: int, pitch: float) -> None:
    """In the middle of its cell, narrowed to fit into it."""
    high, wide = letter.shape
    room = max(1, int(_FILLS * pitch))
    if wide > room:
        drawn = Image.fromarray(letter, "F").resize((room, high), Image.Resampling.BOX)
        letter, wide = np.asarray(drawn), room
    left = round((column + 0.5) * pitch - wide / 2)
    row[:, left : left + wide] = letter
