"""The ink of a picture of many grounds: panels, bars, selected rows, inline code.

A screen is made of flat colours. At each place the ground is whichever of the picture's commonest
colours covers most of the surroundings, and ink is the distance from it, made equally dark
everywhere: faint words are seen beside bright ones. Rules, frames, scroll bars and other things
much longer than letters are taken out. Exact for flat colours; a photo gives noise.

The ground is decided for tiles of `TILE` pixels. At the edge of a panel that is wrong for some of
them, so a pixel is also ground where its own colour fills most of a corner of its surroundings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

Ink = np.ndarray[Any, np.dtype[np.float32]]
Tiles = np.ndarray[Any, np.dtype[np.float32]]

TILE = 4
MOST_GROUNDS = 12
_LEAST_GROUND = 0.003  # of the picture
_SAME = 6  # steps of a channel by which colours of one ground may differ
_AROUND = (9, 4)  # tiles to the side, up and down, that decide the ground
_CORNER = (4, 2)  # half of a corner of the surroundings
_FILLED = 0.6  # share of a corner that a colour fills where it is a ground
_BESIDE = (6, 4)  # tiles that decide how dark ink is
_FAINTEST = 14.0  # steps of a channel: ink fainter than this in all its surroundings is none
_LONGEST = 40  # pixels of a run of ink in a letter


def local_ink(picture: Image.Image) -> Ink:
    """0 on the ground around, 1 where the text of the surroundings is darkest."""
    colours = np.asarray(picture.convert("RGB"))
    grounds = _common_colours(colours)
    which, flat = _which_ground(colours, grounds)
    distance = np.zeros(colours.shape[:2], dtype=np.uint8)
    for channel in range(3):
        ground = _pixels(grounds[:, channel].astype(np.int16)[which], distance.shape)
        steps = np.abs(colours[..., channel].astype(np.int16) - ground).astype(np.uint8)
        np.maximum(distance, steps, out=distance)
    distance[flat] = 0
    darkest = _spread(_tiled(distance).max(axis=(1, 3)).astype(np.float32), _BESIDE)
    scale = np.where(darkest < _FAINTEST, np.float32(0), 1 / np.maximum(darkest, 1))
    ink: Ink = distance.astype(np.float32) * _pixels(scale.astype(np.float32), distance.shape)
    return ink


def without_long_runs(ink: Ink, mark: float) -> Ink:
    """Runs of ink longer than any letter's taken out, along rows and along columns."""
    marked = ink > mark
    long = _long_runs(marked) | _long_runs(np.ascontiguousarray(marked.T)).T
    # What is left of the soft edges of a rule goes with it.
    for axis in (0, 1):
        long |= np.roll(long, 1, axis) | np.roll(long, -1, axis)
    kept: Ink = np.where(long, np.float32(0), ink)
    return kept


def _common_colours(colours: np.ndarray[Any, np.dtype[np.uint8]]) -> np.ndarray[Any, Any]:
    """(grounds, 3), the commonest first; colours hardly apart count as one."""
    some = colours[::2, ::2].reshape(-1, 3).astype(np.uint32)
    keys = (some[:, 0] << 16) | (some[:, 1] << 8) | some[:, 2]
    values, counts = np.unique(keys, return_counts=True)
    order = np.argsort(-counts, kind="stable")[: 8 * MOST_GROUNDS]
    found: list[tuple[int, int, int]] = []
    for index in order:
        if found and counts[index] < _LEAST_GROUND * len(keys):
            break
        value = int(values[index])
        colour = (value >> 16, value >> 8 & 255, value & 255)
        near = (max(abs(a - b) for a, b in zip(colour, other, strict=True)) for other in found)
        if all(steps > _SAME for steps in near):
            found.append(colour)
    return np.array(found[:MOST_GROUNDS], dtype=np.uint8)


def _which_ground(
    colours: np.ndarray[Any, np.dtype[np.uint8]], grounds: np.ndarray[Any, Any]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, np.dtype[np.bool_]]]:
    """Of each tile the index of the colour that covers most around it; pixels that are ground."""
    height, width = colours.shape[:2]
    shape = (-(-height // TILE), -(-width // TILE))
    which, most = np.zeros(shape, dtype=np.intp), np.zeros(shape, dtype=np.float32)
    flat = np.zeros((height, width), dtype=bool)
    filled = _FILLED * (2 * _CORNER[0] + 1) * (2 * _CORNER[1] + 1) * TILE * TILE
    for index, ground in enumerate(grounds):
        near = np.ones((height, width), dtype=bool)
        for channel in range(3):
            low = max(0, int(ground[channel]) - _SAME)
            reach = np.uint8(min(255, int(ground[channel]) + _SAME) - low)
            near &= (colours[..., channel] - np.uint8(low)) <= reach
        tiles = _tiled(near).sum(axis=(1, 3)).astype(np.float32)
        cover = _summed(tiles, _AROUND)
        which[cover > most] = index
        most = np.maximum(most, cover)
        corners = _best_corner(_summed(tiles, _CORNER)) > filled
        flat |= near & _pixels(corners, near.shape)
    return which, flat


def _best_corner(cover: Tiles) -> Tiles:
    """What a tile's surroundings up left, up right, down left or down right are covered by."""
    across, down = _CORNER
    padded = np.pad(cover, ((down, down), (across, across)))
    rows, columns = cover.shape
    shifts = [padded[y : y + rows, x : x + columns] for y in (0, 2 * down) for x in (0, 2 * across)]
    best: Tiles = np.maximum.reduce(shifts)
    return best


def _pixels(tiles: np.ndarray[Any, Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """The value of its tile at each pixel."""
    return np.repeat(np.repeat(tiles, TILE, axis=0), TILE, axis=1)[: shape[0], : shape[1]]


def _tiled(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(rows, TILE, columns, TILE), the last tiles filled up."""
    height, width = pixels.shape
    rows, columns = -(-height // TILE), -(-width // TILE)
    padded = np.pad(pixels, ((0, rows * TILE - height), (0, columns * TILE - width)), mode="edge")
    return padded.reshape(rows, TILE, columns, TILE)


def _summed(tiles: Tiles, around: tuple[int, int]) -> Tiles:
    """Of each tile and those so many beside and above it."""
    for axis, reach in ((1, around[0]), (0, around[1])):
        ends = [(0, 0), (0, 0)]
        ends[axis] = (reach + 1, reach)
        total = np.cumsum(np.pad(tiles, ends), axis=axis, dtype=np.float64)
        size = tiles.shape[axis]
        upper = np.take(total, np.arange(size) + 2 * reach + 1, axis=axis)
        lower = np.take(total, np.arange(size), axis=axis)
        tiles = (upper - lower).astype(np.float32)
    return tiles


def _spread(tiles: Tiles, around: tuple[int, int]) -> Tiles:
    """The largest of each tile and those so many beside and above it."""
    for axis, reach in ((1, around[0]), (0, around[1])):
        ends = [(0, 0), (0, 0)]
        ends[axis] = (reach, reach)
        padded = np.pad(tiles, ends)
        size = tiles.shape[axis]
        shifts = [np.take(padded, np.arange(size) + by, axis=axis) for by in range(2 * reach + 1)]
        tiles = np.maximum.reduce(shifts)
    return tiles


def _long_runs(marked: np.ndarray[Any, np.dtype[np.bool_]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Pixels of runs along rows that are longer than `_LONGEST`."""
    height, width = marked.shape
    edges = np.diff(np.pad(marked, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    long = ends - starts > _LONGEST
    change = np.zeros((height, width + 1), dtype=np.int8)
    change[rows[long], starts[long]] = 1
    change[rows[long], ends[long]] = -1
    found: np.ndarray[Any, np.dtype[np.bool_]] = np.cumsum(change, axis=1)[:, :-1] > 0
    return found
