"""The typed tree of which all five languages are written, and the shape that splits the data."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

HELD_OUT_SHARE = 20  # one shape in so many belongs to the held-out programs


@dataclass(frozen=True)
class Type:
    """A type: `int float bool str char void`, or `list set map` of others, or a class's name."""

    name: str
    inner: tuple[Type, ...] = ()

    def __str__(self) -> str:
        """Short form, `list<int>`."""
        return f"{self.name}<{','.join(map(str, self.inner))}>" if self.inner else self.name


INT, FLOAT, BOOL, STR, CHAR, VOID = (
    Type(n) for n in ("int", "float", "bool", "str", "char", "void")
)


def list_of(inner: Type) -> Type:
    """List type."""
    return Type("list", (inner,))


def set_of(inner: Type) -> Type:
    """Set type."""
    return Type("set", (inner,))


def map_of(key: Type, value: Type) -> Type:
    """Map type."""
    return Type("map", (key, value))


@dataclass(frozen=True, kw_only=True)
class Expr:
    """An expression. `value` is a literal or a name, by kind."""

    kind: str
    type: Type
    args: tuple[Expr, ...] = ()
    value: object = None


@dataclass(frozen=True, kw_only=True)
class Stmt:
    """A statement. `names` are those it declares or assigns; `blocks` its nested statements."""

    kind: str
    exprs: tuple[Expr, ...] = ()
    names: tuple[str, ...] = ()
    types: tuple[Type, ...] = ()
    blocks: tuple[tuple[Stmt, ...], ...] = ()
    value: object = None


@dataclass(frozen=True, kw_only=True)
class Param:
    """A parameter or a field."""

    name: str
    type: Type


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function or a method. Names are words joined by underscores."""

    name: str
    params: tuple[Param, ...]
    returns: Type
    body: tuple[Stmt, ...]
    doc: str = ""


@dataclass(frozen=True, kw_only=True)
class ClassUnit:
    """A class: fields, what its constructor gives them, and methods."""

    name: str
    fields: tuple[Param, ...]
    params: tuple[Param, ...]
    start: tuple[Expr, ...]
    methods: tuple[Function, ...]
    doc: str = ""


Unit = Function | ClassUnit


def _expr_shape(expr: Expr) -> Iterator[str]:
    yield f"({expr.kind}:{expr.type}"
    for arg in expr.args:
        yield from _expr_shape(arg)
    yield ")"


def _stmt_shape(stmt: Stmt) -> Iterator[str]:
    yield f"[{stmt.kind}:{','.join(map(str, stmt.types))}:{stmt.value or ''}"
    for expr in stmt.exprs:
        yield from _expr_shape(expr)
    for block in stmt.blocks:
        yield "{"
        for inner in block:
            yield from _stmt_shape(inner)
        yield "}"
    yield "]"


def _function_shape(function: Function) -> Iterator[str]:
    yield f"fn({','.join(str(param.type) for param in function.params)}){function.returns}"
    for stmt in function.body:
        if stmt.kind != "comment":
            yield from _stmt_shape(stmt)


def shape(unit: Unit) -> str:
    """Digest of the syntax tree with names, literals, texts and comments erased."""
    if isinstance(unit, Function):
        parts = "".join(_function_shape(unit))
    else:
        parts = "class" + ",".join(str(field.type) for field in unit.fields)
        parts += "|" + ",".join(str(param.type) for param in unit.params)
        parts += "".join("".join(_expr_shape(expr)) for expr in unit.start)
        parts += "".join("".join(_function_shape(method)) for method in unit.methods)
    # A class's own name may stand as a type; it is a name too.
    if isinstance(unit, ClassUnit):
        parts = parts.replace(unit.name, "C")
    return hashlib.blake2b(parts.encode(), digest_size=12).hexdigest()


def held_out(unit: Unit) -> bool:
    """Whether the unit's shape belongs to the held-out split."""
    return int(shape(unit), 16) % HELD_OUT_SHARE == 0
