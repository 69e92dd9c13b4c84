"""Units, cursor and holes by indentation and line patterns: for texts that are not parsed.

Linear in the text. Also what the index reads its files by: tree-sitter parses 1.5 to 4 MB a
second, this many times that, and no text can hang it.
"""

from __future__ import annotations

import re

from glm_context.syntax_facts import CursorFacts, Enclosing, Outline, Unit

MAX_UNITS = 4000
MAX_LINE = 1000  # characters of a line that is looked at

# A line that begins a definition, in any of the languages: kind by its keyword.
_KEYWORD = (
    r"(?P<word>def|class|interface|struct|enum|trait|impl|fn|func|function|module|namespace|"
    r"record|type|mod|union|protocol|object)"
)
_MODIFIERS = (
    r"(?:(?:export|default|public|private|protected|internal|static|async|abstract|final|"
    r"sealed|partial|pub(?:\([a-z]{1,10}\))?|unsafe|extern|const|inline|virtual|override|"
    r"declare|open|data|readonly|typedef)\s{1,4}){0,6}"
)
_DEFINITION = re.compile(
    rf"[ \t]{{0,80}}{_MODIFIERS}{_KEYWORD}\b\s{{0,4}}"
    r"(?:\([^()]{0,100}\)\s?|<[^<>]{0,80}>\s?)?\*?"
    r"(?:[A-Za-z_]\w{0,60}[.:](?!:)){0,3}(?P<name>[A-Za-z_$][\w$]{0,120})"
)
# `type name(…) {` of the C family, `name() {` of shells and methods; not `if (`, `return f(`.
_CALLABLE = re.compile(
    r"[ \t]{0,80}(?:[A-Za-z_$][\w$:<>,*&\[\].?~]{0,100}[ \t]{1,4}[*&]{0,3}){0,6}"
    r"(?P<name>~?[A-Za-z_$][\w$:]{0,120})[ \t]{0,4}\((?P<rest>[^;]{0,400})$"
)
_ASSIGNED = re.compile(
    r"[ \t]{0,80}(?:export )?(?:const|let|var|static|#define)[ \t]{1,4}"
    r"(?P<name>[A-Za-z_$][\w$]{0,120})"
)
_CONSTANT = re.compile(r"(?P<name>[A-Z][A-Z0-9_]{2,80})(?:\s{0,4}:[^=]{0,60})?\s{0,4}=(?!=)")
_NOT_NAMES = frozenset(
    {
        *("if", "for", "while", "switch", "catch", "return", "else", "do", "match", "with", "elif"),
        *("new", "throw", "await", "yield", "sizeof", "foreach", "using", "lock", "until", "case"),
        *("and", "or", "not", "in", "is", "assert", "print", "raise", "del", "except", "unless"),
    }
)
_KINDS = {
    "def": "function",
    "fn": "function",
    "func": "function",
    "function": "function",
    "module": "namespace",
    "mod": "namespace",
    "protocol": "interface",
    "object": "class",
    "union": "struct",
}
_ATTACHED = ("#", "//", "/*", " *", "*/", "@", "[", "template", "--", ";;", "%")
_COMMENT = ("# ", "//", "/*", " *", "*/", "--", ";;", "%")
_GOES_ON = ("end", "else", "elif", "except", "finally", "catch", "rescue", "ensure", "fi", "done")
_IMPORT = re.compile(
    r"\s{0,8}(?:import\b|from\b.{1,200}\bimport\b|use\b|using\b|#\s?include\b|require)"
)


def definition_in(line: str, *, statement_ends: bool = True) -> tuple[str, str] | None:
    """(kind, name) of the definition that a line begins, or None."""
    line = line[:MAX_LINE]
    match = _DEFINITION.match(line)
    if match:
        word = match.group("word")
        return _KINDS.get(word, word), match.group("name")
    match = _ASSIGNED.match(line) or _CONSTANT.match(line)
    if match:
        arrow = "=>" in line or "function" in line
        kind = "macro" if "#define" in line else "function" if arrow else "constant"
        return kind, match.group("name")
    if line.rstrip().endswith(("{", ")", ",", "(")) or not statement_ends:
        match = _CALLABLE.match(line.rstrip())
        if match and (name := match.group("name")) not in _NOT_NAMES:
            first = line.split(None, 1)[0]
            typed = len(line.split("(", 1)[0].split()) > 1
            opens = line.rstrip().endswith("{")
            if first not in _NOT_NAMES and "=" not in line.split("(", 1)[0] and (typed or opens):
                return "function", name.rsplit(":", 1)[-1]
    return None


def indent_of(line: str) -> int:
    """Columns of white space before the text."""
    head = line[: len(line) - len(line.lstrip(" \t"))]
    return len(head.expandtabs(4))


def outline(text: str, *, members: bool = True) -> Outline:
    """Units of a text: definitions at the left edge with what is attached, and what is between."""
    lines = text.split("\n")
    starts = line_starts(lines)
    heads: list[tuple[int, str, str]] = []
    for number, line in enumerate(lines):
        if line and line[0] not in " \t\r)}]{" and len(heads) < MAX_UNITS:
            found = definition_in(line, statement_ends=False)
            if found is not None:
                heads.append((number, *found))
    units: list[Unit] = []
    done = 0
    for number, kind, name in heads:
        first = attached_above(lines, number, done)
        units += loose_units(lines, starts, done, first - 1)
        last = last_of(lines, number)
        inside = members_of(lines, starts, number, last) if members else ()
        units.append(unit_from(lines, starts, first, last, kind, name, number, inside))
        done = last + 1
    units += loose_units(lines, starts, done, len(lines) - 1)
    return Outline(parsed=False, units=tuple(units))


def attached_above(lines: list[str], number: int, least: int) -> int:
    """Where the comments and decorators right above a line begin."""
    first = number
    while first > least and lines[first - 1].startswith(_ATTACHED):
        first -= 1
    return first


def last_of(lines: list[str], head: int) -> int:
    """The last line of the block that begins at `head`: what is indented, and what closes it."""
    last = head
    for number in range(head + 1, len(lines)):
        line = lines[number]
        if not line.strip():
            continue
        if line[0] not in " \t)}]{" and not line.startswith(_GOES_ON):
            break
        last = number
    return last


def loose_units(lines: list[str], starts: list[int], first: int, last: int) -> list[Unit]:
    """Runs of imports, comments and other lines that no definition holds."""
    runs: list[tuple[int, int, str]] = []
    for number in range(first, last + 1):
        line = lines[number]
        if not line.strip():
            continue
        kind = loose_kind(line) if line[0] not in " \t" or not runs else runs[-1][2]
        if runs and runs[-1][2] == kind and number - runs[-1][1] <= 2:
            runs[-1] = (runs[-1][0], number, kind)
        else:
            runs.append((number, number, kind))
    return [unit_from(lines, starts, a, b, kind, "", a, ()) for a, b, kind in runs]


def loose_kind(line: str) -> str:
    if _IMPORT.match(line):
        return "import"
    return "comment" if line.startswith(_COMMENT) else "code"


def members_of(lines: list[str], starts: list[int], first: int, last: int) -> tuple[Unit, ...]:
    """Definitions one level inside the lines `first` … `last`."""
    level: int | None = None
    heads: list[tuple[int, str, str]] = []
    for number in range(first + 1, last + 1):
        line = lines[number]
        if not line.strip():
            continue
        column = indent_of(line)
        if level is None and column > 0:
            level = column
        if column == level:
            found = definition_in(line)
            if found is not None and found[0] != "constant":
                heads.append((number, *found))
    found_units = []
    for i, (number, kind, name) in enumerate(heads):
        end = heads[i + 1][0] - 1 if i + 1 < len(heads) else last
        while end > number and (not lines[end].strip() or lines[end].lstrip().startswith("@")):
            end -= 1
        while end > number and indent_of(lines[end]) < (level or 0):
            end -= 1
        kind = "method" if kind == "function" else kind
        found_units.append(unit_from(lines, starts, number, end, kind, name, number, ()))
    return tuple(found_units)


def unit_from(
    lines: list[str],
    starts: list[int],
    first: int,
    last: int,
    kind: str,
    name: str,
    at: int,
    members: tuple[Unit, ...],
) -> Unit:
    signature = signature_at(lines, at) if name else ""
    return Unit(
        kind=kind,
        name=name,
        start=starts[first],
        end=starts[last] + len(lines[last]),
        first_line=first,
        last_line=last,
        signature=signature,
        members=members,
    )


def signature_at(lines: list[str], at: int) -> str:
    """A definition's head on one line; up to six lines where its brackets are open."""
    head = lines[at][:MAX_LINE]
    for line in lines[at + 1 : at + 6]:
        if head.count("(") <= head.count(")"):
            break
        head += f" {line.strip()[:MAX_LINE]}"
    return " ".join(head.split()).replace("( ", "(").replace(", )", ")")[:240].rstrip(" {")


def line_starts(lines: list[str]) -> list[int]:
    starts, at = [], 0
    for line in lines:
        starts.append(at)
        at += len(line) + 1
    return starts


def cursor_facts(text: str, offset: int) -> CursorFacts:
    """What indentation says of a cursor: the lines above that are less indented enclose it."""
    line_start = text.rfind("\n", 0, offset) + 1
    line_end = text.find("\n", offset)
    line_end = len(text) if line_end < 0 else line_end
    line = text[line_start:line_end]
    blank = not line.strip()
    above = text[:line_start].split("\n")[:-1]
    column = len(line[: offset - line_start].expandtabs(4)) if blank else indent_of(line)
    enclosing: list[Enclosing] = []
    level, end = column, line_start
    for number in range(len(above) - 1, max(-1, len(above) - 2000), -1):
        end -= len(above[number]) + 1
        if not above[number].strip() or indent_of(above[number]) >= level:
            continue
        level = indent_of(above[number])
        found = definition_in(above[number], statement_ends=False)
        if found is not None:
            signature = " ".join(above[number].split())[:240].rstrip(" {")
            enclosing.append(
                Enclosing(
                    kind=found[0],
                    name=found[1],
                    signature=signature,
                    start=end,
                    end=len(text),
                    first_line=number,
                )
            )
        if level == 0:
            break
    head = text[line_start:offset].rstrip()
    if blank:
        place = "body" if column else "top"
    elif not text[offset:line_end].strip() and head.endswith((":", "{")):
        place = "head"
    else:
        place = "statement"
    unit_end = block_end(text, line_end, column) if blank else line_end
    return CursorFacts(
        parsed=False,
        place=place,
        unit_start=offset if blank else line_start + len(line) - len(line.lstrip()),
        unit_end=max(offset, unit_end),
        enclosing=tuple(reversed(enclosing)),
    )


def block_end(text: str, start: int, column: int) -> int:
    """Where the lines that are indented at least `column` end."""
    at, end = start, start
    for line in text[start + 1 : start + 200_000].split("\n"):
        at += 1
        if line.strip():
            if indent_of(line) < column:
                break
            end = at + len(line)
        at += len(line)
    return end
