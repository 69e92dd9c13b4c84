"""Which boxes of a diagram an arrow joins, and which way it points. Geometry, no model.

What is left of the ink when the boxes are taken out are arrows; each piece touches the boxes that
it joins, and has more ink where its head is.
"""

from __future__ import annotations

import numpy as np

from glm_vision.regions import Box, Mask, Region, find_regions, grown

REACH = 8  # pixels from a box's edge in which an arrow's end is looked at
TOUCH = 4  # pixels from a box's edge that count as touching it
_HEAD = 0.6  # of the heaviest end: an end as heavy as this is a head too


def find_arrows(lines: Mask, boxes: list[Box]) -> list[tuple[int, int]]:
    """(from, to) by the numbers of the boxes, each pair once."""
    bare = lines.copy()
    for box in boxes:
        left, top, right, bottom = grown(box, 2)
        bare[max(0, top) : bottom, max(0, left) : right] = False
    found: list[tuple[int, int]] = []
    for region in find_regions(bare, least=6):
        weights = _weights(region, boxes)
        for pair in _pairs(weights):
            if pair not in found:
                found.append(pair)
    return sorted(found)


def _weights(region: Region, boxes: list[Box]) -> dict[int, int]:
    """Pixels of the region near each box that it touches."""
    runs = np.array(region.runs)
    found: dict[int, int] = {}
    for number, box in enumerate(boxes):
        if _pixels(runs, grown(box, TOUCH)):
            found[number] = _pixels(runs, grown(box, REACH))
    return found


def _pixels(runs: np.ndarray, box: Box) -> int:
    left, top, right, bottom = box
    rows = (runs[:, 0] >= top) & (runs[:, 0] < bottom)
    wide = np.minimum(runs[:, 2], right) - np.maximum(runs[:, 1], left)
    return int(np.maximum(wide[rows], 0).sum())


def _pairs(weights: dict[int, int]) -> list[tuple[int, int]]:
    if len(weights) < 2:
        return []
    heaviest = max(weights.values())
    heads = [box for box, weight in weights.items() if weight >= _HEAD * heaviest]
    tails = [box for box in weights if box not in heads]
    if not tails:  # a line without a head, or with two: as it is read
        first, *rest = sorted(weights)
        return [(first, other) for other in rest]
    return [(tail, head) for tail in tails for head in heads]
