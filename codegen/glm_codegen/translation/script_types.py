"""Types that JSDoc comments give, written where TypeScript writes them.

`/** @param {number[]} values */ function f(values)` becomes `function f(values: number[])`, so
that a translation into a typed language sees them in one place, for both languages.
"""

from __future__ import annotations

import re
from dataclasses import replace

from glm_codegen.translation.lexemes import Lexeme, LexemeKind, lex

_TAG = re.compile(r"@(param|returns?)\s*\{([^}]*)\}\s*\[?([\w$]*)")


def annotate(lexemes: list[Lexeme]) -> list[Lexeme]:
    """The same lexemes with the types of doc comments after parameters and their list."""
    found: list[Lexeme] = []
    types: dict[str, str] = {}
    depth = 0
    armed = False
    for at, lexeme in enumerate(lexemes):
        found.append(lexeme)
        if lexeme.kind is LexemeKind.COMMENT:
            tags = _TAG.findall(lexeme.text)
            if tags:
                types = {name if tag == "param" else "": kind for tag, kind, name in tags}
                depth, armed = 0, True
            continue
        if not armed:
            continue
        following = lexemes[at + 1].text if at + 1 < len(lexemes) else ""
        if lexeme.text == "(":
            depth += 1
        elif lexeme.text == ")":
            depth -= 1
            if depth == 0:
                armed = False
                if types.get("") and following not in (":", "=>"):
                    found += _typed(types[""], lexeme.row)
        elif (
            depth == 1
            and lexeme.kind is LexemeKind.WORD
            and lexeme.text in types
            and following in (",", ")", "=")
        ):
            found += _typed(types[lexeme.text], lexeme.row)
    return found


def _typed(text: str, row: int) -> list[Lexeme]:
    colon = Lexeme(kind=LexemeKind.OPERATOR, text=":", row=row)
    return [colon, *(replace(other, row=row) for other in lex(text, "typescript")[1:])]
