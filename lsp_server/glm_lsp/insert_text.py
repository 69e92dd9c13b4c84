"""Makes a model's text safe to insert: plain characters only, the document's line ends.

A model's output is somebody else's text. Control characters could drive a terminal, invisible
ones could hide what the code does; they are let through only where the user has them already.
"""

from __future__ import annotations

import re

MAX_INSERT = 20_000  # characters
C0_AND_C1 = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
SURROGATES = "\ud800-\udfff"
# Soft hyphen; Arabic letter mark, Mongolian vowel separator; zero-width; bidirectional controls,
# line and paragraph separator; invisible operators; BOM and interlinear marks; shorthand and
# musical controls; tag characters.
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
NEVER = re.compile(f"[{C0_AND_C1}{SURROGATES}]")
HIDDEN = re.compile(f"[{INVISIBLE}]")


def clean(text: str, prefix: str) -> str:
    """Text of a suggestion, with `\\n` as its only line end.

    `prefix` is the user's text before the cursor: invisible characters in it are allowed again.
    """
    text = text[:MAX_INSERT].replace("\r\n", "\n").replace("\r", "\n")
    text = NEVER.sub("", text)
    if not HIDDEN.search(text):
        return text
    known = set(HIDDEN.findall(prefix))
    return HIDDEN.sub(lambda found: found[0] if found[0] in known else "", text)


def with_line_ends(text: str, line_end: str) -> str:
    """Text with the document's own line ends."""
    return text if line_end == "\n" else text.replace("\n", line_end)
