"""The ignore files of a workspace, in git's syntax, matched in time that no pattern can blow up.

`.gitignore`, `.git/info/exclude`, `.glmignore`, `.aiignore` and `.cursorignore` count, each kind
by itself: what any of them leaves out is out. Patterns are matched segment by segment; a `*`
commits to its first fit (an atomic group), so no pattern can backtrack without bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

KINDS = (".gitignore", ".glmignore", ".aiignore", ".cursorignore")
MAX_FILE = 64 * 1024
MAX_PATTERNS = 2000

_POSIX = {
    "alpha": "A-Za-z",
    "digit": "0-9",
    "alnum": "A-Za-z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "xdigit": "0-9A-Fa-f",
    "punct": r"!-/:-@\[-`{-~",
    "blank": " \\t",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class IgnorePattern:
    """One line. `segments` of an anchored pattern are matched from its folder; None is `**`."""

    negated: bool
    folders_only: bool
    anchored: bool
    segments: tuple[re.Pattern[str] | str | None, ...]


@dataclass(kw_only=True, slots=True)
class PatternList:
    """The patterns of one ignore file; the last that fits decides."""

    patterns: tuple[IgnorePattern, ...]
    _plain: dict[str, list[int]] = field(default_factory=dict)  # exact names
    _endings: dict[str, list[int]] = field(default_factory=dict)  # `*.ext`
    _others: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number, pattern in enumerate(self.patterns):
            only = pattern.segments[0]
            if pattern.anchored or not isinstance(only, str):
                self._others.append(number)
            elif only.startswith("*"):
                self._endings.setdefault(only[1:], []).append(number)
            else:
                self._plain.setdefault(only, []).append(number)

    def verdict(self, parts: Sequence[str], *, is_folder: bool) -> bool | None:
        """True: ignored, False: taken back in, None: nothing said. `parts` from its folder."""
        name, best = parts[-1], -1
        for number in self._plain.get(name, ()):
            best = self._better(best, number, is_folder)
        dot = name.find(".")
        while dot >= 0:
            for number in self._endings.get(name[dot:], ()):
                best = self._better(best, number, is_folder)
            dot = name.find(".", dot + 1)
        for number in reversed(self._others):
            if number <= best:
                break
            pattern = self.patterns[number]
            if pattern.folders_only and not is_folder:
                continue
            where = parts if pattern.anchored else parts[-1:]
            if fits(pattern.segments, where):
                best = number
                break
        return None if best < 0 else not self.patterns[best].negated

    def _better(self, best: int, number: int, is_folder: bool) -> int:
        if self.patterns[number].folders_only and not is_folder:
            return best
        return max(best, number)


def fits(segments: Sequence[re.Pattern[str] | str | None], parts: Sequence[str]) -> bool:
    """Whether the segments match the parts; `**` takes any number of them. Polynomial."""
    reachable = {0}  # how many parts are used up
    for number, segment in enumerate(segments):
        last = number == len(segments) - 1
        if segment is None:
            low = min(reachable) + (1 if last else 0)  # `a/**` is what is inside, not `a`
            reachable = set(range(low, len(parts) + 1))
        else:
            reachable = {
                used + 1
                for used in reachable
                if used < len(parts) and _segment_fits(segment, parts[used])
            }
        if not reachable:
            return False
    return len(parts) in reachable


def _segment_fits(segment: re.Pattern[str] | str, part: str) -> bool:
    if isinstance(segment, str):
        return part.endswith(segment[1:]) if segment.startswith("*") else part == segment
    return segment.fullmatch(part) is not None


def parse_patterns(text: str) -> PatternList:
    """The patterns of an ignore file. Lines that mean nothing are passed over."""
    found = []
    for line in as_bytes(text.removeprefix("\ufeff")).split("\n")[: 2 * MAX_PATTERNS]:
        pattern = parse_line(line.removesuffix("\r"))
        if pattern is not None:
            found.append(pattern)
    return PatternList(patterns=tuple(found[:MAX_PATTERNS]))


def as_bytes(text: str) -> str:
    """The text with a character for each byte of its UTF-8: git's `?` takes one byte."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def parse_line(line: str) -> IgnorePattern | None:
    """One line of an ignore file; None for blanks, comments and what git refuses."""
    while line.endswith(" ") and not line.endswith("\\ "):
        line = line[:-1]
    if not line or line.startswith("#") or len(line) > 1000:
        return None
    negated = line.startswith("!")
    line = line.removeprefix("!")
    folders_only = line.endswith("/")
    line = line.removesuffix("/")
    anchored = "/" in line
    line = line.removeprefix("/")
    if not line:
        return None
    segments: list[re.Pattern[str] | str | None] = []
    for part in line.split("/"):
        if part == "**":
            if not segments or segments[-1] is not None:
                segments.append(None)
        else:
            try:
                segments.append(segment_pattern(part))
            except (re.error, ValueError):
                return None
    return IgnorePattern(
        negated=negated, folders_only=folders_only, anchored=anchored, segments=tuple(segments)
    )


def segment_pattern(part: str) -> re.Pattern[str] | str:
    """A glob of one path segment: itself where it is literal or `*.ext`, else an expression."""
    literal = not any(character in "*?[\\" for character in part)
    if literal:
        return part
    if part.startswith("*.") and not any(character in "*?[\\" for character in part[1:]):
        return part
    chunks, current, at = [], "", 0
    while at < len(part):
        character = part[at]
        at += 1
        if character == "*":
            chunks.append(current)
            current = ""
            while part[at : at + 1] == "*":
                at += 1
        elif character == "?":
            current += "."
        elif character == "[":
            expression, at = _bracket(part, at)
            current += expression
        elif character == "\\":
            if at >= len(part):
                raise ValueError("a backslash at the end matches nothing")
            current += re.escape(part[at])
            at += 1
        else:
            current += re.escape(character)
    head, *rest = [*chunks, current]
    if not rest:
        return re.compile(head, re.DOTALL)
    middle = "".join(f"(?>.*?{chunk})" for chunk in rest[:-1])
    return re.compile(f"{head}{middle}.*{rest[-1]}", re.DOTALL)


def _bracket(part: str, at: int) -> tuple[str, int]:
    """A character class that begins behind `[` at `at`. Raises ValueError when it never ends."""
    negated = part[at : at + 1] in ("!", "^")
    at += negated
    inside, first = "", True
    while True:
        if at >= len(part):
            raise ValueError("a class that never ends matches nothing")
        character = part[at]
        if character == "]" and not first:
            break
        first = False
        if part.startswith("[:", at) and (close := part.find(":]", at)) > 0:
            inside += _POSIX.get(part[at + 2 : close], "")
            at = close + 2
            continue
        if character == "\\" and at + 1 < len(part):
            at += 1
            character = part[at]
            inside += re.escape(character)
        else:
            inside += "-" if character == "-" and inside else re.escape(character)
        at += 1
    if not inside:
        raise ValueError("an empty class matches nothing")
    return f"[{'^' if negated else ''}{inside}]", at + 1


class IgnoreStack:
    """The ignore files from the workspace's root down to one folder."""

    def __init__(self, levels: tuple[tuple[int, str, PatternList], ...] = ()) -> None:
        self._levels = levels  # depth of the folder, kind of file, patterns

    def inside(self, depth: int, files: Iterable[tuple[str, str]]) -> IgnoreStack:
        """With the (kind, text) of the ignore files in a folder that is `depth` below the root."""
        more = tuple((depth, kind, parse_patterns(text)) for kind, text in files)
        return IgnoreStack(self._levels + more) if more else self

    def ignores(self, parts: Sequence[str], *, is_folder: bool) -> bool:
        """Whether the path with these parts (from the root) is left out. Its folder is not."""
        parts = [as_bytes(part) for part in parts]
        silent: set[str] = set()
        for depth, kind, patterns in reversed(self._levels):
            if kind in silent:
                continue
            verdict = patterns.verdict(parts[depth:], is_folder=is_folder)
            if verdict:
                return True
            if verdict is False:
                silent.add(kind)  # taken back in by the innermost file of this kind
        return False
