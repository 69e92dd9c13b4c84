"""Random expressions of a wanted type from what is in scope."""

from __future__ import annotations

import random

from recipes.nano_translate.program import BOOL, CHAR, FLOAT, INT, STR, Expr, Type
from recipes.nano_translate.scope import Scope, Variable

_TEXTS = [
    "item,",
    "total:",
    "ok",
    "none",
    "-",
    "/",
    "yes",
    "no",
    "empty",
    "even",
    "odd",
    "high",
    "low",
    "start",
    "end",
    "left",
    "right",
    "big",
    "small",
    "pass",
    "fail",
    "error",
    "warning",
    "done",
    "...",
    "(missing)",
    "unknown",
    "n/a",
    "on",
    "off",
    "up",
    "down",
    "first",
    "last",
]
_CHARS = list("abcdeiouxyz0159-_. #")
_WHOLE = (
    0,
    1,
    1,
    2,
    2,
    2,
    3,
    3,
    4,
    5,
    5,
    6,
    7,
    8,
    9,
    10,
    10,
    12,
    15,
    20,
    25,
    50,
    99,
    100,
    255,
    1000,
)
_REAL = (0.5, 1.0, 1.5, 2.0, 0.1, 0.25, 0.75, 2.5, 3.14, 10.0, 100.0, 9.81, 0.01, 1.8, 32.0)


def node(kind: str, type_: Type, *args: Expr, value: object = None) -> Expr:
    """Short constructor."""
    return Expr(kind=kind, type=type_, args=args, value=value)


def whole(value: int) -> Expr:
    """An int literal."""
    return node("int", INT, value=value)


class Expressions:
    """Draws expressions."""

    def __init__(self, chance: random.Random) -> None:
        """One stream of chance for a unit."""
        self.chance = chance

    def pick(self, scope: Scope, kind: Type) -> Expr | None:
        """A variable of a type, read."""
        found = scope.of(kind)
        return scope.read(self.chance.choice(found)) if found else None

    def of(self, scope: Scope, kind: Type, depth: int = 1) -> Expr:
        """An expression of a type."""
        if kind == INT:
            return self.whole(scope, depth)
        if kind == FLOAT:
            return self.real(scope, depth)
        if kind == BOOL:
            return self.test(scope, depth)
        if kind == STR:
            return self.text(scope, depth)
        if kind == CHAR:
            return self.char(scope)
        found = self.pick(scope, kind)
        if found is not None:
            return found
        return node(f"new_{kind.name}", kind)

    def literal_text(self) -> Expr:
        """A text literal."""
        return node("str", STR, value=self.chance.choice(_TEXTS))

    def small(self, low: int = 1, high: int = 10) -> Expr:
        """A small positive literal."""
        return whole(self.chance.randint(low, high))

    def lists(self, scope: Scope) -> list[Variable]:
        """Lists in scope."""
        return [v for v in scope.variables if v.type.name == "list"]

    def elements(self, scope: Scope, kind: Type) -> list[Expr]:
        """Elements that may be read safely: a list or text at an index that fits."""
        found = []
        for variable in scope.variables:
            if not variable.indexes:
                continue
            for holder in scope.variables:
                if holder.name != variable.indexes:
                    continue
                if holder.type.name == "list" and holder.type.inner[0] == kind:
                    found.append(node("at", kind, holder.expr, variable.expr))
                elif holder.type == STR and kind == CHAR:
                    found.append(node("char_at", CHAR, holder.expr, variable.expr))
        return found

    def atom(self, scope: Scope, kind: Type) -> Expr | None:
        """A variable or an element."""
        elements = self.elements(scope, kind)
        if elements and (not scope.of(kind) or self.chance.random() < 0.5):
            chosen = self.chance.choice(elements)
            for arg in chosen.args:
                scope.reads[str(arg.value)] = scope.reads.get(str(arg.value), 0) + 1
            return chosen
        return self.pick(scope, kind)

    def whole(self, scope: Scope, depth: int) -> Expr:
        chance = self.chance
        roll = chance.random()
        if depth <= 0 or roll < 0.35:
            atom = self.atom(scope, INT)
            if atom is not None and chance.random() < 0.8:
                return atom
            return whole(chance.choice(_WHOLE))
        if roll < 0.72:
            return self.arithmetic(scope, depth)
        options: list[Expr] = []
        for variable in scope.variables:
            name = variable.type.name
            if name == "list":
                options.append(node("list_len", INT, variable.expr))
            elif variable.type == STR:
                options.append(node("str_len", INT, variable.expr))
            elif name == "map":
                options.append(node("map_len", INT, variable.expr))
            elif name == "set":
                options.append(node("set_len", INT, variable.expr))
            elif variable.type == CHAR and chance.random() < 0.4:
                options.append(node("ord", INT, variable.expr))
        if options and chance.random() < 0.6:
            chosen = chance.choice(options)
            name = str(chosen.args[0].value)
            scope.reads[name] = scope.reads.get(name, 0) + 1
            return chosen
        kind = chance.choice(("min2", "max2", "abs"))
        left = self.whole(scope, depth - 1)
        if kind == "abs":
            return node("abs", INT, node("sub", INT, self._leaf(scope), self._leaf(scope)))
        return node(kind, INT, left, self.whole(scope, 0))

    def _leaf(self, scope: Scope) -> Expr:
        return self.atom(scope, INT) or self.small()

    def arithmetic(self, scope: Scope, depth: int) -> Expr:
        """A sum, difference, product, quotient or remainder."""
        chance = self.chance
        kind = chance.choices(("add", "sub", "mul", "idiv", "mod"), (5, 3, 4, 1.2, 1.5))[0]
        left = self._leaf(scope) if chance.random() < 0.75 else self.whole(scope, depth - 1)
        if left.kind == "int" and kind in ("idiv", "mod"):
            left = self._leaf(scope)
        if kind in ("idiv", "mod"):
            return node(kind, INT, left, self.small(2, 10))
        right = (
            whole(chance.choice(_WHOLE[1:20]))
            if chance.random() < 0.5
            else self.whole(scope, depth - 1)
        )
        if left.kind == "int" and right.kind == "int":
            left = self._leaf(scope)
        return node(kind, INT, left, right)

    def real(self, scope: Scope, depth: int) -> Expr:
        chance = self.chance
        roll = chance.random()
        atom = self.atom(scope, FLOAT)
        if depth <= 0 or roll < 0.3:
            if atom is not None and chance.random() < 0.8:
                return atom
            return node("float", FLOAT, value=chance.choice(_REAL))
        if roll < 0.8:
            kind = chance.choices(("add", "sub", "mul", "fdiv"), (4, 3, 5, 2))[0]
            left = self.real(scope, depth - 1)
            if kind == "fdiv":
                return node(
                    kind,
                    FLOAT,
                    left,
                    node("float", FLOAT, value=chance.choice((2.0, 4.0, 1.5, 10.0, 100.0))),
                )
            return node(kind, FLOAT, left, self.real(scope, 0))
        ints = scope.of(INT)
        if ints and roll < 0.86:
            left = scope.read(self.chance.choice(ints))
            lists = self.lists(scope)
            right = self.small(2, 9)
            if lists and self.chance.random() < 0.5:
                right = node("list_len", INT, scope.read(self.chance.choice(lists)))
            return node("ratio", FLOAT, left, right)
        if ints and roll < 0.92:
            return node("to_float", FLOAT, scope.read(chance.choice(ints)))
        if atom is not None:
            return (
                node("sqrt", FLOAT, node("fabs", FLOAT, atom))
                if roll > 0.96
                else node("fabs", FLOAT, atom)
            )
        return node("float", FLOAT, value=chance.choice(_REAL))

    def compare(self, scope: Scope, depth: int) -> Expr:
        """A comparison of numbers or characters or texts."""
        chance = self.chance
        options = [k for k in (INT, FLOAT, CHAR, STR) if self.atom_exists(scope, k)]
        weights = [{"int": 6, "float": 3, "char": 4, "str": 1.5}[k.name] for k in options]
        kind = chance.choices(options, weights)[0] if options else INT
        if kind == CHAR:
            left = self.atom(scope, CHAR)
            assert left is not None
            other = self.atom(scope, CHAR) if chance.random() < 0.25 else None
            if other is None or other == left:
                other = self.char_literal()
            return node(chance.choice(("eq", "eq", "ne")), BOOL, left, other)
        if kind == STR:
            left = self.atom(scope, STR)
            assert left is not None
            return node(
                chance.choice(("str_eq", "str_eq", "str_ne")), BOOL, left, self.literal_text()
            )
        sign = chance.choice(("lt", "le", "gt", "ge", "eq", "ne", "gt", "lt"))
        if kind == FLOAT:
            sign = chance.choice(("lt", "le", "gt", "ge"))
            return node(
                sign, BOOL, self.atom(scope, FLOAT) or self.real(scope, 0), self.real(scope, 0)
            )
        left = self.atom(scope, INT) or self.whole(scope, depth)
        if chance.random() < 0.3:
            divisor = self.small(2, 7)
            left = node("mod", INT, left, divisor)
            return node(chance.choice(("eq", "eq", "ne")), BOOL, left, whole(chance.randint(0, 2)))
        right = self.whole(scope, 0)
        if right == left or (left.kind == "int" and right.kind == "int"):
            right = self.small()
        return node(sign, BOOL, left, right)

    def atom_exists(self, scope: Scope, kind: Type) -> bool:
        """Whether a variable or an element of a type is there."""
        return bool(scope.of(kind) or self.elements(scope, kind))

    def char_literal(self) -> Expr:
        """A character literal."""
        return node("char", CHAR, value=self.chance.choice(_CHARS))

    def test(self, scope: Scope, depth: int) -> Expr:
        chance = self.chance
        roll = chance.random()
        if depth > 0 and roll < 0.22:
            kind = chance.choice(("and", "and", "or"))
            return node(kind, BOOL, self.test(scope, 0), self.test(scope, 0))
        special = self.special_tests(scope)
        if special and roll < 0.55:
            chosen = chance.choice(special)
            self._count(scope, chosen)
            if chance.random() < 0.2 and chosen.kind not in (
                "is_digit",
                "is_upper",
                "is_alpha",
                "char_range",
            ):
                return node("not", BOOL, chosen)
            return chosen
        flags = scope.of(BOOL)
        if flags and roll < 0.65:
            flag = scope.read(chance.choice(flags))
            return node("not", BOOL, flag) if chance.random() < 0.4 else flag
        return self.compare(scope, depth)

    def _count(self, scope: Scope, expr: Expr) -> None:
        if expr.kind == "name":
            scope.reads[str(expr.value)] = scope.reads.get(str(expr.value), 0) + 1
        for arg in expr.args:
            self._count(scope, arg)

    def special_tests(self, scope: Scope) -> list[Expr]:
        """Tests on texts, lists, sets and characters."""
        found: list[Expr] = []
        texts, chars = scope.of(STR), scope.of(CHAR)
        for variable in scope.variables:
            if variable.type == STR:
                kind = self.chance.choice(("starts", "ends", "str_has"))
                found.append(node(kind, BOOL, variable.expr, self.literal_text()))
            elif variable.type == CHAR:
                kind = self.chance.choice(("is_digit", "is_alpha", "is_upper", "char_in", "range"))
                if kind == "range":
                    low, high = self.chance.choice(("az", "AZ", "09", "am", "nz"))
                    ends = (node("char", CHAR, value=low), node("char", CHAR, value=high))
                    found.append(node("char_range", BOOL, variable.expr, *ends))
                    continue
                if kind == "char_in":
                    source = (
                        texts[0].expr
                        if texts and self.chance.random() < 0.3
                        else node("str", STR, value="aeiou")
                    )
                    found.append(node(kind, BOOL, source, variable.expr))
                else:
                    found.append(node(kind, BOOL, variable.expr))
            elif variable.type.name in ("list", "set"):
                inner = variable.type.inner[0]
                if inner.inner:
                    continue
                if variable.type.name == "list" and self.chance.random() < 0.35:
                    found.append(node("empty", BOOL, variable.expr))
                    continue
                others = [v for v in scope.of(inner) if v.name != variable.name]
                if (
                    others
                    and inner in (INT, STR, CHAR)
                    and not (inner == CHAR and variable.type.name == "list")
                ):
                    found.append(
                        node(
                            f"{variable.type.name}_has",
                            BOOL,
                            variable.expr,
                            self.chance.choice(others).expr,
                        )
                    )
        del chars
        return found

    def char(self, scope: Scope) -> Expr:
        return self.atom(scope, CHAR) or self.char_literal()

    def text(self, scope: Scope, depth: int) -> Expr:
        chance = self.chance
        roll = chance.random()
        atom = self.atom(scope, STR)
        if depth <= 0 or roll < 0.3:
            return atom if atom is not None and chance.random() < 0.75 else self.literal_text()
        if roll < 0.5 and atom is not None:
            other = self.literal_text() if chance.random() < 0.6 else self.text(scope, 0)
            if chance.random() < 0.4 and other.kind == "str":
                return node("concat", STR, other, atom)
            return node("concat", STR, atom, other)
        if roll < 0.7:
            return self.format(scope)
        ints = scope.of(INT)
        if ints and roll < 0.85:
            return node("int_str", STR, scope.read(chance.choice(ints)))
        return atom if atom is not None else self.literal_text()

    def format(self, scope: Scope) -> Expr:
        """A text with values in it; it starts with a text, so that Java's `+` joins."""
        parts: list[Expr] = [self.literal_text()]
        for _ in range(self.chance.choice((1, 1, 2))):
            found = self.pick(scope, self.chance.choice((INT, STR, INT)))
            if found is None:
                continue
            if parts[-1].kind != "str":
                parts.append(self.literal_text())
            parts.append(found)
        if len(parts) == 1:
            return parts[0]
        if self.chance.random() < 0.25:
            parts.append(self.literal_text())
        # C++ cannot add two text literals; a text between makes no difference elsewhere.
        return node("format", STR, *parts)
