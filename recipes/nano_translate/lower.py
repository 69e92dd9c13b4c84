"""Rewrites the forms that a source language spells out in several lines to those lines' own tree.

A translation goes line by line. Java has no `sum(values)`: as a source it has a loop, and the
translation of a loop is a loop. So before a unit is written as a source, what that language lacks
is spelled out in the tree, and the target is written from the same tree.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from recipes.nano_translate.expressions import node, whole
from recipes.nano_translate.naming import Names
from recipes.nano_translate.program import (
    BOOL,
    INT,
    STR,
    ClassUnit,
    Expr,
    Function,
    Stmt,
    Type,
    Unit,
)

_LACKS: dict[str, frozenset[str]] = {
    "python": frozenset(),
    "javascript": frozenset({"enumerate"}),
    "java": frozenset({"sum", "select", "sorted", "pair", "enumerate", "each_pair"}),
    "cpp": frozenset({"select", "sorted", "pop", "pair", "enumerate", "join", "upper"}),
    "go": frozenset({"sum", "select", "sorted", "pop", "backwards", "cond"}),
}


def _name(name: str, kind: Type) -> Expr:
    return Expr(kind="name", type=kind, value=name)


def _let(name: str, kind: Type, value: Expr) -> Stmt:
    return Stmt(kind="let", names=(name,), types=(kind,), exprs=(value,))


@dataclass(frozen=True, kw_only=True)
class Lowered:
    """The unit as a language's source has it, and the variants that its emitter must use."""

    unit: Unit
    flags: dict[str, bool]


def lower(unit: Unit, language: str, style: random.Random | None) -> Lowered:
    """The unit with what the language lacks spelled out."""
    flags: dict[str, bool] = {"entries": False}
    lacks = set(_LACKS[language])
    if style is not None and language == "javascript" and style.random() < 0.4:
        flags["entries"] = True
        lacks.discard("enumerate")
    if style is not None and language == "java" and style.random() < 0.5:
        flags["entries"] = True
    lowering = _Lowering(frozenset(lacks), flags["entries"] and language == "java")
    if isinstance(unit, ClassUnit):
        methods = tuple(replace(m, body=lowering.block(m.body)) for m in unit.methods)
        return Lowered(unit=replace(unit, methods=methods), flags=flags)
    assert isinstance(unit, Function)
    return Lowered(unit=replace(unit, body=lowering.block(unit.body)), flags=flags)


class _Lowering:
    def __init__(self, lacks: frozenset[str], entries: bool) -> None:
        self._lacks, self._entries = lacks, entries
        self._count = 0

    def block(self, stmts: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        return tuple(made for stmt in stmts for made in self.stmt(stmt))

    def stmt(self, stmt: Stmt) -> tuple[Stmt, ...]:
        stmt = replace(stmt, blocks=tuple(self.block(block) for block in stmt.blocks))
        kind = stmt.kind
        if kind in ("let", "return") and stmt.exprs and stmt.exprs[0].kind == "cond":
            return self._cond(stmt) if "cond" in self._lacks else (stmt,)
        if kind not in self._lacks:
            return (stmt,)
        made: tuple[Stmt, ...] = getattr(self, f"_{kind}")(stmt)
        return made

    def _cond(self, stmt: Stmt) -> tuple[Stmt, ...]:
        test, yes, no = stmt.exprs[0].args
        if stmt.kind == "return":
            early = Stmt(kind="if", exprs=(test,), blocks=((Stmt(kind="return", exprs=(yes,)),),))
            return early, Stmt(kind="return", exprs=(no,))
        held = _name(stmt.names[0], stmt.types[0])
        change = Stmt(kind="assign", exprs=(held, yes))
        return _let(stmt.names[0], stmt.types[0], no), Stmt(
            kind="if", exprs=(test,), blocks=((change,),)
        )

    def _sum(self, stmt: Stmt) -> tuple[Stmt, ...]:
        name, each = stmt.names
        add = Stmt(kind="aug", exprs=(_name(name, INT), _name(each, INT)), value="+")
        loop = Stmt(kind="each", names=(each,), types=(INT,), exprs=stmt.exprs, blocks=((add,),))
        return _let(name, INT, whole(0)), loop

    def _select(self, stmt: Stmt) -> tuple[Stmt, ...]:
        name, each = stmt.names
        kind, inner = stmt.types
        push = Stmt(kind="push", exprs=(_name(name, kind), stmt.exprs[1]))
        if len(stmt.exprs) > 2:
            push = Stmt(kind="if", exprs=(stmt.exprs[2],), blocks=((push,),))
        loop = Stmt(
            kind="each", names=(each,), types=(inner,), exprs=stmt.exprs[:1], blocks=((push,),)
        )
        return _let(name, kind, node("new_list", kind)), loop

    def _sorted(self, stmt: Stmt) -> tuple[Stmt, ...]:
        name, kind = stmt.names[0], stmt.types[0]
        copied = _let(name, kind, node("copy", kind, stmt.exprs[0]))
        return copied, Stmt(kind="sort", exprs=(_name(name, kind),))

    def _pop(self, stmt: Stmt) -> tuple[Stmt, ...]:
        held = _let(stmt.names[0], stmt.types[0], node("last", stmt.types[0], stmt.exprs[0]))
        return held, Stmt(kind="drop", exprs=stmt.exprs)

    def _pair(self, stmt: Stmt) -> tuple[Stmt, ...]:
        self._count += 1
        temp = "temp" if self._count == 1 else f"temp_{self._count}"
        left, right = (_name(name, INT) for name in stmt.names)
        return (
            _let(temp, INT, stmt.exprs[0]),
            Stmt(kind="assign", exprs=(left, right)),
            Stmt(kind="assign", exprs=(right, _name(temp, INT))),
        )

    def _enumerate(self, stmt: Stmt) -> tuple[Stmt, ...]:
        at, each = stmt.names
        source, kind = stmt.exprs[0], stmt.types[1]
        size = node("list_len", INT, source)
        value = _let(each, kind, node("at", kind, source, _name(at, INT)))
        return (
            Stmt(kind="range", names=(at,), exprs=(whole(0), size), value="up",
                 blocks=((value, *stmt.blocks[0]),)),
        )  # fmt: skip

    def _each_pair(self, stmt: Stmt) -> tuple[Stmt, ...]:
        key, value = stmt.names
        key_type, value_type = stmt.types
        if self._entries:
            first = _let(key, key_type, Expr(kind="entry_key", type=key_type))
            second = _let(value, value_type, Expr(kind="entry_value", type=value_type))
            return (
                replace(
                    stmt, kind="each_entry", names=(), blocks=((first, second, *stmt.blocks[0]),)
                ),
            )
        held = _let(
            value, value_type, node("map_get", value_type, stmt.exprs[0], _name(key, key_type))
        )
        return (
            Stmt(kind="each_key", names=(key,), types=(key_type,), exprs=stmt.exprs,
                 blocks=((held, *stmt.blocks[0]),)),
        )  # fmt: skip

    def _join(self, stmt: Stmt) -> tuple[Stmt, ...]:
        name, each = stmt.names
        held = _name(name, STR)
        test = node("not", BOOL, node("str_empty", BOOL, held))
        gap = Stmt(kind="aug", exprs=(held, stmt.exprs[1]), value="+")
        add = Stmt(kind="aug", exprs=(held, _name(each, STR)), value="+")
        body = (Stmt(kind="if", exprs=(test,), blocks=((gap,),)), add)
        loop = Stmt(kind="each", names=(each,), types=(STR,), exprs=stmt.exprs[:1], blocks=(body,))
        return _let(name, STR, node("str", STR, value="")), loop

    def _backwards(self, stmt: Stmt) -> tuple[Stmt, ...]:
        name, each = stmt.names
        held, char = _name(name, STR), Expr(kind="name", type=Type("char"), value=each)
        put = Stmt(kind="assign", exprs=(held, node("char_cat", STR, char, held)))
        loop = Stmt(
            kind="each_char",
            names=(each,),
            types=(Type("char"),),
            exprs=stmt.exprs,
            blocks=((put,),),
        )
        return _let(name, STR, node("str", STR, value="")), loop

    def _upper(self, stmt: Stmt) -> tuple[Stmt, ...]:
        copied = _let(stmt.names[0], STR, stmt.exprs[0])
        return copied, Stmt(kind="recase", exprs=(_name(stmt.names[0], STR),), value=stmt.value)


__all__ = ["Lowered", "Names", "lower"]
