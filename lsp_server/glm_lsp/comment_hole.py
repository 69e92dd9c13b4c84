"""Documentation and comments as holes: places where any infilling model can write a comment.

The quotes or signs of the comment are put around the hole, so that a model that cannot follow
instructions has nothing else to write there. Knows the comment signs of languages, and lines; no
model, no request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from glm_context.syntax_facts import Unit
from glm_lsp.insert_text import clean
from glm_protocol.errors import BadRequest

MAX_PREFIX, MAX_SUFFIX = 24_000, 8_000  # characters
DEFINITIONS = (  # kinds of units
    *("function", "method", "class", "interface", "enum", "record", "struct", "trait"),
    *("impl", "namespace", "type", "macro"),
)
_PYTHON_HEAD = re.compile(r"\s*(?:async\s+def|def|class)\b")
_COMMENT_LINE = re.compile(r"\s*(?:#(?!!|\[|include|define|if|endif)|//|/\*|\*|--|%|;|<!--)")
_STARS = "javascript javascriptreact typescript typescriptreact java c cpp cuda-cpp php kotlin"
_STARS += " scala groovy objective-c objective-cpp css vue"
_SLASHES = "rust swift csharp dart zig fsharp"
_HASHES = "ruby shellscript r perl elixir powershell julia makefile dockerfile yaml toml cmake"
_DASHES = "lua sql haskell"
_LINE_SIGNS = {
    **dict.fromkeys(_STARS.split(), "//"),
    **dict.fromkeys(_SLASHES.split(), "//"),
    **dict.fromkeys(_HASHES.split(), "#"),
    **dict.fromkeys(_DASHES.split(), "--"),
    "python": "#", "go": "//", "latex": "%", "erlang": "%", "clojure": ";",
}  # fmt: skip
del _LINE_SIGNS["css"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CommentHole:
    """Where a comment goes. `line`: the new line's place, from 0; `head` and `tail` enclose it.

    prefix and suffix are the two sides of the hole; `stop` ends what is said. `lead`: the first
    words, for a model that copies code when it has none.
    """

    line: int
    head: str
    tail: str
    prefix: str
    suffix: str
    stop: str
    lead: str = ""

    def filled(self, said: str) -> str:
        """The new line for a model's words, "" where it said nothing."""
        words = " ".join(clean(said, self.prefix).split())
        if self.tail == '"""':
            words = words.rstrip('"').replace("\\", "\\\\").rstrip()
        words = words.removesuffix("*").rstrip()
        return f"{self.head}{words}{self.tail}" if any(map(str.isalnum, words)) else ""


def enclosing(units: Sequence[Unit], line: int) -> Unit | None:
    """The innermost definition around a line, else the one that begins next below it."""
    for unit in units:
        if unit.first_line <= line <= unit.last_line:
            inner = enclosing(unit.members, line) if _around(unit.members, line) else None
            return inner or (unit if unit.kind in DEFINITIONS else None)
    return None


def _around(units: Sequence[Unit], line: int) -> bool:
    return any(unit.first_line <= line <= unit.last_line for unit in units)


def documentation_hole(lines: Sequence[str], language: str, unit: Unit | None) -> CommentHole:
    """The hole for a definition's documentation. `lines` have no line ends.

    Raises BadRequest where there is no definition, or one with documentation.
    """
    if unit is None:
        raise BadRequest(
            "There is no definition to document at this place.",
            remedy="Put the cursor into a function, a method or a class.",
        )
    if language == "python":
        return _docstring(lines, unit)
    if _COMMENT_LINE.match(lines[unit.first_line]):
        raise _documented(unit)
    indent = _indent(lines[unit.first_line])
    if language in _STARS.split():
        return _hole(lines, unit.first_line, f"{indent}/** ", " */", "*/", lead_of(unit))
    if language in _SLASHES.split():
        return _hole(lines, unit.first_line, f"{indent}/// ", "", "\n", lead_of(unit))
    if language == "go" and unit.name.isidentifier():  # its comments begin with the name
        return _hole(lines, unit.first_line, f"{indent}// {unit.name} ", "", "\n")
    sign = _sign(language)
    return _hole(lines, unit.first_line, f"{indent}{sign} ", "", "\n", lead_of(unit))


def comment_hole(lines: Sequence[str], language: str, line: int) -> CommentHole:
    """The hole for a comment above a line. Raises BadRequest for a language without one."""
    if not lines[line].strip():
        raise BadRequest("There is no code at this place.", remedy="Choose a line with code.")
    return _hole(lines, line, f"{_indent(lines[line])}{_sign(language)} ", "", "\n")


def _sign(language: str) -> str:
    sign = _LINE_SIGNS.get(language)
    if sign is None:
        raise BadRequest(
            f"Comments in {language or 'this language'} are not known here.",
            remedy="See docs/chat.md for the languages.",
        )
    return sign


def _documented(unit: Unit) -> BadRequest:
    return BadRequest(
        f"{unit.name or 'The definition'} has documentation already.",
        remedy="Remove it first to have it written anew.",
    )


def _docstring(lines: Sequence[str], unit: Unit) -> CommentHole:
    """Python: the first line of the body."""
    rows = range(unit.first_line, unit.last_line + 1)
    head = next((row for row in rows if _PYTHON_HEAD.match(lines[row])), None)
    end = None if head is None else _end_of_head(lines, head, unit.last_line)
    if head is None or end is None:
        raise BadRequest(
            "The definition's body is on the line of its head.",
            remedy="Put the body on a line of its own.",
        )
    body = next((row for row in range(end + 1, unit.last_line + 1) if lines[row].strip()), None)
    if body is not None and re.match(r"\s*[rRuU]?(\"\"\"|'''|\"|')", lines[body]):
        raise _documented(unit)
    indent = _indent(lines[head]) + "    " if body is None else _indent(lines[body])
    return _hole(lines, end + 1, f'{indent}"""', '"""', '"""', lead_of(unit))


def _end_of_head(lines: Sequence[str], first: int, last: int) -> int | None:
    """The line on which a Python head ends with its colon; None where the body follows it."""
    depth = 0
    for row in range(first, last + 1):
        code = re.sub(r"(\"[^\"]*\"|'[^']*')", "", lines[row]).split("#")[0].rstrip()
        depth += sum(code.count(c) for c in "([{") - sum(code.count(c) for c in ")]}")
        if depth <= 0:
            return row if code.endswith(":") else None
    return None


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]


def lead_of(unit: Unit) -> str:
    """How a sentence on it may begin: for a function by its name, `readLines` -> `Read the`."""
    if unit.kind not in ("function", "method"):
        return "The"
    if unit.name.startswith("__"):
        return "Create the" if unit.name == "__init__" else "Return the"
    words = re.findall(r"[A-Z]?[a-z]+", unit.name)
    return f"{words[0].capitalize()} the" if words and len(words[0]) >= 3 else "Return the"


def _hole(
    lines: Sequence[str], line: int, head: str, tail: str, stop: str, lead: str = ""
) -> CommentHole:
    above = "\n".join(lines[:line]) + ("\n" if line else "")
    below = "\n".join(lines[line:])
    return CommentHole(
        line=line,
        head=head,
        tail=tail,
        # Without the sign's space: tokens of words begin with theirs.
        prefix=(above + head.rstrip(" "))[-MAX_PREFIX:],
        suffix=f"{tail}\n{below}"[:MAX_SUFFIX],
        stop=stop,
        lead=lead,
    )
