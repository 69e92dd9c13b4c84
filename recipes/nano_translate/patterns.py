"""Shapes of functions that chance alone seldom finds: recursion, two ends, swaps, tables, pairs."""

from __future__ import annotations

from dataclasses import replace

from recipes.nano_translate.expressions import node, whole
from recipes.nano_translate.generator import INTS, FunctionWriter
from recipes.nano_translate.program import (
    BOOL,
    CHAR,
    INT,
    STR,
    VOID,
    Expr,
    Function,
    Param,
    Stmt,
    Type,
)
from recipes.nano_translate.scope import Scope, Variable


def _name(name: str, kind: Type) -> Expr:
    return Expr(kind="name", type=kind, value=name)


def _if(test: Expr, *stmts: Stmt, other: tuple[Stmt, ...] = ()) -> Stmt:
    blocks = (stmts, other) if other else (stmts,)
    return Stmt(kind="if", exprs=(test,), blocks=blocks)


def _return(value: Expr) -> Stmt:
    return Stmt(kind="return", exprs=(value,))


def _let(name: str, kind: Type, value: Expr) -> Stmt:
    return Stmt(kind="let", names=(name,), types=(kind,), exprs=(value,))


def recursion(writer: FunctionWriter) -> Function:
    """A call of itself with a smaller argument."""
    chance, names = writer.chance, writer.names
    title, n = names.function(), names.fresh("int")
    number = _name(n, INT)
    params = [Param(name=n, type=INT)]
    scope = Scope(variables=[Variable(name=n, type=INT, mutable=False)])
    style = chance.choice(("down", "halve", "two", "digits", "pair", "list"))
    if style == "pair":
        m = names.fresh("int")
        params.append(Param(name=m, type=INT))
        other = _name(m, INT)
        call = node("call", INT, other, node("mod", INT, number, other), value=title)
        body = [_if(node("eq", BOOL, other, whole(0)), _return(number)), _return(call)]
        if chance.random() < 0.5:
            scope.add(Variable(name=m, type=INT, mutable=False))
            call = node("call", INT, node("sub", INT, number, whole(1)), other, value=title)
            kind = chance.choice(("add", "mul", "max2"))
            base = _if(
                node(chance.choice(("le", "eq")), BOOL, number, whole(0)),
                _return(writer.make.whole(scope, 0)),
            )
            body = [base, _return(node(kind, INT, writer.make.whole(scope, 1), call))]
    elif style == "list":
        held = names.fresh("list")
        params = [Param(name=held, type=INTS), Param(name=n, type=INT)]
        items = _name(held, INTS)
        call = node("call", INT, items, node("add", INT, number, whole(1)), value=title)
        value = node("at", INT, items, number)
        base = _if(
            node("ge", BOOL, number, node("list_len", INT, items)),
            _return(whole(chance.choice((0, 0, 1)))),
        )
        kind = chance.choice(("add", "max2", "min2", "add"))
        body = [base, _return(node(kind, INT, value, call))]
        if chance.random() < 0.4:
            test = node(chance.choice(("gt", "lt", "eq")), BOOL, value, writer.make.small())
            body = [base, _if(test, _return(node("add", INT, call, whole(1)))), _return(call)]
    else:
        less = {
            "down": node("sub", INT, number, whole(chance.choice((1, 1, 2)))),
            "halve": node("idiv", INT, number, writer.make.small(2, 3)),
            "two": node("sub", INT, number, whole(1)),
            "digits": node("idiv", INT, number, whole(10)),
        }[style]
        call = node("call", INT, less, value=title)
        test = node(chance.choice(("le", "lt")), BOOL, number, whole(chance.choice((1, 2))))
        base = _if(test, _return(chance.choice((number, whole(0), whole(1)))))
        if style == "two":
            second = node("call", INT, node("sub", INT, number, whole(2)), value=title)
            body = [base, _return(node(chance.choice(("add", "max2")), INT, call, second))]
        else:
            left = (
                node("mod", INT, number, whole(10))
                if style == "digits"
                else writer.make.whole(scope, 1)
            )
            kind = chance.choice(("add", "add", "mul", "max2", "sub"))
            body = [base, _return(node(kind, INT, left, call))]
            if chance.random() < 0.35:
                twice = node(
                    "eq", BOOL, node("mod", INT, number, whole(chance.choice((2, 3)))), whole(0)
                )
                body.insert(1, _if(twice, _return(node("add", INT, call, writer.make.small()))))
    return Function(
        name=title, params=tuple(params), returns=INT, body=tuple(body), doc=_doc(writer, title)
    )


def _doc(writer: FunctionWriter, title: str) -> str:
    return f"Compute {title.replace('_', ' ')}." if writer.chance.random() < 0.4 else ""


def two_ends(writer: FunctionWriter) -> Function:
    """Two indices that move towards each other."""
    chance, names = writer.chance, writer.names
    kind = chance.choice((STR, INTS))
    held, low, high = (
        names.fresh("str" if kind == STR else "list"),
        names.fresh("int"),
        names.fresh("int"),
    )
    items, left, right = _name(held, kind), _name(low, INT), _name(high, INT)
    at, size = ("char_at", "str_len") if kind == STR else ("at", "list_len")
    inner = CHAR if kind == STR else INT
    first, last = node(at, inner, items, left), node(at, inner, items, right)
    start = [
        _let(low, INT, whole(0)),
        _let(high, INT, node("sub", INT, node(size, INT, items), whole(1))),
    ]
    up = Stmt(kind="aug", exprs=(left, whole(1)), value="+")
    down = Stmt(kind="aug", exprs=(right, whole(1)), value="-")
    test = node("lt", BOOL, left, right)
    style = chance.choice(("same", "reverse", "target", "count"))
    params = [Param(name=held, type=kind)]
    if style == "reverse" and kind == INTS:
        swap = Stmt(kind="swap", exprs=(items, left, right))
        loop = Stmt(kind="while", exprs=(test,), blocks=((swap, up, down),))
        return Function(
            name=names.function(),
            params=tuple(params),
            returns=INTS,
            body=(*start, loop, _return(items)),
            doc="",
        )
    if style == "target" and kind == INTS:
        goal = names.fresh("int")
        params.append(Param(name=goal, type=INT))
        total = names.fresh("int")
        summed = _let(total, INT, node("add", INT, first, last))
        found = node("eq", BOOL, _name(total, INT), _name(goal, INT))
        choose = Stmt(kind="if", exprs=(found, node("lt", BOOL, _name(total, INT), _name(goal, INT))),
                      blocks=((_return(node("bool", BOOL, value=True)),), (up,), (down,)))  # fmt: skip
        loop = Stmt(kind="while", exprs=(test,), blocks=((summed, choose),))
        return Function(name=names.function(), params=tuple(params), returns=BOOL,
                        body=(*start, loop, _return(node("bool", BOOL, value=False))), doc="")  # fmt: skip
    if style == "count":
        count = names.fresh("int")
        add = _if(
            node("eq" if chance.random() < 0.6 else "ne", BOOL, first, last),
            Stmt(kind="aug", exprs=(_name(count, INT), whole(1)), value="+"),
        )
        loop = Stmt(kind="while", exprs=(test,), blocks=((add, up, down),))
        return Function(name=names.function(), params=tuple(params), returns=INT,
                        body=(*start, _let(count, INT, whole(0)), loop, _return(_name(count, INT))), doc="")  # fmt: skip
    differ = _if(node("ne", BOOL, first, last), _return(node("bool", BOOL, value=False)))
    loop = Stmt(kind="while", exprs=(test,), blocks=((differ, up, down),))
    return Function(name=names.function(), params=tuple(params), returns=BOOL,
                    body=(*start, loop, _return(node("bool", BOOL, value=True))), doc="")  # fmt: skip


def pairs(writer: FunctionWriter) -> Function:
    """`a, b = b, …` in a loop."""
    chance, names = writer.chance, writer.names
    a, b, title = names.fresh("int"), names.fresh("int"), names.function()
    left, right = _name(a, INT), _name(b, INT)
    if chance.random() < 0.4:
        params = (Param(name=a, type=INT), Param(name=b, type=INT))
        step = Stmt(kind="pair", names=(a, b), types=(INT,), exprs=(node("mod", INT, left, right),))
        loop = Stmt(
            kind="while",
            exprs=(node("ne" if chance.random() < 0.6 else "gt", BOOL, right, whole(0)),),
            blocks=((step,),),
        )
        return Function(
            name=title,
            params=params,
            returns=INT,
            body=(loop, _return(left)),
            doc=_doc(writer, title),
        )
    n, i = names.fresh("int"), names.fresh("loop")
    value = node("add", INT, left, right)
    if chance.random() < 0.4:
        value = node("add", INT, left, node("mul", INT, right, writer.make.small(2, 3)))
    step = Stmt(kind="pair", names=(a, b), types=(INT,), exprs=(value,))
    first = whole(chance.choice((0, 0, 1, 2)))
    loop = Stmt(
        kind="range",
        names=(i,),
        exprs=(first, _name(n, INT)),
        value=chance.choice(("up", "upto")),
        blocks=((step,),),
    )
    body = (_let(a, INT, whole(chance.choice((0, 1, 2)))), _let(b, INT, whole(chance.choice((1, 1, 3)))), loop,
            _return(chance.choice((left, right))))  # fmt: skip
    return Function(
        name=title,
        params=(Param(name=n, type=INT),),
        returns=INT,
        body=body,
        doc=_doc(writer, title),
    )


def nested(writer: FunctionWriter) -> Function:
    """Two loops over one list: sorting by swaps, or counting pairs."""
    chance, names = writer.chance, writer.names
    held, i, j = names.fresh("list"), names.fresh("loop"), names.fresh("loop")
    items, first, second = _name(held, INTS), _name(i, INT), _name(j, INT)
    size = node("list_len", INT, items)
    one, two = node("at", INT, items, first), node("at", INT, items, second)
    sort = chance.random() < 0.4
    start = node("add", INT, first, whole(1))
    if sort:
        test = node(chance.choice(("gt", "lt")), BOOL, one, two)
        act: Stmt = Stmt(kind="swap", exprs=(items, first, second))
        before: tuple[Stmt, ...] = ()
        end = _return(items)
        returns: Type = INTS
        params = [Param(name=held, type=INTS)]
    else:
        goal, count = names.fresh("int"), names.fresh("int")
        params = [Param(name=held, type=INTS), Param(name=goal, type=INT)]
        joined = node(chance.choice(("add", "sub", "mul")), INT, one, two)
        if chance.random() < 0.3:
            joined = node("abs", INT, node("sub", INT, one, two))
        test = node(chance.choice(("eq", "eq", "lt", "gt")), BOOL, joined, _name(goal, INT))
        act = Stmt(kind="aug", exprs=(_name(count, INT), whole(1)), value="+")
        before = (_let(count, INT, whole(0)),)
        end, returns = _return(_name(count, INT)), INT
        if chance.random() < 0.3:
            act, before, end, returns = (
                _return(node("bool", BOOL, value=True)),
                (),
                _return(node("bool", BOOL, value=False)),
                BOOL,
            )
    inner = Stmt(
        kind="range", names=(j,), exprs=(start, size), value="up", blocks=((_if(test, act),),)
    )
    outer = Stmt(kind="range", names=(i,), exprs=(whole(0), size), value="up", blocks=((inner,),))
    title = names.function()
    return Function(
        name=title,
        params=tuple(params),
        returns=returns,
        body=(*before, outer, end),
        doc=_doc(writer, title),
    )


def table(writer: FunctionWriter) -> Function:
    """A table filled from earlier entries."""
    chance, names = writer.chance, writer.names
    n, held, i = names.fresh("int"), names.fresh("list"), names.fresh("loop")
    size, items, at = _name(n, INT), _name(held, INTS), _name(i, INT)
    made = _let(
        held, INTS, Expr(kind="fill", type=INTS, args=(whole(0), node("add", INT, size, whole(1))))
    )
    first = Stmt(kind="set_at", exprs=(items, whole(0), whole(1)))
    before = node("at", INT, items, node("sub", INT, at, whole(1)))
    scope = Scope(variables=[Variable(name=i, type=INT, mutable=False)])
    value = node(chance.choice(("add", "add", "max2")), INT, before, writer.make.whole(scope, 1))
    step: list[Stmt] = [Stmt(kind="set_at", exprs=(items, at, value))]
    if chance.random() < 0.5:
        far = whole(chance.choice((2, 3)))
        earlier = node("at", INT, items, node("sub", INT, at, far))
        more = Stmt(
            kind="set_at", exprs=(items, at, node("add", INT, node("at", INT, items, at), earlier))
        )
        step.append(_if(node("ge", BOOL, at, far), more))
    loop = Stmt(
        kind="range", names=(i,), exprs=(whole(1), size), value="upto", blocks=(tuple(step),)
    )
    end = chance.choice((_return(items), _return(node("at", INT, items, size))))
    title = names.function()
    return Function(
        name=title,
        params=(Param(name=n, type=INT),),
        returns=end.exprs[0].type,
        body=(made, first, loop, end),
        doc=_doc(writer, title),
    )


def stack(writer: FunctionWriter) -> Function:
    """A list used as a stack over the characters of a text."""
    chance, names = writer.chance, writer.names
    from recipes.nano_translate.generator import CHARS

    held, text, char, top = (
        names.fresh("list"),
        names.fresh("str"),
        names.fresh("char"),
        names.fresh("char"),
    )
    items, source, one = _name(held, CHARS), _name(text, STR), _name(char, CHAR)
    opening, closing = chance.choice((("(", ")"), ("[", "]"), ("{", "}"), ("<", ">"), ("a", "b")))
    push = Stmt(kind="push", exprs=(items, one))
    pop = Stmt(kind="pop", names=(top,), types=(CHAR,), exprs=(items,))
    no = _return(node("bool", BOOL, value=False))
    is_open = node("eq", BOOL, one, node("char", CHAR, value=opening))
    is_close = node("eq", BOOL, one, node("char", CHAR, value=closing))
    wrong = _if(node("ne", BOOL, _name(top, CHAR), node("char", CHAR, value=opening)), no)
    choose = Stmt(
        kind="if",
        exprs=(is_open, is_close),
        blocks=((push,), (_if(node("empty", BOOL, items), no), pop, wrong)),
    )
    loop = Stmt(
        kind="each_char", names=(char,), types=(CHAR,), exprs=(source,), blocks=((choose,),)
    )
    body = (_let(held, CHARS, node("new_list", CHARS)), loop, _return(node("empty", BOOL, items)))
    title = names.function()
    return Function(
        name=title,
        params=(Param(name=text, type=STR),),
        returns=BOOL,
        body=body,
        doc=_doc(writer, title),
    )


PATTERNS = ((recursion, 5), (two_ends, 3), (pairs, 2), (nested, 2.5), (table, 2), (stack, 0.6))


def patterned(writer: FunctionWriter) -> Function:
    """One of the patterns."""
    chosen = writer.chance.choices([p for p, _ in PATTERNS], [w for _, w in PATTERNS])[0]
    return chosen(writer)


__all__ = ["VOID", "patterned", "replace"]
