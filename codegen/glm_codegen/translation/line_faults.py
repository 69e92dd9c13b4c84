"""What tells, without a compiler, that a line was translated wrongly.

A translation is a copy in other words: what the source's line names, the target's lines for it
name too and as often, no number is lost or invented, operators and jumps stay what they are.
Brackets close in the line that opens them.
"""

from __future__ import annotations

import re
from collections import Counter

_NAMES = re.compile(r"[\ue000-\ue0ff]")
_NUMBERS = re.compile(r"(?<![\w.\ue000-\ue0ff])\d+(?:\.\d+)?(?![\w\ue000-\ue0ff])")
_COMMON = frozenset({"0", "1", "0.0", "1.0"})  # that other words for the same thing add or lose
_TEXTS = re.compile(r'"[^"\n]*"|\'[^\'\n]*\'')
_COMMENT = re.compile(r'^\s*(?://|#|/\*\*|""").*$', re.MULTILINE)
_OPERATORS = re.compile(r"&&|\|\||<=|>=|(?<![<=>-])[<>](?![<>=])|(?<= )[*%](?=[ (])")
_GENERIC = re.compile(r"\b[A-Z]\w*<[^()=;{}]*>|std::\w+<[^()=;]*>|\w+<\w+(?:, ?\w+)*>|<>")
_CHOICE = re.compile(r" \? |\S if .+ else ")
_NPOS = re.compile(r"\bstring::[\ue000-\ue0ff]")
_JUMPS = re.compile(r"\b(?:return|break|continue)\b")
# The same in fewer words: an assigning operator, a swap, a list's last element, a filled list.
_SHORTER = re.compile(
    r"\+\+|--|[+\-*/%]="
    r"|\bswap\(|\.pop|\.back\(|nCopies|fill\(|make\(|indexOf|npos|\[0\] \*|reduce"
)


def faults(
    source: str, said: str, *, always: str = "", target: str = "", comments: str = ""
) -> int:
    """How much of `said` speaks against it as the translation of `source`, lines of outlines.

    `always`: what may be named anywhere, such as the class; `comments`: what stands for comments,
    and nowhere else. Of several lines of the source only
    the last is known to have its translation here.
    """
    source = _NPOS.sub("npos", source)
    last = source[source.rfind("\n") + 1 :]
    names, wanted = Counter(_NAMES.findall(said)), Counter(_NAMES.findall(last))
    strange = set(names) - set(_NAMES.findall(source)) - set(always)
    plain_source, plain_said = _plain(last), _plain(said)
    found, given = (set(_NUMBERS.findall(text)) - _COMMON for text in (plain_said, plain_source))
    lost = set(wanted) - set(names) - set(always)
    count = (0 if "=>" in last else len(lost)) + len(strange) + len(found ^ given)
    count += sum(mark in plain_said for mark in comments)
    both = f" {plain_source}\n {plain_said}"
    if not re.search(r"\bfor\b", both):
        count += len(_jumps(plain_source) ^ _jumps(plain_said))
        if not _CHOICE.search(both) and not _SHORTER.search(both):
            count += len(_signs(plain_source) ^ _signs(plain_said))
            if target != "python":
                count += sum(0 < names[name] < wanted[name] for name in wanted)
    return count + sum(map(_unbalanced, plain_said.split("\n")))


def unclosed(text: str) -> int:
    """Blocks that a whole translation in braces leaves open, or closes too often."""
    plain = _plain(text)
    return abs(plain.count("{") - plain.count("}"))


def _plain(text: str) -> str:
    return _TEXTS.sub('""', _COMMENT.sub("", text))


def _signs(text: str) -> set[str]:
    text = text.replace(" and ", " && ").replace(" or ", " || ").replace(" || 0)", ")")
    return set(_OPERATORS.findall(_GENERIC.sub("", text)))


def _jumps(text: str) -> set[str]:
    return set(_JUMPS.findall(text))


def _unbalanced(line: str) -> bool:
    return '"' in line.replace('""', "") or any(
        line.count(a) != line.count(b) for a, b in ("()", "[]")
    )
