"""A parser of Mermaid for what models write: flowchart, sequence and class diagrams.

Stricter than mermaid.js in places (ids are words; what it does not know is an error), so that
what passes here is drawn there. Other kinds of diagram are refused by name, not guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_CHARACTERS = 50_000

_DIRECTIONS = ("TB", "TD", "BT", "RL", "LR")
_ID = r"[A-Za-z0-9_](?:[A-Za-z0-9_]|-(?![-.>ox]|$))*"
_RESERVED = frozenset({"end", "subgraph", "graph", "flowchart", "style", "class", "click"})
_SHAPES = (
    *(("(((", ")))"), ("[[", "]]"), ("[(", ")]"), ("([", "])"), ("((", "))"), ("{{", "}}")),
    *(("[/", "/]"), ("[\\", "\\]"), ("[", "]"), ("(", ")"), ("{", "}"), (">", "]")),
)
_LINK = re.compile(
    r"\s*(?P<arrow>[<ox]?(?:--+|==+|-\.+-?)[->ox=]?>?)\s*(?:\|(?P<label>[^|\n]*)\|)?\s*"
)
_WORDS_LINK = re.compile(
    r"\s*(?P<open>--|==|-\.)\s+(?P<label>[^-=.|\n][^|\n]*?)\s+(?P<arrow>--+>|--+|==+>|\.-+>)\s*"
)
_STYLE = re.compile(r"(style|classDef|class|linkStyle|click)\s+\S.*")
_MESSAGE = re.compile(
    r"(?P<a>[^:<>\-+]+?)\s*(?P<arrow>-->>|->>|-->|->|--x|-x|--\)|-\))\s*[+-]?\s*"
    r"(?P<b>[^:<>\-+]+?)\s*:\s*(?P<text>.*)"
)
_BLOCKS = ("loop", "alt", "opt", "par", "critical", "break", "rect", "box")
_RELATION = re.compile(
    r"(?P<a>[A-Za-z_]\w*)\s*(?:\"[^\"]*\"\s*)?"
    r"(?P<arrow><\|--|--\|>|\*--|--\*|o--|--o|<--|-->|<\.\.|\.\.>|<\|\.\.|\.\.\|>|--|\.\.)"
    r"\s*(?:\"[^\"]*\"\s*)?(?P<b>[A-Za-z_]\w*)\s*(?::\s*(?P<text>.*))?"
)
_MEMBER = re.compile(r"[+\-#~]?\s*[\w<>\[\]~, ]+(?:\([^()]*\))?[*$]?(?:\s*:?\s*[\w<>\[\]~]+)?")


class MermaidError(ValueError):
    """Why it does not parse. `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(f"line {line}: {message}")
        self.line = line


@dataclass(kw_only=True, slots=True)
class Diagram:
    """What was read: labels by id, and edges as (from, to, label)."""

    kind: str
    direction: str = ""
    nodes: dict[str, str] = field(default_factory=dict)
    edges: list[tuple[str, str, str]] = field(default_factory=list)

    def edge_set(self) -> set[tuple[str, str]]:
        """Edges between labels, for comparing two diagrams."""
        return {
            (self.nodes.get(a, a).strip().lower(), self.nodes.get(b, b).strip().lower())
            for a, b, _ in self.edges
        }


def parse_mermaid(text: str) -> Diagram:
    """Raises MermaidError with the first line that is not Mermaid."""
    if len(text) > MAX_CHARACTERS:
        raise MermaidError(1, "longer than any diagram that could be drawn")
    lines = [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.strip().startswith("%%")
    ]
    if not lines:
        raise MermaidError(1, "there is no diagram")
    number, head = lines[0]
    words = head.rstrip(";").split()
    match words:
        case ["flowchart" | "graph", *rest]:
            if rest and (len(rest) > 1 or rest[0] not in _DIRECTIONS):
                raise MermaidError(
                    number, f"{head!r} names no direction ({', '.join(_DIRECTIONS)})"
                )
            diagram = Diagram(kind="flowchart", direction=rest[0] if rest else "TB")
            _flowchart(diagram, lines[1:])
        case ["sequenceDiagram"]:
            diagram = Diagram(kind="sequence")
            _sequence(diagram, lines[1:])
        case ["classDiagram"]:
            diagram = Diagram(kind="class")
            _classes(diagram, lines[1:])
        case _:
            raise MermaidError(number, f"{words[0]!r} is no kind of diagram that is known here")
    if not diagram.nodes:
        raise MermaidError(lines[-1][0], "the diagram has no nodes")
    return diagram


def _flowchart(diagram: Diagram, lines: list[tuple[int, str]]) -> None:
    depth = 0
    for number, whole in lines:
        for line in _statements(whole):
            if line == "end":
                depth -= 1
                if depth < 0:
                    raise MermaidError(number, "'end' without 'subgraph'")
            elif re.fullmatch(r"subgraph(\s+\S.*)?", line):
                depth += 1
            elif re.fullmatch(rf"direction\s+({'|'.join(_DIRECTIONS)})", line):
                continue
            elif not _STYLE.fullmatch(line):
                _chain(diagram, number, line)
    if depth:
        raise MermaidError(lines[-1][0], "'subgraph' without 'end'")


def _statements(line: str) -> list[str]:
    """Split at semicolons that stand outside of quotes and brackets."""
    parts, depth, quoted, last = [], 0, False, 0
    for at, character in enumerate(line):
        if character == '"':
            quoted = not quoted
        elif not quoted and character in "[({":
            depth += 1
        elif not quoted and character in "])}":
            depth -= 1
        elif character == ";" and not quoted and depth <= 0:
            parts.append(line[last:at].strip())
            last = at + 1
    return [part for part in [*parts, line[last:].strip()] if part]


def _chain(diagram: Diagram, number: int, line: str) -> None:
    """`A --> B & C -- text --> D`."""
    at, left = _group(diagram, number, line, 0)
    while at < len(line):
        match = _WORDS_LINK.match(line, at) or _LINK.match(line, at)
        if match is None or len(match["arrow"]) < 2:
            raise MermaidError(number, f"no arrow at {line[at : at + 12]!r}")
        label = (match["label"] or "").strip()
        at, right = _group(diagram, number, line, match.end())
        reverse = match["arrow"].startswith("<") and not match["arrow"].endswith(">")
        for a in left:
            for b in right:
                diagram.edges.append((b, a, label) if reverse else (a, b, label))
        left = right


def _group(diagram: Diagram, number: int, line: str, at: int) -> tuple[int, list[str]]:
    names = []
    while True:
        at, name = _node(diagram, number, line, at)
        names.append(name)
        match = re.compile(r"\s*&\s*").match(line, at)
        if match is None:
            return at, names
        at = match.end()


def _node(diagram: Diagram, number: int, line: str, at: int) -> tuple[int, str]:
    match = re.compile(rf"\s*({_ID})").match(line, at)
    if match is None:
        raise MermaidError(number, f"no node at {line[at : at + 12]!r}")
    name, at = match[1], match.end()
    if name.lower() in _RESERVED:
        raise MermaidError(number, f"{name!r} is a word of the language, not an id")
    for opening, closing in _SHAPES:
        if line.startswith(opening, at):
            at, label = _label(number, line, at + len(opening), closing)
            diagram.nodes[name] = label
            break
    else:
        diagram.nodes.setdefault(name, name)
    mark = re.compile(r":::\w+").match(line, at)
    return (mark.end() if mark else at), name


def _label(number: int, line: str, at: int, closing: str) -> tuple[int, str]:
    quoted = re.compile(r'\s*"([^"]*)"\s*').match(line, at)
    if quoted is not None and line.startswith(closing, quoted.end()):
        return quoted.end() + len(closing), quoted[1]
    end = line.find(closing, at)
    if end < 0:
        raise MermaidError(number, f"a label is not closed by {closing!r}")
    label = line[at:end]
    if re.search(r'[\[\](){}"<>|]', label):
        raise MermaidError(number, f"the label {label!r} needs quotes")
    if not label.strip():
        raise MermaidError(number, "a label is empty")
    return end + len(closing), label


def _sequence(diagram: Diagram, lines: list[tuple[int, str]]) -> None:
    depth = 0
    for number, line in lines:
        word = line.split()[0]
        if word in ("participant", "actor"):
            match = re.fullmatch(r"\w+\s+(\S+)(?:\s+as\s+(.+))?", line)
            if match is None:
                raise MermaidError(number, f"{word} without a name")
            diagram.nodes[match[1]] = match[2] or match[1]
        elif word in _BLOCKS:
            depth += 1
        elif word == "end" and line == "end":
            depth -= 1
            if depth < 0:
                raise MermaidError(number, "'end' closes nothing")
        elif word in ("else", "and", "option", "activate", "deactivate", "autonumber", "title"):
            continue
        elif word.lower() == "note":
            if not re.fullmatch(r"(?i:note) (over|left of|right of) [^:]+:.*", line):
                raise MermaidError(number, "a note needs a place and a text")
        else:
            message = _MESSAGE.fullmatch(line)
            if message is None:
                raise MermaidError(number, f"no message in {line[:30]!r}")
            for name in (message["a"].strip(), message["b"].strip()):
                diagram.nodes.setdefault(name, name)
            edge = (message["a"].strip(), message["b"].strip(), message["text"].strip())
            diagram.edges.append(edge)
    if depth:
        raise MermaidError(lines[-1][0], "a block is not closed by 'end'")


def _classes(diagram: Diagram, lines: list[tuple[int, str]]) -> None:
    inside = ""
    for number, line in lines:
        if inside:
            if line == "}":
                inside = ""
            elif not (_MEMBER.fullmatch(line) or re.fullmatch(r"<<\w+>>", line)):
                raise MermaidError(number, f"{line[:30]!r} is no member of a class")
            continue
        opened = re.fullmatch(r"class\s+([A-Za-z_]\w*)(?:~\w+~)?\s*(\{)?\s*(\})?", line)
        relation = _RELATION.fullmatch(line)
        if opened is not None:
            diagram.nodes.setdefault(opened[1], opened[1])
            inside = opened[1] if opened[2] and not opened[3] else ""
        elif relation is not None:
            a, b, arrow = relation["a"], relation["b"], relation["arrow"]
            diagram.nodes.setdefault(a, a)
            diagram.nodes.setdefault(b, b)
            backwards = arrow[0] in "<*o"
            text = (relation["text"] or "").strip()
            diagram.edges.append((b, a, text) if backwards else (a, b, text))
        elif member := re.fullmatch(r"([A-Za-z_]\w*)\s*:\s*(.+)", line):
            diagram.nodes.setdefault(member[1], member[1])
        elif not re.fullmatch(r"(direction\s+\w+|note\s+.+|<<\w+>>\s+\w+)", line):
            raise MermaidError(number, f"{line[:30]!r} is nothing of a class diagram")
    if inside:
        raise MermaidError(lines[-1][0], f"the class {inside} is not closed")
