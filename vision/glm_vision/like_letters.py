"""Letters without serifs that look like others (l 1 I ! |, O 0), told apart by their neighbours.

For words that were read letter by letter; nothing is looked up. Words that mix letters with other
digits are left as they are: they may be names.
"""

from __future__ import annotations

import re

_NUMBER = re.compile(r"(?<![^\s(\[+-])(?=[\dOoIl.,:%]*\d)[\dOoIl][\dOoIl.,:]*(?=[%)\]]*(?:\s|$))")
_LEAST = 3  # letters of a word: x1 and v1 are names
_AS_DIGITS = str.maketrans("OoIl", "0011")
_WORD = re.compile(r"[A-Za-z1!|]*[a-z][A-Za-z1!|]*")
# A bare stroke before a consonant: In, If, It; words with l have a vowel there.
_CAPITAL = re.compile(r"\bl(?=[bcdfgkmnpqrstvwxz])")


def likely_letters(text: str) -> str:
    """Of the same length."""
    return _NUMBER.sub(lambda found: found[0].translate(_AS_DIGITS), _WORD.sub(_word, text))


def _word(found: re.Match[str]) -> str:
    start, end = found.span()
    beside = found.string[max(0, start - 1) : start] + found.string[end : end + 1]
    if re.search(r"[\d_]", beside) or ("1" in found[0] and len(found[0]) < _LEAST):
        return found[0]
    word = re.sub(r"(?<=[A-Za-z])!(?=[a-z])|^!(?=[a-z])", "i", found[0])
    word = re.sub(r"(?<=[A-Za-z])[1|](?=[A-Za-z1|]|$)|^[1|](?=[a-z]{2})", "l", word)
    return _CAPITAL.sub("I", word)
