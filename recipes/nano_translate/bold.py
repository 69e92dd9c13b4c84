"""Forms that common code is full of, but that only right inputs keep from failing.

An index one further, a divisor that is a variable, a loop that ends because its author knows so.
The cautious generator leaves them out, because its programs are run; those that only train are
not, so they may hold them. Held-out programs never do: they stay comparable and all of them run.
"""

from __future__ import annotations

from collections.abc import Callable

from recipes.nano_translate.expressions import Expressions, node, whole
from recipes.nano_translate.generator import FLOATS, INTS, TEXTS, Block, FunctionWriter
from recipes.nano_translate.program import BOOL, CHAR, FLOAT, INT, STR, Expr, Stmt, Type, list_of
from recipes.nano_translate.scope import Scope, Variable

_SIGNS = ("lt", "le", "gt", "ge", "eq", "ne")


class BoldExpressions(Expressions):
    """Expressions that may fail on some inputs."""

    def elements(self, scope: Scope, kind: Type) -> list[Expr]:
        """Also elements at an index near a variable, at the middle, and of rows."""
        found = super().elements(scope, kind)
        if self.chance.random() < 0.6:
            return found
        for holder in scope.variables:
            if holder.type == STR and kind == CHAR:
                found.append(node("char_at", CHAR, holder.expr, self.index(scope, holder)))
            elif holder.type.name == "list" and holder.type.inner[0] == kind:
                found.append(node("at", kind, holder.expr, self.index(scope, holder)))
            elif holder.type == list_of(list_of(kind)):
                row = node("at", holder.type.inner[0], holder.expr, self.index(scope, holder))
                found.append(node("at", kind, row, self.index(scope, holder)))
            elif holder.type.name == "map" and holder.type.inner[1] == kind == INT:
                keys = scope.of(holder.type.inner[0])
                if keys:
                    form = self.chance.choice(("map_or", "map_get"))
                    found.append(node(form, INT, holder.expr, self.chance.choice(keys).expr))
        return found

    def atom_exists(self, scope: Scope, kind: Type) -> bool:
        """Whether a variable or an element is there whatever chance says."""
        return bool(scope.of(kind) or super().elements(scope, kind))

    def index(self, scope: Scope, holder: Variable) -> Expr:
        """A place in a list or a text."""
        chance, size = self.chance, self.size(holder)
        ints = scope.of(INT)
        roll = chance.random()
        if ints and roll < 0.75:
            at = chance.choice(ints).expr
            if roll < 0.4:
                return at
            return node(chance.choice(("sub", "add")), INT, at, whole(1))
        if roll < 0.85:
            return whole(chance.choice((0, 0, 1)))
        return node("sub", INT, size, chance.choice([whole(1), whole(1), *(v.expr for v in ints)]))

    def size(self, holder: Variable) -> Expr:
        """How long a list or a text is."""
        return node("str_len" if holder.type == STR else "list_len", INT, holder.expr)

    def whole(self, scope: Scope, depth: int) -> Expr:
        """Also what characters count, negation, rests by a variable, a middle."""
        chance = self.chance
        if depth <= 0 or chance.random() > 0.2:
            return super().whole(scope, depth)
        options: list[Expr] = []
        ints, chars = scope.of(INT), scope.of(CHAR)
        if chars:
            char = chance.choice(chars).expr
            first = node("char", CHAR, value=chance.choice("aaA0"))
            code = node("sub", INT, node("ord", INT, char), node("ord", INT, first))
            options += [node("digit_of", INT, char), code]
        if ints:
            one, other = chance.choice(ints).expr, chance.choice(ints).expr
            options.append(node("neg", INT, one))
            if one != other:
                middle = node("idiv", INT, node("add", INT, one, other), whole(2))
                apart = node("sub", INT, one, other)
                options += [node("mod", INT, one, other), node("idiv", INT, one, other), middle,
                            node("mul", INT, node("add", INT, one, whole(1)), other), apart]  # fmt: skip
        for variable in scope.variables:
            if variable.type == INTS or variable.type == STR:
                size = self.size(variable)
                options.append(node("sub", INT, size, whole(1)))
                options.append(node("idiv", INT, size, whole(2)))
            if variable.type == INTS and chance.random() < 0.4:
                options.append(node(chance.choice(("list_max", "list_min", "last")), INT, variable.expr))  # fmt: skip
        return chance.choice(options) if options else super().whole(scope, depth)

    def compare(self, scope: Scope, depth: int) -> Expr:
        """Also of two computed sides, and divisibility by a variable."""
        chance, ints = self.chance, scope.of(INT)
        if not ints or chance.random() > 0.3:
            return super().compare(scope, depth)
        one, other = chance.choice(ints).expr, self.whole(scope, 0)
        if chance.random() < 0.3 and other.kind == "name" and other != one:
            rest = node("mod", INT, one, other)
            return node(chance.choice(("eq", "eq", "ne")), BOOL, rest, whole(0))
        kind = chance.choice(("add", "sub", "mul", "mul"))
        left = node(kind, INT, one, one if kind == "mul" and chance.random() < 0.5 else other)
        right = self.whole(scope, 1 if chance.random() < 0.3 else 0)
        if left.args[0] == left.args[1] and kind == "sub":
            left = one
        return node(chance.choice(_SIGNS), BOOL, left, right)

    def special_tests(self, scope: Scope) -> list[Expr]:
        """Also whether a text is empty."""
        found = super().special_tests(scope)
        found += [node("str_empty", BOOL, v.expr) for v in scope.of(STR)[:1]]
        return found

    def text(self, scope: Scope, depth: int) -> Expr:
        """Also parts of texts."""
        chance, texts = self.chance, scope.of(STR)
        if depth <= 0 or not texts or chance.random() > 0.3:
            return super().text(scope, depth)
        held = chance.choice(texts)
        kind = chance.choice(("head", "tail", "substr"))
        at = self.index(scope, held) if chance.random() < 0.6 else self.small(1, 3)
        if kind != "substr":
            part = node(kind, STR, held.expr, at)
        else:
            part = node(kind, STR, held.expr, at, node("add", INT, at, self.small(1, 3)))
        if chance.random() < 0.25:
            part = node("concat", STR, part, chance.choice(texts).expr)
        return part

    def real(self, scope: Scope, depth: int) -> Expr:
        """Also powers and quotients of two variables."""
        chance, reals = self.chance, scope.of(FLOAT)
        if depth <= 0 or not reals or chance.random() > 0.15:
            return super().real(scope, depth)
        one, other = chance.choice(reals).expr, chance.choice(reals).expr
        if one != other:
            return node(chance.choice(("fdiv", "sub", "mul")), FLOAT, one, other)
        return node("fpow", FLOAT, one, node("float", FLOAT, value=2.0))


class BoldWriter(FunctionWriter):
    """Statements as common code has them."""

    make: Expressions

    def __init__(self, *args: object, size: int = 2) -> None:
        """As `FunctionWriter`, with bold expressions."""
        super().__init__(*args, size=size)  # type: ignore[arg-type]
        self.make = BoldExpressions(self.chance)

    def counted(self, scope: Scope, depth: int) -> Block:
        """Also between two computed bounds."""
        chance, ints = self.chance, scope.of(INT)
        if chance.random() < 0.4:
            return super().counted(scope, depth)
        inner = scope.inner()
        first: Expr = whole(chance.choice((0, 1, 2)))
        if ints and chance.random() < 0.4:
            first = chance.choice(ints).expr
            if chance.random() < 0.5:
                first = node("add", INT, first, whole(1))
        last = self.make.whole(scope, 1)
        value = chance.choices(("up", "upto", "down"), (4, 3, 1))[0]
        exprs = (last, first) if value == "down" else (first, last)
        name = self.loop_name(inner, "loop", INT)
        return self.looped(
            Stmt(kind="range", names=(name,), exprs=exprs, value=value), inner, depth
        )

    def loop(self, scope: Scope, depth: int) -> Block:
        """Also a `while` whose end only its author knows."""
        changing = [v for v in scope.of(INT) if v.mutable]
        if changing and self.chance.random() < 0.25:
            return self.while_any(scope, depth, self.chance.choice(changing))
        return super().loop(scope, depth)

    def while_any(self, scope: Scope, depth: int, variable: Variable) -> Block:
        """`while` a comparison holds, with a change of what it compares at its end."""
        chance = self.chance
        test = self.make.compare(scope, 0)
        if chance.random() < 0.3:
            test = node("and", BOOL, test, self.make.compare(scope, 0))
        elif chance.random() < 0.12:
            test = node("bool", BOOL, value=True)
        inner = scope.inner()
        body = self.body(inner, depth, in_loop=True)
        sign = chance.choice(("+", "+", "-", "*", "//"))
        amount = whole(chance.choice((2, 2, 3, 10))) if sign in "*//" else self.make.whole(scope, 0)
        step = Stmt(kind="aug", exprs=(variable.expr, amount), value=sign)
        order = [*body, step] if chance.random() < 0.7 else [step, *body]
        return [Stmt(kind="while", exprs=(test,), blocks=(tuple(order),))]

    def step(self, scope: Scope, depth: int, *, in_loop: bool) -> Block:
        """Also early returns, literal lists and changes in place."""
        chance = self.chance
        roll = chance.random()
        if roll < 0.08:
            return self.chain(scope)
        if roll < 0.14:
            return self.listed(scope)
        if roll < 0.24:
            return self.in_place(scope) or super().step(scope, depth, in_loop=in_loop)
        return super().step(scope, depth, in_loop=in_loop)

    def special(self, scope: Scope) -> Block:
        """Also the forms of `step`."""
        roll = self.chance.random()
        if roll < 0.2:
            return self.chain(scope)
        if roll < 0.3:
            return self.listed(scope)
        return super().special(scope)

    def chain(self, scope: Scope) -> Block:
        """One early return after another, or one `if` with many branches that return."""
        chance, count = self.chance, self.chance.choice((1, 2, 2, 3))
        tests = [self.make.test(scope, 1) for _ in range(count)]
        ends = [(self.result(scope.inner()),) for _ in tests]
        if chance.random() < 0.5:
            return [Stmt(kind="if", exprs=(t,), blocks=(e,)) for t, e in zip(tests, ends, strict=True)]  # fmt: skip
        return [Stmt(kind="if", exprs=tuple(tests), blocks=tuple(ends))]

    def listed(self, scope: Scope) -> Block:
        """A list of literals."""
        chance = self.chance
        kind = chance.choice((INTS, INTS, TEXTS, FLOATS))
        inner = kind.inner[0]
        draw: dict[Type, Callable[[], Expr]] = {
            INT: lambda: whole(chance.randint(0, 50)),
            STR: self.make.literal_text,
            FLOAT: lambda: node("float", FLOAT, value=chance.choice((0.5, 1.0, 1.5, 2.5))),
        }
        items = tuple(draw[inner]() for _ in range(chance.choice((2, 3, 4))))
        made = Expr(kind="list", type=kind, args=items)
        return [self.declare(scope, kind, made, mutable=chance.random() < 0.4)]

    def in_place(self, scope: Scope) -> Block:
        """A change of a list's element or order, a flag that follows from a test, a rest kept."""
        chance, make = self.chance, self.make
        options: list[Stmt] = []
        for variable in scope.variables:
            held = variable.expr
            if variable.type == INTS and isinstance(make, BoldExpressions):
                at = make.index(scope, variable)
                options.append(Stmt(kind="set_at", exprs=(held, at, make.whole(scope, 1))))
                other = make.index(scope, variable)
                if at != other:
                    options.append(Stmt(kind="swap", exprs=(held, at, other)))
                options.append(Stmt(kind=chance.choice(("sort", "reverse")), exprs=(held,)))
            elif variable.type == BOOL and variable.mutable:
                options.append(Stmt(kind="assign", exprs=(held, make.test(scope, 1))))
            elif variable.type == INT and variable.mutable and not variable.indexes:
                sign = chance.choice(("%", "*", "//"))
                options.append(Stmt(kind="aug", exprs=(held, make.small(2, 10)), value=sign))
                options.append(Stmt(kind="assign", exprs=(held, make.whole(scope, 2))))
        return [chance.choice(options)] if options else []


__all__ = ["BoldExpressions", "BoldWriter"]
