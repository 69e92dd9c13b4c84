"""Source code as a flat list of lexemes, for the five languages of nano-translate.

Not a parser: it knows words, numbers, strings, comments, operators and line starts, nothing of
grammar, and it never fails: a character it does not know is an operator of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class LexemeKind(StrEnum):
    """What a lexeme is. INTERPOLATED is an f-string, a template or the like, whole."""

    WORD = "word"
    NUMBER = "number"
    STRING = "string"
    INTERPOLATED = "interpolated"
    COMMENT = "comment"
    OPERATOR = "operator"
    LINE = "line"


@dataclass(frozen=True, kw_only=True)
class Lexeme:
    """One piece of source. A LINE's text is the white space that the next line begins with."""

    kind: LexemeKind
    text: str
    row: int = 0  # line of the source, from 0


_WORD = r"[^\W\d][\w$]*|\$[\w$]*"
_NUMBER = (
    r"0[xXbBoO][\da-fA-F_]+[uUlLn]*|(?:\d[\d_]*\.?(?:\d[\d_]*)?|\.\d+)(?:[eE][+-]?\d+)?[fFdDlLuUn]*"
)
_OPERATOR = (
    r">>>=|\*\*=|//=|<<=|>>=|\.\.\.|===|!==|&&=|\|\|=|\?\?=|<=>|->|=>|::|:=|\+\+|--|\+=|-=|\*=|/="
    r"|%=|&=|\|=|\^=|==|!=|<=|>=|&&|\|\||\?\?|\?\.|\*\*|<<|<-|//|."
)
_BRACE_COMMENT = r"//[^\n]*|/\*.*?(?:\*/|\Z)"
_QUOTED = r'"(?:\\.|[^"\\\n])*"?|\'(?:\\.|[^\'\\\n])*\'?'
_TICKED = r"`(?:\\.|[^`\\])*`?"


def _pattern(*, comment: str, interpolated: str, string: str) -> re.Pattern[str]:
    parts = {
        "line": r"\n[ \t]*",
        "space": r"[ \t\r\f\v]+|\\\n",
        "comment": comment,
        "interpolated": interpolated,
        "string": string,
        "number": _NUMBER,
        "word": _WORD,
        "operator": _OPERATOR,
    }
    return re.compile("|".join(f"(?P<{name}>{part})" for name, part in parts.items()), re.DOTALL)


_TRIPLE = r'"""(?:\\.|[^\\])*?(?:"""|\Z)|\'\'\'(?:\\.|[^\\])*?(?:\'\'\'|\Z)'
_NEVER = r"(?!)"
_PYTHON = _pattern(
    comment=r"#[^\n]*",
    interpolated=rf"[fF](?:{_TRIPLE}|{_QUOTED})",
    string=rf"[rRbBuU]{{0,2}}(?:{_TRIPLE}|{_QUOTED})",
)
_BRACES = _pattern(comment=_BRACE_COMMENT, interpolated=_NEVER, string=_QUOTED)
_SCRIPT = _pattern(comment=_BRACE_COMMENT, interpolated=_TICKED, string=_QUOTED)
_GO = _pattern(comment=_BRACE_COMMENT, interpolated=_NEVER, string=rf"{_TICKED}|{_QUOTED}")
_CPP = _pattern(
    comment=_BRACE_COMMENT,
    interpolated=_NEVER,
    string=_QUOTED.replace('"(?', '(?:L|u8|u|U)?"(?', 1),
)
PATTERNS = {
    "python": _PYTHON,
    "java": _BRACES,
    "javascript": _SCRIPT,
    "typescript": _SCRIPT,
    "cpp": _CPP,
    "c": _CPP,
    "go": _GO,
}


def lex(code: str, language: str) -> list[Lexeme]:
    """Lexemes of `code`; space within lines is dropped. Raises KeyError for other languages."""
    found: list[Lexeme] = []
    code = code.replace("\r\n", "\n")
    row = len(code) - len(code.lstrip("\n")) - 1
    text = "\n" + code.strip("\n")
    for match in PATTERNS[language].finditer(text):
        kind = match.lastgroup
        assert kind is not None
        body = match.group()
        first, row = row, row + body.count("\n")
        if kind == "space":
            continue
        if kind == "line":
            first = row
            body = body[1:].expandtabs(4)
            if found and found[-1].kind is LexemeKind.LINE:
                found.pop()
        found.append(Lexeme(kind=LexemeKind(kind), text=body, row=first))
    while found and found[-1].kind is LexemeKind.LINE:
        found.pop()
    return found
