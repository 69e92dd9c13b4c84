"""Puts back what an outline left out: names in the target's convention, texts, comments, numbers.

Works line by line, so that a translation can be shown while it is written. Lossless for texts and
numbers; a comment of several lines is laid out in the target's signs.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from glm_codegen.translation.outline import Entry, EntryKind, Outline
from glm_codegen.translation.placeholders import MARK, is_mark
from glm_codegen.translation.standard_names import add_standard

_SNAKE = frozenset({"python", "cpp", "c"})
_MARKED = re.compile(r"(0\.?)?([\ue000-\ue0ff])")
_GO_FUNCTION = re.compile(r"func (?:\([^)]*\) ?)?([\ue000-\ue0ff])\(")
_WORD_END = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
RESERVED: dict[str, frozenset[str]] = {
    "python": frozenset(keyword.kwlist) | {"print", "len", "range", "list", "dict", "set", "str", "int"},  # noqa: E501
    "java": frozenset(
        ["abstract", "assert", "boolean", "break", "byte", "case", "catch", "char", "class", "const", "continue", "default", "do", "double", "else", "enum", "extends", "final", "finally", "float", "for", "goto", "if", "implements", "import", "instanceof", "int", "interface", "long", "native", "new", "package", "private", "protected", "public", "return", "short", "static", "super", "switch", "synchronized", "this", "throw", "throws", "transient", "try", "void", "volatile", "while", "var", "true", "false", "null"]  # noqa: E501
    ),
    "javascript": frozenset(
        ["await", "break", "case", "catch", "class", "const", "continue", "debugger", "default", "delete", "do", "else", "enum", "export", "extends", "finally", "for", "function", "if", "implements", "import", "in", "instanceof", "interface", "let", "new", "package", "private", "protected", "public", "return", "static", "super", "switch", "this", "throw", "try", "typeof", "var", "void", "while", "with", "yield", "null", "true", "false"]  # noqa: E501
    ),
    "cpp": frozenset(
        ["alignas", "and", "asm", "auto", "bool", "break", "case", "catch", "char", "class", "const", "continue", "default", "delete", "do", "double", "else", "enum", "explicit", "export", "extern", "false", "float", "for", "friend", "goto", "if", "inline", "int", "long", "mutable", "namespace", "new", "not", "nullptr", "operator", "or", "private", "protected", "public", "register", "return", "short", "signed", "sizeof", "static", "struct", "switch", "template", "this", "throw", "true", "try", "typedef", "typename", "union", "unsigned", "using", "virtual", "void", "volatile", "while", "xor"]  # noqa: E501
    ),
    "go": frozenset(
        ["break", "case", "chan", "const", "continue", "default", "defer", "else", "fallthrough", "for", "func", "go", "goto", "if", "import", "interface", "map", "package", "range", "return", "select", "struct", "switch", "type", "var", "len", "cap", "append", "make", "new", "min", "max", "copy", "string", "int", "float64", "bool", "true", "false", "nil", "self"]  # noqa: E501
    ),
}  # fmt: skip


def converted(name: str, target: str) -> str:
    """A function's or variable's name in the target's convention; classes and constants stay."""
    bare = name.strip("_$")
    if not bare or not bare[0].islower():
        return name
    lead, trail = name[: len(name) - len(name.lstrip("_"))], name[len(name.rstrip("_")) :]
    words = [word for part in bare.split("_") for word in _WORD_END.split(part) if word]
    if target in _SNAKE:
        made = "_".join(word.lower() for word in words)
    else:
        made = words[0] + "".join(word[:1].upper() + word[1:] for word in words[1:])
    made = f"{lead}{made}{trail}"
    return made + "_" if made in RESERVED.get(target, frozenset()) else made


@dataclass(kw_only=True)
class Restorer:
    """Restores the lines of one answer. `names` maps names of the source to those of the target.

    `chosen` grows: every name of the source that the answer used, and what it became.
    """

    outline: Outline
    source: str
    target: str
    names: Mapping[str, str] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find what Go calls a function by a capital letter."""
        exported = _GO_FUNCTION.findall(self.outline.text) if self.source == "go" else []
        self._exported = {ord(found) - MARK for found in exported}

    def line(self, text: str) -> str:
        """One line, without its end."""
        indent = text[: len(text) - len(text.lstrip())]
        restored = ""
        at = 0
        for match in _MARKED.finditer(text := add_standard(text, self.target)):
            restored += text[at : match.start()]
            entry = self.outline.entries.get(ord(match.group(2)) - MARK)
            restored += self._content(entry, match, text, indent)
            at = match.end()
        restored += text[at:]
        return restored

    def _content(self, entry: Entry | None, match: re.Match[str], text: str, indent: str) -> str:
        zero = match.group(1) or ""
        if entry is None:
            return zero
        if entry.kind is EntryKind.NUMBER:
            return entry.text if zero or entry.text[0].isdigit() else zero + entry.text
        if entry.kind is EntryKind.NAME:
            return zero + self.name(entry.text, ord(match.group(2)) - MARK)
        if entry.kind is EntryKind.COMMENT:
            return zero + self._comment(entry.text, text[: match.start()], indent)
        quote = text[match.start() - 1 : match.start()]
        return zero + self._text(entry.text, quote)

    def name(self, name: str, number: int = -1) -> str:
        """What a name of the source is called in the target."""
        if name not in self.chosen:
            known = self.names.get(name)
            if known is None:
                spelled = name[:1].lower() + name[1:] if number in self._exported else name
                known = converted(spelled, self.target)
            self.chosen[name] = known
        return self.chosen[name]

    def _text(self, content: str, quote: str) -> str:
        if quote == "'":
            return content.replace('\\"', '"').replace("'", "\\'") if content == "'" else content
        content = re.sub(r"(?<!\\)\\'", "'", content)
        return re.sub(r'(?<!\\)"', '\\"', content) if quote == '"' else content

    def _comment(self, content: str, before: str, indent: str) -> str:
        lines = content.split("\n")
        if len(lines) == 1:
            return lines[0].replace("*/", "* /").replace('"""', "'''")
        if before.strip().startswith("/*"):
            return "\n".join([lines[0], *(f"{indent} * {line}".rstrip() for line in lines[1:])])
        if '"""' in before:
            return "\n".join([lines[0], *((indent + line).rstrip() for line in lines[1:]), indent])
        sign = before.strip() or ("#" if self.target == "python" else "//")
        return f"\n{indent}".join([lines[0], *(f"{sign} {line}".rstrip() for line in lines[1:])])


def has_marks(text: str) -> bool:
    """Whether a text holds private-use characters that placeholders use."""
    return any(is_mark(character) for character in text)
