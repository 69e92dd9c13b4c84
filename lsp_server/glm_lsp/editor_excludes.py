"""VS Code's `files.exclude` and `search.exclude` as patterns of an ignore file.

What a user hides from the explorer or from search is no context either. Other editors have no
such sections and answer null.
"""

from __future__ import annotations

from typing import Any

SECTIONS = ("files.exclude", "search.exclude")
MAX_PATTERNS = 256
MAX_BRACES = 16  # patterns that one `{a,b}` may become


def patterns_of(values: list[Any]) -> tuple[str, ...]:
    """The globs that are switched on; those with a condition are not."""
    found: dict[str, None] = {}
    for value in values:
        if not isinstance(value, dict):
            continue
        for glob, on in value.items():
            if on is True and isinstance(glob, str) and "\n" not in glob and glob.strip():
                found.update(dict.fromkeys(ignore_pattern(each) for each in expanded(glob)))
    return tuple(found)[:MAX_PATTERNS]


def ignore_pattern(glob: str) -> str:
    """A glob is anchored at the folder, unless it begins with `**/`."""
    return glob if glob.startswith(("**/", "/")) else f"/{glob}"


def expanded(glob: str) -> list[str]:
    """`*.{a,b}` as two patterns; braces in braces stay as they are."""
    start = glob.find("{")
    end = glob.find("}", start)
    if start < 0 or end < 0 or "{" in glob[start + 1 : end]:
        return [glob]
    choices = glob[start + 1 : end].split(",")[:MAX_BRACES]
    heads = [glob[:start] + choice for choice in choices]
    tails = expanded(glob[end + 1 :])
    return [head + tail for head in heads for tail in tails][:MAX_BRACES]
