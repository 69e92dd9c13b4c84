"""How like an answer is to what was drawn: characters, boxes, edges, values. All 0 to 1."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from glm_vision.tasks.mermaid import MermaidError, parse_mermaid


def same_characters(expected: str, got: str) -> float:
    """1 less the edit distance over the length of what was expected, never below 0."""
    return max(0.0, 1 - edit_distance(expected, got) / max(1, len(expected)))


def edit_distance(a: str, b: str) -> int:
    """Insertions, deletions and replacements."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def iou(a: Sequence[int], b: Sequence[int]) -> float:
    """Intersection over union of two boxes."""
    wide = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    tall = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    both = wide * tall
    either = _area(a) + _area(b) - both
    return both / either if either else 0.0


def _area(box: Sequence[int]) -> int:
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


def edge_f1(expected: set[tuple[str, str]], mermaid: str) -> float:
    """0 where it does not parse."""
    try:
        found = parse_mermaid(mermaid).edge_set()
    except MermaidError:
        return 0.0
    right = len(found & expected)
    return 2 * right / (len(found) + len(expected)) if found or expected else 1.0


def value_share(expected: Mapping[str, float], table: str) -> float:
    """Of the named values, those that stand in the CSV within a twentieth of the largest."""
    found: dict[str, float] = {}
    for row in csv.reader(io.StringIO(table)):
        try:
            found[row[0].strip()] = float(row[1])
        except (IndexError, ValueError):
            continue
    near = max(expected.values()) / 20
    right = sum(
        abs(found.get(name, float("inf")) - value) <= near for name, value in expected.items()
    )
    return right / len(expected)
