"""Draws a unit that all five compilers accept, as far as the tree alone tells."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

from recipes.nano_translate.bold import BoldWriter
from recipes.nano_translate.class_generator import class_unit
from recipes.nano_translate.generator import FunctionWriter
from recipes.nano_translate.naming import HELD_OUT, TRAIN, Names
from recipes.nano_translate.patterns import patterned
from recipes.nano_translate.program import ClassUnit, Expr, Function, Stmt, Unit, held_out

CLASS_SHARE, PATTERN_SHARE = 0.14, 0.14
BOLD_SHARE = 0.4  # of the programs that only train


def draw(
    chance: random.Random,
    lists: dict[str, list[str]],
    sizes: tuple[float, float, float] = (3, 5, 2),
    *,
    bold: float = 0.0,
) -> Unit:
    """A unit; `sizes` weighs functions of one, two and three main statements.

    `bold` is the share of functions with what some inputs fail on (`bold.py`).
    """
    while True:
        names = Names(lists, chance)
        roll = chance.random()
        unit: Unit
        if roll < CLASS_SHARE:
            unit = class_unit(chance, names)
        else:
            size = chance.choices((1, 2, 3), sizes)[0]
            kind = BoldWriter if bold and chance.random() < bold else FunctionWriter
            writer = kind(chance, names, size=size)
            unit = patterned(writer) if roll < CLASS_SHARE + PATTERN_SHARE else writer.function()
        if sound(unit):
            return unit


def draw_split(
    chance: random.Random, *, testing: bool, sizes: tuple[float, float, float] = (3, 5, 2)
) -> Unit:
    """A unit of one split: shapes and names of the other never occur in it."""
    while True:
        unit = (
            draw(chance, HELD_OUT, sizes)
            if testing
            else draw(chance, TRAIN, sizes, bold=BOLD_SHARE)
        )
        if held_out(unit) == testing:
            return unit


def functions(unit: Unit) -> tuple[Function, ...]:
    """The functions of a unit."""
    return unit.methods if isinstance(unit, ClassUnit) else (unit,)


def walk(stmts: tuple[Stmt, ...]) -> Iterator[Stmt]:
    """All statements, outer before inner."""
    for stmt in stmts:
        yield stmt
        for block in stmt.blocks:
            yield from walk(block)


def names_in(expr: Expr) -> Iterator[str]:
    """Names an expression reads."""
    if expr.kind == "name":
        yield str(expr.value)
    for arg in expr.args:
        yield from names_in(arg)


_WRITES = ("assign", "aug")


def sound(unit: Unit) -> bool:
    """Every local is read (Go), nothing follows a return, no body is empty."""
    return all(_sound(function) for function in functions(unit)) and _floats_show(unit)


_FLOAT_KINDS = frozenset({"sqrt", "ratio", "fpow"})


def _floats_show(unit: Unit) -> bool:
    """Whether a unit with floats has a sign of them that an untyped language shows too.

    A parameter that JavaScript calls a number is a float where something tells so.
    """
    types = [param.type for function in functions(unit) for param in function.params]
    types += [function.returns for function in functions(unit)]
    exprs: list[Expr] = []
    if isinstance(unit, ClassUnit):
        types += [field.type for field in unit.fields]
        exprs += unit.start
    for function in functions(unit):
        exprs += [expr for stmt in walk(function.body) for expr in stmt.exprs]
    if not any("float" in str(kind) for kind in types):
        return True
    return any(_shows_float(expr) for expr in exprs)


def _shows_float(expr: Expr) -> bool:
    return expr.kind in ("float", *_FLOAT_KINDS) or any(_shows_float(arg) for arg in expr.args)


def _sound(function: Function) -> bool:
    reads: Counter[str] = Counter()
    declared: list[str] = []
    for stmt in walk(function.body):
        exprs = list(stmt.exprs)
        if stmt.kind in _WRITES:
            exprs = exprs[1:]
        if stmt.kind == "aug":
            # `x += …` alone is no use in Go.
            exprs = [e for e in exprs]
        if stmt.kind in ("push", "map_add", "map_set", "set_add", "set_at"):
            exprs = exprs[1:] if stmt.kind == "push" else exprs
        if stmt.kind == "assign" and stmt.exprs[0] == stmt.exprs[1]:
            return False
        for expr in exprs:
            reads.update(names_in(expr))
        if stmt.kind == "pair":
            reads.update(stmt.names)
        if stmt.kind in ("let", "each", "each_char", "enumerate", "each_pair", "pop", "sum", "join",
                         "backwards", "upper", "select", "sorted"):  # fmt: skip
            names = (
                stmt.names[:1]
                if stmt.kind in ("sum", "join", "backwards", "select", "upper", "sorted")
                else stmt.names
            )
            declared += names
    if any(reads[name] == 0 for name in declared):
        return False
    return _ends_well(function.body)


def _ends_well(stmts: tuple[Stmt, ...]) -> bool:
    for at, stmt in enumerate(stmts):
        if stmt.kind in ("return", "break", "continue", "fail") and at < len(stmts) - 1:
            return False
        if any(not block or not _ends_well(block) for block in stmt.blocks):
            return False
        if stmt.blocks and all(inner.kind == "comment" for block in stmt.blocks for inner in block):
            return False
    return True
