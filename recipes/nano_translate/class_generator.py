"""Random small classes: a few fields, a constructor, methods that change or tell."""

from __future__ import annotations

import random

from recipes.nano_translate.expressions import node, whole
from recipes.nano_translate.generator import (
    CHAR_COUNTS,
    COUNTS,
    INTS,
    TEXTS,
    FunctionWriter,
    name_kind,
)
from recipes.nano_translate.naming import Names
from recipes.nano_translate.program import (
    BOOL,
    FLOAT,
    INT,
    STR,
    VOID,
    ClassUnit,
    Expr,
    Function,
    Param,
    Stmt,
)
from recipes.nano_translate.scope import Scope, Variable

_FIELDS = (INT, INT, INT, STR, FLOAT, BOOL, INTS, TEXTS, COUNTS)
_DOCS = ("Keeps {0} of one {1}.", "A small {1} with {0}.", "Counts {0} for each {1}.")


def class_unit(chance: random.Random, names: Names) -> ClassUnit:
    """One class."""
    title = names.fresh("class")
    fields: list[Param] = []
    params: list[Param] = []
    start: list[Expr] = []
    for _ in range(chance.choices((1, 2, 3), (3, 4, 2))[0]):
        kind = chance.choice(_FIELDS)
        field = Param(name=names.fresh(name_kind(kind)), type=kind)
        fields.append(field)
        if not kind.inner and chance.random() < 0.5:
            params.append(field)
            start.append(Expr(kind="name", type=kind, value=field.name))
        elif kind.inner:
            start.append(node(f"new_{kind.name}", kind))
        elif kind == INT:
            start.append(whole(chance.choice((0, 0, 1, 10))))
        elif kind == FLOAT:
            start.append(node("float", FLOAT, value=0.0))
        elif kind == BOOL:
            start.append(node("bool", BOOL, value=False))
        else:
            start.append(node("str", STR, value=""))
    methods = [
        _method(chance, names, fields, at == 0)
        for at in range(chance.choices((1, 2, 3), (2, 4, 2))[0])
    ]
    doc = (
        chance.choice(_DOCS).format(fields[0].name.replace("_", " "), title.lower())
        if chance.random() < 0.3
        else ""
    )
    return ClassUnit(
        name=title,
        fields=tuple(fields),
        params=tuple(params),
        start=tuple(start),
        methods=tuple(methods),
        doc=doc,
    )


def _method(chance: random.Random, names: Names, fields: list[Param], changes: bool) -> Function:
    scope = Scope()
    for field in fields:
        scope.add(Variable(name=field.name, type=field.type, is_field=True))
    writer = FunctionWriter(chance, names, size=1)
    name = names.function()
    params = []
    for _ in range(chance.choices((0, 1, 2), (2, 5, 1))[0]):
        kind = chance.choice((INT, INT, STR, FLOAT))
        param = Param(name=names.fresh(name_kind(kind)), type=kind)
        params.append(param)
        scope.add(Variable(name=param.name, type=kind, mutable=False))
    body: list[Stmt] = []
    if changes or chance.random() < 0.4:
        writer.returns = VOID
        own = [v for v in scope.variables if v.is_field]
        for _ in range(chance.choices((1, 2), (3, 1))[0]):
            stmt = writer.change_of(scope, chance.choice(own), False)
            if chance.random() < 0.35:
                stmt = Stmt(kind="if", exprs=(writer.condition(scope),), blocks=((stmt,),))
            body.append(stmt)
        if chance.random() < 0.35:
            kind = chance.choice((BOOL, INT))
            writer.returns = kind
            body.append(writer.result(scope))
        return Function(name=name, params=tuple(params), returns=writer.returns, body=tuple(body))
    writer.returns = chance.choice(
        [field.type for field in fields if field.type != CHAR_COUNTS] + [INT, BOOL, STR]
    )
    if chance.random() < 0.4:
        body += (
            writer.loop(scope, 1)
            if chance.random() < 0.5
            else writer.branch(scope, 0, in_loop=False)
        )
        if not body:
            body = []
    body.append(writer.result(scope))
    return Function(name=name, params=tuple(params), returns=writer.returns, body=tuple(body))
