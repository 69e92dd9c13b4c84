"""Baseline without any model: the words of the open file, as editors offer them.

An editor that knows no language lists the identifiers of the buffer that continue what was
typed. Here the most frequent one is taken, the nearest to the cursor where two are level.
"""

from __future__ import annotations

import re
from collections import Counter

from glm_protocol.completion import CodeContext

IDENTIFIER = re.compile(r"[A-Za-z_]\w{2,}")


def complete(context: CodeContext) -> str:
    """Rest of the most frequent identifier of the file that continues the typed letters."""
    typed_match = re.search(r"[A-Za-z_]\w*$", context.prefix)
    typed = typed_match.group(0) if typed_match else ""
    before = context.prefix[: len(context.prefix) - len(typed)]
    words = IDENTIFIER.findall(before)
    counts = Counter(words + IDENTIFIER.findall(context.suffix))
    last = {word: number for number, word in enumerate(words)}
    fitting = [word for word in counts if word.startswith(typed) and word != typed]
    if not fitting:
        return ""
    best = max(fitting, key=lambda word: (counts[word], last.get(word, -1), word))
    return str(best[len(typed) :])
