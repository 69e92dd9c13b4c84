"""Random small functions that do something: accumulate, search, build, transform, recurse."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from recipes.nano_translate.expressions import Expressions, node, whole
from recipes.nano_translate.naming import Names
from recipes.nano_translate.program import (
    BOOL,
    CHAR,
    FLOAT,
    INT,
    STR,
    Expr,
    Function,
    Param,
    Stmt,
    Type,
    list_of,
    map_of,
    set_of,
)
from recipes.nano_translate.scope import Scope, Variable

Block = list[Stmt]
INTS, TEXTS, FLOATS, CHARS = list_of(INT), list_of(STR), list_of(FLOAT), list_of(CHAR)
GRID = list_of(INTS)
COUNTS, CHAR_COUNTS, INT_COUNTS = map_of(STR, INT), map_of(CHAR, INT), map_of(INT, INT)
_PARAM_TYPES = (INT, INTS, STR, TEXTS, FLOAT, FLOATS, COUNTS, GRID, BOOL)
_PARAM_WEIGHTS = (9, 8, 7, 3, 2.5, 1.5, 1.5, 0.8, 0.7)
_RETURNS = (INT, STR, BOOL, INTS, FLOAT, TEXTS, COUNTS, CHAR_COUNTS, INT_COUNTS)
_RETURN_WEIGHTS = (9, 4.5, 4, 4, 2, 1.5, 1, 0.8, 0.8)
_DOC = ("Return the {0} of the given {1}.", "Compute {0} from {1}.", "Find the {0}.", "Check the {1}.",
        "Build the {0} for all {1}.", "Update {0} by {1}.", "Tell the {0} of {1}.")  # fmt: skip
_NOTES = ("skip this one", "nothing left to do", "keep the best so far", "start over", "edge case",
          "count it once", "the rest is easy", "move on")  # fmt: skip
_KIND = {"int": "int", "float": "float", "bool": "bool", "str": "str", "char": "char", "map": "map",
         "set": "set"}  # fmt: skip


def name_kind(kind: Type) -> str:
    """Which list of names suits a type."""
    if kind.name == "list":
        return "texts" if kind.inner[0] == STR else "list"
    return _KIND.get(kind.name, "int")


class FunctionWriter:
    """Writes one function. `size` is about how many statements a block gets."""

    def __init__(self, chance: random.Random, names: Names, *, size: int = 2) -> None:
        """One writer a unit; names are new within it."""
        self.chance, self.names, self.size = chance, names, size
        self.make = Expressions(chance)
        self.returns: Type = INT
        self.declared: list[str] = []

    def declare(self, scope: Scope, kind: Type, value: Expr, *, mutable: bool = True) -> Stmt:
        """A declaration; the name comes into scope after it."""
        name = self.names.fresh(name_kind(kind))
        self.declared.append(name)
        scope.add(Variable(name=name, type=kind, mutable=mutable))
        return Stmt(kind="let", names=(name,), types=(kind,), exprs=(value,))

    def start_value(self, kind: Type) -> Expr:
        """What an accumulator begins with."""
        if kind == INT:
            return whole(self.chance.choice((0, 0, 0, 0, 1, 1, 10, 100)))
        if kind == FLOAT:
            return node("float", FLOAT, value=self.chance.choice((0.0, 0.0, 1.0)))
        if kind == BOOL:
            return node("bool", BOOL, value=self.chance.random() < 0.5)
        if kind == STR:
            return node("str", STR, value="")
        return node(f"new_{kind.name}", kind)

    # statements that change something

    def change(self, scope: Scope, *, grow: bool = True) -> Block:
        """One statement that changes a variable that may be changed."""
        found = [v for v in scope.variables if v.mutable and not v.indexes]
        if not found:
            value = self.make.whole(scope, 2)
            return [self.declare(scope, INT, value)]
        variable = self.chance.choice(found)
        return [self.change_of(scope, variable, grow)]

    def change_of(self, scope: Scope, variable: Variable, grow: bool) -> Stmt:
        chance, kind, target = self.chance, variable.type, variable.expr
        if kind == INT:
            roll = chance.random()
            if roll < 0.3:
                return Stmt(kind="aug", exprs=(target, whole(1)), value="+")
            if roll < 0.75:
                value = self.other(scope, variable, INT)
                return Stmt(kind="aug", exprs=(target, value), value=chance.choice("+++-"))
            if roll < 0.85:
                grown = node(
                    "add",
                    INT,
                    node("mul", INT, target, self.make.small(2, 31)),
                    self.other(scope, variable, INT),
                )
                value = node("mod", INT, grown, whole(chance.choice((10, 97, 100, 1000, 101))))
                return Stmt(kind="assign", exprs=(target, value))
            if roll < 0.92:
                kind_ = chance.choice(("min2", "max2"))
                return Stmt(
                    kind="assign",
                    exprs=(target, node(kind_, INT, target, self.other(scope, variable, INT))),
                )
            if grow and roll < 0.95:
                return Stmt(kind="aug", exprs=(target, self.make.small(2, 3)), value="*")
            return Stmt(kind="assign", exprs=(target, self.make.whole(scope, 1)))
        if kind == FLOAT:
            if chance.random() < 0.75:
                return Stmt(
                    kind="aug", exprs=(target, self.make.real(scope, 1)), value=chance.choice("++-")
                )
            return Stmt(kind="assign", exprs=(target, self.make.real(scope, 1)))
        if kind == BOOL:
            return Stmt(
                kind="assign", exprs=(target, node("bool", BOOL, value=chance.random() < 0.5))
            )
        if kind == STR:
            chars = scope.of(CHAR) or self.make.elements(scope, CHAR)
            if chars and chance.random() < 0.65:
                char = self.make.char(scope)
                if chance.random() < 0.25:
                    char = node(chance.choice(("char_upper", "char_lower")), CHAR, char)
                if chance.random() < 0.2:
                    return Stmt(kind="assign", exprs=(target, node("char_cat", STR, char, target)))
                return Stmt(kind="aug", exprs=(target, char), value="+")
            return Stmt(kind="aug", exprs=(target, self.make.text(scope, 1)), value="+")
        if kind.name == "list":
            inner = kind.inner[0]
            if inner.inner:
                return Stmt(
                    kind="push",
                    exprs=(
                        target,
                        node("list", inner, self.make.whole(scope, 0), self.make.whole(scope, 0)),
                    ),
                )
            return Stmt(kind="push", exprs=(target, self.make.of(scope, inner, 1)))
        if kind.name == "set":
            return Stmt(kind="set_add", exprs=(target, self.make.of(scope, kind.inner[0], 0)))
        key = self.make.of(scope, kind.inner[0], 0)
        if chance.random() < 0.6:
            amount = whole(1) if chance.random() < 0.6 else self.make.whole(scope, 0)
            return Stmt(kind="map_add", exprs=(target, key, amount))
        return Stmt(kind="map_set", exprs=(target, key, self.make.whole(scope, 1)))

    def other(self, scope: Scope, variable: Variable, kind: Type) -> Expr:
        """An expression that is not just the variable itself."""
        for _ in range(4):
            value = self.make.of(scope, kind, 1)
            if value != variable.expr:
                return value
        return self.make.small()

    # blocks

    def body(self, scope: Scope, depth: int, *, in_loop: bool) -> Block:
        """A nested block: one or two statements, the last one changing something."""
        inner = scope.inner()
        count = self.chance.choices((1, 2, 3), (5, 3, 0.6))[0]
        stmts: Block = []
        for _ in range(count):
            stmts += self.step(inner, depth, in_loop=in_loop)
        return stmts

    def step(self, scope: Scope, depth: int, *, in_loop: bool) -> Block:
        """One statement of any kind that fits."""
        chance = self.chance
        roll = chance.random()
        if depth > 0 and roll < 0.33:
            return self.branch(scope, depth - 1, in_loop=in_loop)
        if depth > 1 and roll < 0.45:
            return self.loop(scope, depth - 1)
        if in_loop and roll < 0.52 and depth > 0:
            return [self.leave(scope)]
        if roll < 0.62:
            kind = chance.choices(
                (INT, FLOAT if scope.of(FLOAT) else INT, STR if scope.of(STR) else INT), (6, 1.5, 1)
            )[0]
            value = self.make.of(scope, kind, 2)
            if value.kind not in ("int", "float", "str", "name"):
                return [self.declare(scope, kind, value, mutable=False)]
        stmts = self.change(scope)
        if chance.random() < 0.06:
            stmts.insert(0, Stmt(kind="comment", value=chance.choice(_NOTES)))
        return stmts

    def leave(self, scope: Scope) -> Stmt:
        """A conditional `continue`, `break` or return in a loop."""
        kind = self.chance.choices(("continue", "break", "return"), (3, 2, 2))[0]
        stmt = Stmt(kind=kind)
        if kind == "return":
            stmt = self.result(scope.inner())
        return Stmt(kind="if", exprs=(self.condition(scope),), blocks=((stmt,),))

    def condition(self, scope: Scope) -> Expr:
        """A condition of an `if`; a map's test stands alone, as Go needs it."""
        maps = [v for v in scope.variables if v.type.name == "map"]
        if maps and self.chance.random() < 0.35:
            holder = self.chance.choice(maps)
            keys = scope.of(holder.type.inner[0])
            if keys:
                test = node(
                    "map_has", BOOL, scope.read(holder), scope.read(self.chance.choice(keys))
                )
                return node("not", BOOL, test) if self.chance.random() < 0.35 else test
        return self.make.test(scope, 1)

    def branch(self, scope: Scope, depth: int, *, in_loop: bool) -> Block:
        """`if`, maybe with `else if` and `else`."""
        count = self.chance.choices((1, 2), (4, 1))[0]
        tests = tuple(
            self.condition(scope) if count == 1 else self.make.test(scope, 1) for _ in range(count)
        )
        blocks = [tuple(self.body(scope, depth, in_loop=in_loop)) for _ in tests]
        if self.chance.random() < 0.4:
            blocks.append(tuple(self.body(scope, depth, in_loop=in_loop)))
        return [Stmt(kind="if", exprs=tests, blocks=tuple(blocks))]

    def loop(self, scope: Scope, depth: int) -> Block:
        """A loop over something in scope, or a counted one."""
        options: list[Callable[[Scope, int], Block]] = [self.counted]
        for variable in scope.variables:
            if variable.type.name == "list":
                options += [self.over_list] * 3 + [self.by_index] * 2 + [self.enumerated]
            elif variable.type == STR:
                options += [self.over_text] * 2 + [self.by_index]
            elif variable.type.name == "map":
                options += [self.over_map] * 2
        if [v for v in scope.of(INT) if not v.indexes]:
            options += [self.while_digits, self.while_up]
        return self.chance.choice(options)(scope, depth)

    def looped(self, stmt: Stmt, inner: Scope, depth: int) -> Block:
        """A loop statement with a body; bodies of loops may break."""
        return [replace(stmt, blocks=(tuple(self.body(inner, depth, in_loop=True)),))]

    def loop_name(self, inner: Scope, kind: str, type_: Type, indexes: str = "") -> str:
        """A loop variable that comes into the inner scope."""
        name = self.names.fresh(kind)
        inner.add(Variable(name=name, type=type_, mutable=False, indexes=indexes))
        return name

    def counted(self, scope: Scope, depth: int) -> Block:
        chance, inner = self.chance, scope.inner()
        ints = [v for v in scope.of(INT) if not v.mutable]
        last = (
            scope.read(chance.choice(ints))
            if ints and chance.random() < 0.8
            else self.make.small(3, 10)
        )
        first, value = (
            whole(chance.choice((0, 0, 1, 2))),
            chance.choices(("up", "upto", "down"), (3, 3, 1))[0],
        )
        exprs: tuple[Expr, ...] = (first, last)
        if value == "down":
            exprs = (last, whole(chance.choice((0, 0, 1))))
        elif chance.random() < 0.12:
            exprs = (first, last, self.make.small(2, 3))
        name = self.loop_name(inner, "loop", INT)
        return self.looped(
            Stmt(kind="range", names=(name,), exprs=exprs, value=value), inner, depth
        )

    def holder(self, scope: Scope, *, text: bool = False) -> Variable:
        """A list (or a text too) to loop over, by preference a parameter."""
        found = [v for v in scope.variables if v.type.name == "list" or (text and v.type == STR)]
        fixed = [v for v in found if not v.mutable]
        return self.chance.choice(fixed or found)

    def over_list(self, scope: Scope, depth: int) -> Block:
        inner, holder = scope.inner(), self.holder(scope)
        kind = holder.type.inner[0]
        inner.variables = [
            replace(v, mutable=False) if v.name == holder.name else v for v in inner.variables
        ]
        words = {"list": "list", "str": "str", "float": "each", "int": "each"}
        name = self.loop_name(inner, words.get(kind.name, "each"), kind)
        stmt = Stmt(kind="each", names=(name,), types=(kind,), exprs=(scope.read(holder),))
        return self.looped(stmt, inner, depth)

    def by_index(self, scope: Scope, depth: int) -> Block:
        inner, holder = scope.inner(), self.holder(scope, text=True)
        inner.variables = [
            replace(v, mutable=False) if v.name == holder.name else v for v in inner.variables
        ]
        size = node("str_len" if holder.type == STR else "list_len", INT, scope.read(holder))
        first, last, value = whole(self.chance.choice((0, 0, 0, 1))), size, "up"
        if self.chance.random() < 0.12:
            first, last, value = node("sub", INT, size, whole(1)), whole(-1), "down"
            last = whole(0) if self.chance.random() < 0.3 else last
        if value == "down" and last.value == -1:
            last = node("int", INT, value=-1)
        name = self.loop_name(inner, "loop", INT, holder.name)
        return self.looped(
            Stmt(kind="range", names=(name,), exprs=(first, last), value=value), inner, depth
        )

    def enumerated(self, scope: Scope, depth: int) -> Block:
        inner, holder = scope.inner(), self.holder(scope)
        kind = holder.type.inner[0]
        if kind.inner:
            return self.over_list(scope, depth)
        inner.variables = [
            replace(v, mutable=False) if v.name == holder.name else v for v in inner.variables
        ]
        at = self.loop_name(inner, "loop", INT)
        each = self.loop_name(inner, "each" if kind != STR else "str", kind)
        stmt = Stmt(
            kind="enumerate", names=(at, each), types=(INT, kind), exprs=(scope.read(holder),)
        )
        return self.looped(stmt, inner, depth)

    def over_text(self, scope: Scope, depth: int) -> Block:
        inner = scope.inner()
        found = scope.of(STR)
        holder = self.chance.choice([v for v in found if not v.mutable] or found)
        inner.variables = [
            replace(v, mutable=False) if v.name == holder.name else v for v in inner.variables
        ]
        name = self.loop_name(inner, "char", CHAR)
        stmt = Stmt(kind="each_char", names=(name,), types=(CHAR,), exprs=(scope.read(holder),))
        return self.looped(stmt, inner, depth)

    def over_map(self, scope: Scope, depth: int) -> Block:
        """Over keys and values; only what does not depend on the order is done in it."""
        inner = scope.inner()
        holder = self.chance.choice([v for v in scope.variables if v.type.name == "map"])
        key, value = holder.type.inner
        safe = [v for v in scope.variables if v.mutable and v.type == INT]
        inner.variables = [v if v in safe else replace(v, mutable=False) for v in inner.variables]
        if not safe:
            safe = [Variable(name="", type=INT)]
            return self.counted(scope, depth)
        names = (
            self.loop_name(inner, "str" if key == STR else "each", key),
            self.loop_name(inner, "int", value),
        )
        target = self.chance.choice(safe)
        amount = inner.variables[-1].expr
        add = Stmt(
            kind="aug",
            exprs=(target.expr, amount if self.chance.random() < 0.7 else whole(1)),
            value="+",
        )
        most = Stmt(kind="assign", exprs=(target.expr, node("max2", INT, target.expr, amount)))
        stmts = [add if self.chance.random() < 0.7 else most]
        self.make._count(inner, inner.variables[-1].expr)
        if self.chance.random() < 0.6:
            stmts = [Stmt(kind="if", exprs=(self.make.compare(inner, 0),), blocks=(tuple(stmts),))]
        stmt = Stmt(kind="each_pair", names=names, types=(key, value), exprs=(scope.read(holder),))
        return [replace(stmt, blocks=(tuple(stmts),))]

    def while_digits(self, scope: Scope, depth: int) -> Block:
        """`while` with a counter that certainly ends."""
        chance, inner = self.chance, scope.inner()
        source = scope.read(chance.choice([v for v in scope.of(INT) if not v.indexes]))
        start = self.declare(scope, INT, source)
        variable = scope.variables[-1]
        held = replace(variable, mutable=False)
        inner.variables = [*inner.variables, held]
        inner.reads[variable.name] = inner.reads.get(variable.name, 0) + 1
        body = self.body(inner, depth, in_loop=False)
        if chance.random() < 0.6:
            step = Stmt(kind="aug", exprs=(variable.expr, self.make.small(2, 10)), value="//")
            test = node("gt", BOOL, variable.expr, whole(0))
        else:
            amount = whole(chance.choice((1, 1, 2, 3)))
            step = Stmt(kind="aug", exprs=(variable.expr, amount), value="-")
            test = node("gt", BOOL, variable.expr, whole(chance.choice((0, 0, 1, 2))))
        if chance.random() < 0.2:
            test = node("and", BOOL, test, self.make.compare(scope, 0))
        return [start, Stmt(kind="while", exprs=(test,), blocks=((*body, step),))]

    def while_up(self, scope: Scope, depth: int) -> Block:
        """`while` that counts up to a length or a number."""
        chance, inner = self.chance, scope.inner()
        holders = [v for v in scope.variables if v.type == STR or v.type.name == "list"]
        start = self.declare(scope, INT, whole(chance.choice((0, 0, 0, 1))))
        variable = scope.variables[-1]
        indexes = ""
        if holders and chance.random() < 0.65:
            holder = chance.choice([v for v in holders if not v.mutable] or holders)
            kind = "str_len" if holder.type == STR else "list_len"
            last, indexes = node(kind, INT, scope.read(holder)), holder.name
            inner.variables = [
                replace(v, mutable=False) if v.name == holder.name else v for v in inner.variables
            ]
        else:
            others = [v for v in scope.of(INT) if v.name != variable.name and not v.mutable]
            last = scope.read(chance.choice(others)) if others else self.make.small(3, 20)
        scope.reads[variable.name] = scope.reads.get(variable.name, 0) + 1
        inner.variables = [*inner.variables, replace(variable, mutable=False, indexes=indexes)]
        body = self.body(inner, depth, in_loop=False)
        step = Stmt(
            kind="aug", exprs=(variable.expr, whole(chance.choice((1, 1, 1, 2)))), value="+"
        )
        scope.variables[-1] = replace(variable, mutable=False)
        test = node(
            chance.choice(("lt", "lt", "le")) if not indexes else "lt", BOOL, variable.expr, last
        )
        return [start, Stmt(kind="while", exprs=(test,), blocks=((*body, step),))]

    # special forms

    def special(self, scope: Scope) -> Block:
        """A form of one or two lines that languages write very differently."""
        chance = self.chance
        lists = [v for v in scope.variables if v.type in (INTS, TEXTS)]
        texts = scope.of(STR)
        options: list[Callable[[], Block]] = []
        if lists:
            options += [
                lambda: self.select(scope),
                lambda: self.select(scope),
                lambda: self.sorted_copy(scope),
            ]
            if any(v.type == INTS for v in lists):
                options += [
                    lambda: self.summed(scope),
                    lambda: self.summed(scope),
                    lambda: self.extreme(scope),
                ]
            if any(v.type == TEXTS for v in lists):
                options.append(lambda: self.joined(scope))
        if texts:
            options += [lambda: self.text_form(scope), lambda: self.text_form(scope)]
        options.append(lambda: self.chosen(scope))
        return chance.choice(options)()

    def select(self, scope: Scope) -> Block:
        chance = self.chance
        holder = chance.choice([v for v in scope.variables if v.type in (INTS, TEXTS)])
        inner, kind = scope.inner(), holder.type.inner[0]
        each = self.loop_name(inner, "each" if kind == INT else "str", kind)
        source = scope.read(holder)
        only = Scope(
            variables=[
                inner.variables[-1],
                *[v for v in scope.variables if v.type == INT and not v.indexes],
            ],
            reads=scope.reads,
        )
        value: Expr = inner.variables[-1].expr
        result = kind
        if kind == STR and chance.random() < 0.3:
            value, result = node("str_len", INT, value), INT
        elif kind == INT and chance.random() < 0.7:
            value = node(
                chance.choice(("mul", "add", "sub", "mul")),
                INT,
                value,
                chance.choice((value, self.make.small(1, 9))),
            )
        exprs = [source, value]
        if chance.random() < 0.6 or value.kind == "name":
            exprs.append(
                self.make.compare(only, 0)
                if kind == INT
                else node(
                    "gt",
                    BOOL,
                    node("str_len", INT, inner.variables[-1].expr),
                    self.make.small(1, 5),
                )
            )
        name = self.names.fresh("list" if result == INT else "texts")
        self.declared.append(name)
        scope.add(Variable(name=name, type=list_of(result), mutable=False))
        return [
            Stmt(
                kind="select", names=(name, each), types=(list_of(result), kind), exprs=tuple(exprs)
            )
        ]

    def new(self, scope: Scope, kind: Type, *, mutable: bool = False) -> str:
        """A declared name that comes into scope."""
        name = self.names.fresh(name_kind(kind))
        self.declared.append(name)
        scope.add(Variable(name=name, type=kind, mutable=mutable))
        return name

    def sorted_copy(self, scope: Scope) -> Block:
        holder = self.chance.choice([v for v in scope.variables if v.type in (INTS, TEXTS)])
        source = scope.read(holder)
        return [
            Stmt(
                kind="sorted",
                names=(self.new(scope, holder.type),),
                types=(holder.type,),
                exprs=(source,),
            )
        ]

    def summed(self, scope: Scope) -> Block:
        source = scope.read(self.chance.choice(scope.of(INTS)))
        each = self.names.fresh("each")
        return [Stmt(kind="sum", names=(self.new(scope, INT), each), types=(INT,), exprs=(source,))]

    def extreme(self, scope: Scope) -> Block:
        holder = self.chance.choice(scope.of(INTS))
        guard = Stmt(
            kind="if",
            exprs=(node("empty", BOOL, scope.read(holder)),),
            blocks=((self.result(scope.inner(), plain=True),),),
        )
        kind = self.chance.choice(("list_max", "list_min", "last"))
        return [guard, self.declare(scope, INT, node(kind, INT, holder.expr), mutable=False)]

    def joined(self, scope: Scope) -> Block:
        source = scope.read(self.chance.choice(scope.of(TEXTS)))
        separator = node("str", STR, value=self.chance.choice((", ", " ", "-", ",", "/")))
        each = self.names.fresh("str")
        return [
            Stmt(
                kind="join",
                names=(self.new(scope, STR), each),
                types=(STR,),
                exprs=(source, separator),
            )
        ]

    def text_form(self, scope: Scope) -> Block:
        source = scope.read(self.chance.choice(scope.of(STR)))
        kind = self.chance.choice(("backwards", "upper", "upper"))
        value = self.chance.choice(("upper", "lower")) if kind == "upper" else None
        names = (self.new(scope, STR),) + (
            (self.names.fresh("char"),) if kind == "backwards" else ()
        )
        return [Stmt(kind=kind, names=names, types=(STR,), exprs=(source,), value=value)]

    def chosen(self, scope: Scope) -> Block:
        """A conditional expression; only ints and texts, whose type Go tells from a literal."""
        kind = self.chance.choice((INT, INT, STR))
        test = self.make.test(scope, 0)
        yes, no = (self.make.of(scope, kind, 0 if kind == STR else 1) for _ in range(2))
        if yes == no:
            no = self.make.small() if kind == INT else self.make.literal_text()
        return [self.declare(scope, kind, node("cond", kind, test, yes, no), mutable=False)]

    # whole functions

    def result(self, scope: Scope, *, plain: bool = False) -> Stmt:
        """A return of the wanted type."""
        kind = self.returns
        if kind.name == "void":
            return Stmt(kind="return")
        found = [v for v in scope.of(kind) if not v.indexes]
        fresh = [v for v in found if v.name in self.declared] or found
        if kind.inner:
            if fresh and not plain:
                return Stmt(kind="return", exprs=(scope.read(fresh[-1]),))
            if kind == INTS and self.chance.random() < 0.5:
                items = tuple(
                    self.make.whole(scope, 0) for _ in range(self.chance.choice((1, 2, 2)))
                )
                return Stmt(kind="return", exprs=(Expr(kind="list", type=INTS, args=items),))
            return Stmt(kind="return", exprs=(node(f"new_{kind.name}", kind),))
        if plain:
            value = self.start_value(kind) if kind != STR else self.make.literal_text()
            if kind == INT and self.chance.random() < 0.4:
                value = whole(-1)
            return Stmt(kind="return", exprs=(value,))
        if fresh and self.chance.random() < 0.7:
            return Stmt(kind="return", exprs=(scope.read(self.chance.choice(fresh)),))
        value = self.make.of(scope, kind, 2)
        if kind in (INT, STR) and self.chance.random() < 0.1:
            value = node(
                "cond",
                kind,
                self.make.test(scope, 0),
                self.make.of(scope, kind, 0),
                self.make.of(scope, kind, 0),
            )
        return Stmt(kind="return", exprs=(value,))

    def function(self, *, scope: Scope | None = None, returns: Type | None = None) -> Function:
        """A whole function."""
        chance = self.chance
        scope = Scope() if scope is None else scope
        self.returns = returns or chance.choices(_RETURNS, _RETURN_WEIGHTS)[0]
        count = chance.choices(
            (0, 1, 2, 3), (0.02, 4, 4, 1.2) if scope.variables == [] else (4, 4, 1, 0)
        )[0]
        kinds = chance.choices(_PARAM_TYPES, _PARAM_WEIGHTS, k=count)
        name = self.names.function()
        params = []
        for kind in kinds:
            param = Param(name=self.names.fresh(name_kind(kind)), type=kind)
            params.append(param)
            scope.add(Variable(name=param.name, type=kind, mutable=False))
        doc = ""
        if chance.random() < 0.4:
            doc = chance.choice(_DOC).format(
                name.replace("_", " "), params[0].name.replace("_", " ") if params else "all"
            )
        body = tuple(self.whole_body(scope))
        return Function(name=name, params=tuple(params), returns=self.returns, body=body, doc=doc)

    def whole_body(self, scope: Scope) -> Block:
        chance, stmts = self.chance, Block()
        if chance.random() < 0.22:
            stmts.append(self.guard(scope))
        roll = chance.random()
        if self.size <= 1 and roll < 0.5:
            if chance.random() < 0.6:
                stmts += self.special(scope)
            return [*stmts, self.result(scope)]
        if self.returns.inner or roll < 0.8:
            stmts.append(self.declare(scope, self.returns, self.start_value(self.returns)))
        if chance.random() < 0.3:
            kind = chance.choice((INT, INT, BOOL, STR, INTS, set_of(INT), COUNTS))
            stmts.append(self.declare(scope, kind, self.start_value(kind)))
        for _ in range(max(1, self.size - 1)):
            roll = chance.random()
            if roll < 0.55:
                stmts += self.loop(scope, min(self.size, 2))
            elif roll < 0.75:
                stmts += self.special(scope)
            elif roll < 0.9:
                stmts += self.branch(scope, 1, in_loop=False)
            else:
                stmts += self.step(scope, 1, in_loop=False)
        return [*stmts, self.result(scope)]

    def guard(self, scope: Scope) -> Stmt:
        """An early return, or an error for a bad argument."""
        test = self.make.test(scope, 0)
        stmt = self.result(scope.inner(), plain=True)
        if self.chance.random() < 0.15:
            stmt = Stmt(
                kind="fail",
                value=self.chance.choice(("bad value", "must not be empty", "out of range")),
            )
        return Stmt(kind="if", exprs=(test,), blocks=((stmt,),))
