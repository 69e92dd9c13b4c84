"""What is known of a text's syntax: plain values, no tree.

Offsets count characters (code points) of the text as a Python string; lines count from 0, as in
LSP. Where a text could not be parsed (no grammar, too large, out of time) the facts come from its
indentation, and `parsed` is False.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ParseProblem:
    """One place that the grammar does not know. `message` is a phrase: "missing `)`"."""

    line: int
    column: int
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """A run of whole lines that belong together; the units of a file cover all of its code.

    `kind`: import, comment, code (loose statements), or a definition: function, class, method,
    field, interface, enum, record, struct, trait, impl, namespace, type, constant, variable,
    macro, declaration, element, script, style, rule, media, keyframes, pair.
    `start` … `end` include comments and decorators right above. `signature` is the definition
    without its body, on one line. `members` are the definitions inside, one level.
    """

    kind: str
    name: str
    start: int
    end: int
    first_line: int
    last_line: int
    signature: str = ""
    members: tuple[Unit, ...] = ()
    text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportName:
    """One imported module: as it is written, and the names taken from it ("*" for all)."""

    module: str
    names: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Outline:
    """A file from top to bottom."""

    parsed: bool
    units: tuple[Unit, ...]
    imports: tuple[ImportName, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Enclosing:
    """A definition around the cursor."""

    kind: str
    name: str
    signature: str
    start: int
    end: int
    first_line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CursorFacts:
    """What stands around one cursor.

    `node`: type of the smallest node ("" without a tree); `ancestors`: types outwards from it.
    `place`: comment, string, arguments, body (a line of its own inside a block), head (the end of
    a line that opens a block), statement (inside one), top.
    `body_is_due`: a body begins here that nothing stands in yet; only known with a tree.
    `unit_start` … `unit_end`: the statement, member or definition at the cursor; where the cursor
    stands in a body, the rest of that body.
    `enclosing`: outermost first. `siblings`: signatures of the other members of the innermost
    container and of the file's other definitions, in the file's order.
    """

    parsed: bool
    node: str = ""
    ancestors: tuple[str, ...] = ()
    place: str = "top"
    body_is_due: bool = False
    unit_start: int = 0
    unit_end: int = 0
    enclosing: tuple[Enclosing, ...] = ()
    siblings: tuple[Unit, ...] = ()
    imports: tuple[ImportName, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Hole:
    """A piece of a correct file to be cut out and guessed.

    `kind`: line (the rest of a line), multi_line (2 to 6 statements), block_body (the body of a
    function), arguments (of a call, without the brackets).
    """

    kind: str
    start: int
    end: int
    line: int
