"""Sharing of a prompt's tokens among prefix, suffix and snippets, with cuts that stay put.

A prompt is prefilled once and then kept between keystrokes as long as its first tokens are the
same. So no cut may slide by a token at each key: the prefix is cut at line starts on a coarse
grid that is counted from the start of the file, and the room that a short prefix leaves to the
others changes only in coarse steps. Knows tokens only through an encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Encode = Callable[[str], list[int]]

PREFIX_SHARE, SUFFIX_SHARE = 0.6, 0.2  # the rest is for snippets
STEPS = 8  # grid steps that make up the whole room
CHARS_PER_TOKEN = 3  # only sets how coarse the grid is, never how much fits
WINDOW_CHARS = 6  # characters looked at for each token of room: bounds the work, not the fit


@dataclass(frozen=True, kw_only=True)
class Packed:
    """Ids of the parts that found room; `snippets` has None for each that was left out."""

    prefix: list[int]
    suffix: list[int]
    snippets: tuple[list[int] | None, ...]


def grid_starts(text: str, step: int) -> list[int]:
    """Places where `text` may begin once cut: 0, then a line start every `step` characters.

    A line longer than two steps may be cut inside, at a multiple of `step`.
    """
    starts = [0]
    while starts[-1] + step < len(text):
        nearest = starts[-1] + step
        newline = text.find("\n", nearest, nearest + step)
        starts.append(nearest if newline < 0 else newline + 1)
    return [start for start in starts if start < len(text)] or [0]


def cut_prefix(text: str, room: int, encode: Encode) -> list[int]:
    """Ids of the end of `text`, at most `room`, from the earliest grid place that fits."""
    if room <= 0 or not text:
        return []
    step = max(room * CHARS_PER_TOKEN // STEPS, 32)
    starts = grid_starts(text, step)
    near = [start for start in starts if len(text) - start <= room * WINDOW_CHARS]
    near = near or [len(text) - room]
    whole = encode(text[near[0] :])
    if len(whole) <= room:
        return whole
    # Guess by the mean length of a token, then walk to the earliest place that fits.
    chars = room * (len(text) - near[0]) / len(whole)
    place = next((n for n, start in enumerate(near) if len(text) - start <= chars), len(near) - 1)
    best = encode(text[near[place] :])
    if len(best) <= room:
        while place > 1 and len(longer := encode(text[near[place - 1] :])) <= room:
            place, best = place - 1, longer
        return best
    while len(best) > room and place + 1 < len(near):
        place += 1
        best = encode(text[near[place] :])
    return best[-room:]


def cut_suffix(text: str, room: int, encode: Encode) -> list[int]:
    """Ids of the start of `text`, at most `room`, ending at a line end where there is one."""
    if room <= 0 or not text:
        return []
    ids = encode(text[: room * WINDOW_CHARS])
    if len(ids) <= room and len(text) <= room * WINDOW_CHARS:
        return ids
    lines = text[: room * WINDOW_CHARS].splitlines(keepends=True)
    low, high, best = 0, len(lines), list[int]()
    while low < high:
        middle = (low + high + 1) // 2
        ids = encode("".join(lines[:middle]))
        if len(ids) <= room:
            best, low = ids, middle
        else:
            high = middle - 1
    return best or encode(text[: room * WINDOW_CHARS])[:room]


def need_of(text: str, room: int, encode: Encode) -> int:
    """Tokens that `text` would use of `room`, counted on a bounded part of it."""
    if len(text) > room * WINDOW_CHARS:
        return room
    return min(len(encode(text)), room)


def pack(
    prefix: str, suffix: str, snippets: Sequence[list[int]], *, room: int, encode: Encode
) -> Packed:
    """Share `room` tokens among the parts.

    Each part may use its share; what one leaves goes to the prefix, then the snippets, then the
    suffix. The prefix's need is rounded up to a coarse step before the others get the rest.
    """
    step = max(room // STEPS, 1)
    prefix_need = min(-(-need_of(prefix, room, encode) // step) * step, room)
    suffix_need = need_of(suffix, room, encode)
    costs = list(snippets)
    snippet_need = min(sum(map(len, costs)), room)

    prefix_share, suffix_share = int(room * PREFIX_SHARE), int(room * SUFFIX_SHARE)
    snippet_share = room - prefix_share - suffix_share
    prefix_room = min(prefix_need, prefix_share)
    suffix_room = min(suffix_need, suffix_share)
    snippet_room = min(snippet_need, snippet_share)
    spare = room - prefix_room - suffix_room - snippet_room
    extra = min(spare, prefix_need - prefix_room)
    prefix_room, spare = prefix_room + extra, spare - extra
    extra = min(spare, snippet_need - snippet_room)
    snippet_room, spare = snippet_room + extra, spare - extra
    suffix_room += min(spare, suffix_need - suffix_room)

    packed: list[list[int] | None] = []
    for ids in costs:
        fits = len(ids) <= snippet_room
        packed.append(ids if fits else None)
        snippet_room -= len(ids) if fits else 0
    suffix_ids = cut_suffix(suffix, suffix_room, encode)
    used = len(suffix_ids) + sum(len(ids) for ids in packed if ids is not None)
    return Packed(
        prefix=cut_prefix(prefix, room - used, encode),
        suffix=suffix_ids,
        snippets=tuple(packed),
    )
