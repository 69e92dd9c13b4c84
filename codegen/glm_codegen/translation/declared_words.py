"""Which words a piece of code declares itself, judged from neighbours in the lexeme list.

Only words that the language's library uses too are of interest: a variable called `count` in C++,
a method called `add` in Python.
"""

from __future__ import annotations

from glm_codegen.translation.lexemes import Lexeme, LexemeKind
from glm_codegen.translation.library_words import BARE, MEMBER

# After these a word is used, not declared.
_USES = frozenset(
    [
        "return",
        "new",
        "case",
        "else",
        "throw",
        "in",
        "of",
        "typeof",
        "go",
        "defer",
        "and",
        "or",
        "not",
        "is",
        "if",
        "while",
        "yield",
        "await",
        "raise",
        "del",
        "assert",
        "import",
        "from",
        "package",
        "delete",
        "instanceof",
        "range",
    ]
)
_SELF = frozenset({"self", "this"})
_KEYWORDS = frozenset(
    [
        "if",
        "for",
        "while",
        "switch",
        "return",
        "and",
        "or",
        "not",
        "in",
        "is",
        "def",
        "class",
        "else",
        "elif",
        "try",
        "except",
        "import",
        "from",
        "as",
        "with",
        "func",
        "function",
        "new",
        "this",
        "self",
        "var",
        "let",
        "const",
        "struct",
        "type",
        "map",
        "int",
        "float",
        "str",
        "bool",
        "string",
        "true",
        "false",
        "None",
        "True",
        "False",
        "nil",
        "null",
        "void",
        "auto",
        "static",
        "public",
        "private",
        "protected",
        "final",
        "char",
        "long",
        "double",
        "boolean",
        "Integer",
        "List",
        "Map",
        "cls",
        "constructor",
        "super",
        "print",
        "len",
        "range",
        "async",
        "do",
        "case",
        "throw",
        "catch",
        "of",
        "func",
        "chan",
        "interface",
        "number",
        "any",
        "float64",
        "int64",
        "byte",
        "rune",
        "std",
    ]
)


def declared_words(lexemes: list[Lexeme], language: str) -> frozenset[str]:
    """Library words that this code declares."""
    library = (BARE[language] | MEMBER[language]) - _KEYWORDS
    test = _python if language == "python" else _braces
    found: set[str] = set()
    depth_def = 0  # inside the parentheses of a definition when > 0
    for at, lexeme in enumerate(lexemes):
        if lexeme.kind is LexemeKind.OPERATOR:
            if lexeme.text == "(" and (depth_def or _defines(lexemes, at, language)):
                depth_def += 1
            elif lexeme.text == ")" and depth_def:
                depth_def -= 1
        elif lexeme.text in library and not lexeme.text.startswith("__"):
            before = lexemes[at - 1] if at else None
            after = lexemes[at + 1].text if at + 1 < len(lexemes) else ""
            base = lexemes[at - 2].text if at > 1 else ""
            if test(before, after, base, depth_def > 0):
                found.add(lexeme.text)
    return frozenset(found)


def _defines(lexemes: list[Lexeme], at: int, language: str) -> bool:
    """Whether the parenthesis at `at` opens the parameters of a definition."""
    before = lexemes[at - 1].text if at else ""
    base = lexemes[at - 2].text if at > 1 else ""
    if language == "python":
        return base == "def"
    if language in ("javascript", "typescript"):
        return base == "function" or before in ("function", "constructor")
    return language == "go" and base == "func"


def _python(before: Lexeme | None, after: str, base: str, in_definition: bool) -> bool:
    start = before is None or before.kind is LexemeKind.LINE
    said = "" if before is None else before.text
    if said == "." and base in _SELF:
        return after in ("=", ":", "+=", "-=")
    if said == "def":
        return True
    if in_definition and said in ("(", ",", "*") and after in (",", ")", ":", "="):
        return True
    if said in ("for", ",") and after in ("in", ","):
        return base in ("for", ",") or said == "for"
    return start and after in ("=", ":", ",", "+=")


def _braces(before: Lexeme | None, after: str, base: str, in_definition: bool) -> bool:
    if before is None:
        return False
    said = before.text
    if said == "." and base in _SELF:
        return after in ("=", "+=")
    if said in (".", "->", "::"):
        return False
    if after == ":=" or said in ("var", "let", "const", "function"):
        return True
    if in_definition and said in ("(", ",") and after not in (".", "(", "::"):
        return True
    typed = before.kind is LexemeKind.WORD and said not in _USES
    if typed or said in (">", "]"):
        return after in ("=", ";", ",", ")", "(", ":", "{")
    return said == "&" and base != "&" and after in (",", ")")
