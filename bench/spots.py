"""Single-line spots of this repository: drawn by a seed, judged by a rule written down first.

A spot is a place inside one code line of a Python file of the product; the answer to find is the
rest of that line. The rule (also in docs/quality.md):

* exact: the guess is the rest of the line, trailing blanks apart;
* acceptable: the file still parses with the guess in place, every name that the guessed line
  reads is bound in the file, built in or an attribute, and the file's syntax tree is the one it
  had (layout, quotes, brackets that change nothing and type annotations do not count).

Not here: asking a model; see `bench.spots_report`.
"""

from __future__ import annotations

import ast
import builtins
import io
import tokenize
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

MIN_ANSWER = 4  # characters to find, so that a lone closing bracket is no spot
WORDS = {tokenize.NAME, tokenize.NUMBER, tokenize.STRING}
SKIPPED = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Spot:
    """`line` and `column` are 1-based; `answer` is the rest of the line at the cursor."""

    path: str
    line: int
    column: int
    prefix: str
    answer: str
    suffix: str


def cursor_places(text: str) -> list[tuple[int, int]]:
    """(row, column), 1-based: token starts in code lines that leave enough to find."""
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    inside_strings = {
        row
        for token in tokens
        if token.type == tokenize.STRING and token.start[0] != token.end[0]
        for row in range(token.start[0], token.end[0] + 1)
    }
    lines = text.split("\n")
    places = []
    for token in tokens:
        row, column = token.start
        if token.type in SKIPPED or row in inside_strings:
            continue
        answer = lines[row - 1][column:].rstrip()
        has_word = any(
            other.type in WORDS and other.start[0] == row and other.start[1] >= column
            for other in tokens
        )
        if len(answer) >= MIN_ANSWER and has_word:
            places.append((row, column + 1))
    return places


def draw(files: list[Path], root: Path, *, count: int, seed: int) -> list[Spot]:
    """`count` spots; a file is drawn in proportion to its places, no line twice.

    The order is by a hash of the seed and the line itself, so that most spots stay the same when
    other code is written.
    """
    texts = {path: path.read_text(encoding="utf-8").split("\n") for path in files}
    every = [(path, place) for path in texts for place in cursor_places("\n".join(texts[path]))]

    def rank(each: tuple[Path, tuple[int, int]]) -> bytes:
        path, (row, column) = each
        words = f"{seed} {path.relative_to(root).as_posix()} {column} {texts[path][row - 1]}"
        return sha256(words.encode()).digest()

    every.sort(key=rank)
    spots: list[Spot] = []
    seen: set[tuple[Path, int]] = set()
    for path, (row, column) in every:
        if (path, row) in seen:
            continue
        seen.add((path, row))
        lines = texts[path]
        before = "\n".join([*lines[: row - 1], lines[row - 1][: column - 1]])
        after = "\n".join(["", *lines[row:]])
        spots.append(
            Spot(
                path=path.relative_to(root).as_posix(),
                line=row,
                column=column,
                prefix=before,
                answer=lines[row - 1][column - 1 :],
                suffix=after,
            )
        )
        if len(spots) == count:
            break
    return spots


class WithoutAnnotations(ast.NodeTransformer):
    """Erases type annotations: they do nothing at run time."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None:
            return ast.Pass()
        return ast.Assign(targets=[node.target], value=node.value)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return ast.arg(arg=node.arg)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)


def shape(tree: ast.Module) -> str:
    """The tree as text, positions and annotations erased."""
    return ast.dump(WithoutAnnotations().visit(tree))


def bound_names(tree: ast.Module) -> set[str]:
    """Every name that the file binds anywhere, and the built-in ones."""
    names = set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
    return names


def judge(spot: Spot, guess: str) -> str:
    """ "exact", "acceptable", "parses" (right form, other meaning), "broken" or "silent"."""
    guess = guess.split("\n", 1)[0].rstrip()
    if not guess.strip():
        return "silent"
    if guess == spot.answer.rstrip():
        return "exact"
    original = ast.parse(spot.prefix + spot.answer + spot.suffix)
    try:
        guessed = ast.parse(spot.prefix + guess + spot.suffix)
    except (SyntaxError, ValueError):
        return "broken"
    known = bound_names(original)
    read_here = {
        node.id
        for node in ast.walk(guessed)
        if isinstance(node, ast.Name)
        and node.lineno == spot.line
        and isinstance(node.ctx, ast.Load)
    }
    if read_here <= known and shape(guessed) == shape(original):
        return "acceptable"
    return "parses"
