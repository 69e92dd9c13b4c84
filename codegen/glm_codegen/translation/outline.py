"""A unit of source as an outline: canonical layout, with placeholders for all that is only copied.

`outline` replaces names, texts, comments and long numbers by placeholders and lays the rest out
in one way, whatever the author's style: what is left is what a translation must change. It works
on lexemes, so source that does not parse has an outline too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from glm_codegen.translation.declared_words import declared_words
from glm_codegen.translation.lexemes import Lexeme, LexemeKind, lex
from glm_codegen.translation.library_words import BARE, MEMBER
from glm_codegen.translation.placeholders import mark
from glm_codegen.translation.script_types import annotate


class EntryKind(StrEnum):
    """What a placeholder stands for."""

    NAME = "name"
    TEXT = "text"
    COMMENT = "comment"
    NUMBER = "number"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One placeholder's content. A TEXT keeps its escapes, without its quotes."""

    kind: EntryKind
    text: str


@dataclass(frozen=True, kw_only=True)
class Outline:
    """Canonical lines with placeholders, and what each stands for, by number.

    `rows` are the lines of the source that the outline's lines begin in.
    """

    lines: tuple[str, ...]
    entries: dict[int, Entry]
    rows: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join(self.lines)

    @property
    def shown(self) -> frozenset[int]:
        """Placeholders that stand in its lines."""
        text = self.text
        return frozenset(number for number in self.entries if mark(number) in text)

    @property
    def comments(self) -> str:
        """Placeholders of comments."""
        kept = self.entries.items()
        return "".join(mark(number) for number, e in kept if e.kind is EntryKind.COMMENT)

    @property
    def texts(self) -> dict[str, str]:
        """Contents of the placeholders inside quotes."""
        kept = self.entries.items()
        return {mark(number): e.text for number, e in kept if e.kind is EntryKind.TEXT}

    @property
    def titles(self) -> str:
        """Placeholders of the classes that it declares."""
        return "".join(_TITLE.findall(self.text))


_TITLE = re.compile(r"^\s*(?:class|struct|type) ([\ue000-\ue0ff])", re.MULTILINE)
SHORT_NUMBER = re.compile(r"\d{1,2}|\d\.\d")
_DROPPED = {
    "java": frozenset({"public", "private", "protected", "final"}),
    "cpp": frozenset({"const", "std", "inline", "constexpr", "noexcept"}),
    "c": frozenset({"const", "inline"}),
    "javascript": frozenset({"export", "async"}),
    "typescript": frozenset({"export", "public", "private", "readonly", "async"}),
    "python": frozenset(),
    "go": frozenset(),
}
_SELF = frozenset({"self", "this", "cls"})
_GENERIC = frozenset(
    [
        "List",
        "ArrayList",
        "Map",
        "HashMap",
        "LinkedHashMap",
        "TreeMap",
        "Set",
        "HashSet",
        "TreeSet",
        "LinkedList",
        "Deque",
        "Queue",
        "ArrayDeque",
        "PriorityQueue",
        "Optional",
        "Iterator",
        "vector",
        "map",
        "unordered_map",
        "set",
        "unordered_set",
        "pair",
        "queue",
        "stack",
        "deque",
        "array",
        "Array",
        "Record",
        "function",
        "optional",
        "priority_queue",
        "tuple",
        "static_cast",
        "make_unique",
        "unique_ptr",
        "numeric_limits",
        "greater",
        "Entry",
    ]
)
_TIGHT_BEFORE = frozenset([")", "]", ",", ";", ".", "++", "--", "?.", "::"])
_TIGHT_AFTER = frozenset(["(", "[", ".", "!", "~", "?.", "::", "++", "--", "@"])
_SPACED_CALL = frozenset(
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
        "catch",
        "else",
        "func",
        "function",
        "lambda",
        "=",
        "(",
        ",",
    ]
)
_INDENT = {"go": "\t", "javascript": "  ", "typescript": "  "}


class _Entries:
    """Numbers the placeholders by first use, and stops when there are no more."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = list(numbers)
        self._known: dict[tuple[EntryKind, str], int] = {}
        self.entries: dict[int, Entry] = {}

    def of(self, kind: EntryKind, text: str) -> str | None:
        known = self._known.get((kind, text))
        if known is None:
            if len(self._known) == len(self._numbers):
                return None
            known = self._numbers[len(self._known)]
            self._known[kind, text] = known
            self.entries[known] = Entry(kind=kind, text=text)
        return mark(known)


def outline(code: str, language: str, numbers: Sequence[int]) -> Outline:
    """Outline of one unit; `numbers` are the placeholders to use, in order of first use.

    What no placeholder is left for stays as it is. Raises KeyError for an unknown language.
    """
    lexemes = lex(code, language)
    if language in ("javascript", "typescript"):
        lexemes = annotate(lexemes)
    entries = _Entries(numbers)
    words = _shorten(lexemes, language, entries)
    layout = _python_layout if language == "python" else _brace_layout
    lines = layout(words, _INDENT.get(language, "    "))
    return Outline(
        lines=tuple(text for text, _ in lines),
        entries=entries.entries,
        rows=tuple(row for _, row in lines),
    )


def _shorten(lexemes: list[Lexeme], language: str, entries: _Entries) -> list[Lexeme]:
    """Replace what is copied by placeholders and drop what says nothing."""
    declared = declared_words(lexemes, language)
    dropped = _DROPPED[language]
    found: list[Lexeme] = []
    for at, lexeme in enumerate(lexemes):
        kind, text = lexeme.kind, lexeme.text
        before = lexemes[at - 1].text if at else ""
        if kind is LexemeKind.WORD:
            if text in dropped and text not in declared:
                continue
            found += _word(lexeme, before, lexemes, at, language, declared, entries)
        elif kind is LexemeKind.OPERATOR and text == "::" and before == "std":
            continue
        elif kind is LexemeKind.STRING:
            found.append(replace(lexeme, text=_quoted(text, language, entries)))
        elif kind is LexemeKind.INTERPOLATED:
            found.append(replace(lexeme, text=_interpolated(text, language, entries)))
        elif kind is LexemeKind.COMMENT:
            found += _comment(lexeme, language, entries)
        elif kind is LexemeKind.NUMBER:
            found.append(replace(lexeme, text=_number(text, entries)))
        else:
            found.append(lexeme)
    return found


def _word(
    lexeme: Lexeme, before: str, lexemes: list[Lexeme], at: int, language: str,
    declared: frozenset[str], entries: _Entries,
) -> list[Lexeme]:  # fmt: skip
    text = lexeme.text
    if language in ("javascript", "typescript") and text in ("const", "var"):
        return [replace(lexeme, text="let")]
    if before in (".", "?.") or (before == "->" and language in ("cpp", "c")):
        base = lexemes[at - 2].text if at > 1 else ""
        own = text in declared and (base in _SELF or text not in MEMBER[language])
        if text in MEMBER[language] and not own:
            return [lexeme]
    elif text in BARE[language] and text not in declared:
        return [lexeme]
    if language == "go" and text.startswith("New") and text[3:4].isupper():
        inner = entries.of(EntryKind.NAME, text[3:])
        return [replace(lexeme, text=f"New{inner or text[3:]}")]
    return [replace(lexeme, text=entries.of(EntryKind.NAME, text) or text)]


_PREFIX = re.compile(r"^[rRbBuUL8]*")


def _quoted(text: str, language: str, entries: _Entries) -> str:
    """A text with double quotes, its content a placeholder; a character keeps single ones."""
    body = _PREFIX.sub("", text, count=1)
    for quote in ('"""', "'''"):
        if body.startswith(quote):
            content = body[3:-3] if body.endswith(quote) and len(body) > 5 else body[3:]
            held = entries.of(EntryKind.COMMENT, _plain_comment(content))
            return f'"""{held or content}"""'
    single = body[:1] == "'" and language in ("java", "cpp", "c", "go")
    quote = "'" if single else '"'
    content = body[1:-1] if len(body) > 1 and body[-1] == body[0] else body[1:]
    if not content:
        return quote * 2
    if body[0] == "`":
        content = content.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    elif body[0] == "'" and not single:
        content = content.replace("\\'", "'").replace('"', '\\"')
    return f"{quote}{entries.of(EntryKind.TEXT, content) or content}{quote}"


def _interpolated(text: str, language: str, entries: _Entries) -> str:
    """An f-string or a template with placeholders for texts and the names in its holes."""
    start = text.find("{") if language == "python" else text.find("${")
    body = text[2:-1] if language == "python" else text[1:-1]
    if start < 0:
        return f'"{entries.of(EntryKind.TEXT, body) or body}"' if body else '""'
    opening = "{" if language == "python" else "${"
    parts, rest = list[str](), body
    while (at := rest.find(opening)) >= 0:
        if at:
            parts.append(entries.of(EntryKind.TEXT, rest[:at]) or rest[:at])
        end = rest.find("}", at)
        end = len(rest) if end < 0 else end
        inner = rest[at + len(opening) : end]
        held = _shorten(lex(inner, language), language, entries)[1:]
        parts.append(opening + _join(held) + "}")
        rest = rest[end + 1 :]
    if rest:
        parts.append(entries.of(EntryKind.TEXT, rest) or rest)
    quotes = ('f"', '"') if language == "python" else ("`", "`")
    return quotes[0] + "".join(parts) + quotes[1]


def _plain_comment(text: str) -> str:
    """A comment's words: no signs at the start of lines, no tags of JSDoc or Javadoc."""
    lines = [re.sub(r"^\s*(?:\*+|//+|#+)?\s?", "", line).rstrip() for line in text.split("\n")]
    kept = [line for line in lines if not line.lstrip().startswith("@")]
    return "\n".join(kept).strip()


def _comment(lexeme: Lexeme, language: str, entries: _Entries) -> list[Lexeme]:
    text = lexeme.text
    block = text.startswith("/*")
    content = _plain_comment(text[2:].removesuffix("*/") if block else text.lstrip("/#!"))
    if not content or text.startswith("#!"):
        return []
    opening = text[:3] == "/**"
    sign = "#" if language == "python" else "//"
    held = entries.of(EntryKind.COMMENT, content)
    written = (
        f"/** {held or content.split(chr(10))[0]} */" if opening else f"{sign} {held or content}"
    )
    return [replace(lexeme, text=written)]


def _number(text: str, entries: _Entries) -> str:
    """Short numbers as they are; `0` or `0.` and a placeholder for a long one."""
    if text.isdigit() and len(text) < 3:
        return text
    plain = text.replace("_", "").rstrip("LlUunN" if text[:2] in ("0x", "0X") else "LlUufFdDnN")
    if plain.startswith("."):
        plain = "0" + plain
    if plain.endswith("."):
        plain += "0"
    if SHORT_NUMBER.fullmatch(plain):
        return plain
    real = not plain.startswith(("0x", "0X", "0b", "0o")) and any(sign in plain for sign in ".eE")
    held = entries.of(EntryKind.NUMBER, plain)
    return plain if held is None else ("0." if real else "0") + held


def _join(lexemes: Sequence[Lexeme]) -> str:
    """Lexemes of one line with canonical spaces."""
    written = ""
    before = ""
    depth = 0
    for at, lexeme in enumerate(lexemes):
        text = lexeme.text
        if text == "<" and before in _GENERIC:
            depth, space = depth + 1, False
        elif depth and text in (">", ">>", ">>>"):
            depth, space = max(depth - len(text), 0), False
        else:
            space = _spaced(before, text, depth)
            if before in ("-", "*", "&") and (at < 2 or _takes_sign(lexemes[at - 2])):
                space = False
            if before == "->" or text == "->":
                ahead = lexemes[at - 2] if before == "->" else lexemes[at - 1]
                space = ahead.text == ")"
        if space and written and not written.endswith((" ", "\n")):
            written += " "
        written += text
        before = text
    return written


def _takes_sign(lexeme: Lexeme) -> bool:
    """Whether a minus after this is a sign, not a difference."""
    if lexeme.kind is LexemeKind.OPERATOR:
        return lexeme.text not in (")", "]", "}", "++", "--")
    return lexeme.text in ("return", "case", "in", "and", "or", "not", "range")


def _spaced(before: str, text: str, depth: int) -> bool:
    if not before or before in _TIGHT_AFTER or text in _TIGHT_BEFORE:
        return False
    if before == "{" and text == "}":
        return False
    if depth and (before == "<"):
        return False
    if text == "(":
        return before in _SPACED_CALL
    if text == "[":
        return before in (
            "return",
            "=",
            "in",
            ",",
            "==",
            "+",
            ":=",
            "and",
            "or",
            ":",
            "range",
            "of",
        )
    return text not in (":", "?:")


def _python_layout(lexemes: list[Lexeme], indent: str) -> list[tuple[str, int]]:
    """Logical lines, each with its depth in canonical indentation, and its row."""
    levels = [0]
    lines: list[tuple[int, list[Lexeme]]] = []
    depth = 0
    for lexeme in lexemes:
        if lexeme.kind is LexemeKind.LINE:
            if depth == 0:
                lines.append((len(lexeme.text), []))
            continue
        if lexeme.kind is LexemeKind.OPERATOR:
            depth = max(depth + (lexeme.text in "([{") - (lexeme.text in ")]}"), 0)
        if not lines:
            lines.append((0, []))
        if lexeme.kind is LexemeKind.COMMENT and lines[-1][1]:
            # A comment at the end of a line goes before the line.
            lines.insert(len(lines) - 1, (lines[-1][0], [lexeme]))
        else:
            lines[-1][1].append(lexeme)
    written: list[tuple[str, int]] = []
    for width, line in lines:
        if not line:
            continue
        while levels[-1] > width:
            levels.pop()
        if width > levels[-1]:
            levels.append(width)
        text, place = _join(line), len(written)
        level = len(levels) - 1
        doc = len(line) == 1 and text.startswith('"""')
        if doc and written and written[-1][0].lstrip().startswith(("def ", "class ")):
            # What documents a definition stands before it, as in the other languages.
            place, level = place - 1, max(level - 1, 0)
        written.insert(place, (indent * level + text, line[0].row))
    return written


def _brace_layout(lexemes: list[Lexeme], indent: str) -> list[tuple[str, int]]:
    """Lines end at braces of blocks, at semicolons and where the author ended them."""
    lines: list[tuple[int, list[Lexeme]]] = [(0, [])]
    stack: list[str] = []
    level = 0

    def start() -> None:
        if lines[-1][1]:
            lines.append((level, []))
        else:
            lines[-1] = (level, [])

    for at, lexeme in enumerate(lexemes):
        text, kind = lexeme.text, lexeme.kind
        inside = bool(stack) and stack[-1] != "block"
        if kind is LexemeKind.LINE:
            if not inside and not _continued(lines[-1][1], lexemes, at):
                start()
            continue
        if kind is LexemeKind.COMMENT:
            line = lines[-1]
            if line[1]:
                lines.insert(len(lines) - 1, (line[0], [lexeme]))
            else:
                line[1].append(lexeme)
                start()
            continue
        if kind is LexemeKind.OPERATOR and text == "{":
            block = not inside and _opens_block(lines[-1][1])
            stack.append("block" if block else "{")
            lines[-1][1].append(lexeme)
            if block:
                level += 1
                start()
            continue
        if kind is LexemeKind.OPERATOR and text == "}":
            opened = stack.pop() if stack else "block"
            if opened == "block":
                level = max(level - 1, 0)
                start()
                lines[-1][1].append(lexeme)
                following = next(
                    (
                        other.text
                        for other in lexemes[at + 1 :]
                        if other.kind is not LexemeKind.LINE
                    ),
                    "",
                )
                if following not in ("else", "while", "catch", "finally", ")", ",", ";"):
                    start()
            else:
                lines[-1][1].append(lexeme)
            continue
        if kind is LexemeKind.OPERATOR and text in "([":
            stack.append(text)
        elif kind is LexemeKind.OPERATOR and text in ")]" and stack and stack[-1] != "block":
            stack.pop()
        elif kind is LexemeKind.OPERATOR and text == ";" and not inside:
            start()
            continue
        lines[-1][1].append(lexeme)
    return [(indent * depth + _join(line), line[0].row) for depth, line in lines if line]


def _opens_block(line: Sequence[Lexeme]) -> bool:
    """Whether a brace after this line opens a block, and not a literal."""
    if not line:
        return True
    last, words = line[-1].text, [lexeme.text for lexeme in line]
    if last == "]" and any(pair == (")", ":") for pair in pairwise(words)):
        return True  # a function whose written result is an array
    if last in ("=", ",", "return", ":=", "]", ":", "(") or "interface" in words[-1:]:
        return False
    if words[0] in ("return", "var") or any(word in ("=", ":=") for word in words):
        return (
            last == "=>"
            or (last == ")" and "=>" not in words and "function" in words)
            or (words[0] in ("for", "if", "while", "switch", "else", "}", "func") and last != "=")
        )
    return True


def _continued(line: Sequence[Lexeme], lexemes: Sequence[Lexeme], at: int) -> bool:
    """Whether a statement goes on after the author's line end."""
    if not line:
        return False
    following = lexemes[at + 1].text if at + 1 < len(lexemes) else ""
    last = line[-1]
    if following in (".", "?", ":", "&&", "||", "+", "{") or following.startswith("."):
        return True
    if last.text == "}" and following in ("else", "catch", "finally"):
        return True
    return last.kind is LexemeKind.OPERATOR and last.text in (
        *("+", "-", "*", "&&", "||", "=", ",", "?", ":=", "=>", "+=", "/", "%", "."),
    )
