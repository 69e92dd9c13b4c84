"""Writes a unit of the typed tree in one language; what all five share."""

from __future__ import annotations

import random
from collections.abc import Callable

from recipes.nano_translate.expression_forms import FORMS, type_name
from recipes.nano_translate.naming import camel, snake
from recipes.nano_translate.program import ClassUnit, Expr, Function, Stmt, Type, Unit

Lines = list[str]
Rewrite = Callable[[str, str], str]


def _as_is(_kind: str, text: str) -> str:
    return text


class Emitter:
    """One language. `rewrite` may replace what is copied by placeholders: (kind, text) -> text.

    `style` varies the surface, as authors do; None gives the canonical form, the one that
    translations are taught.
    """

    language = ""
    indent = "    "
    true, false = "true", "false"
    self_word = "this"
    end = ";"

    def __init__(self, rewrite: Rewrite = _as_is, style: random.Random | None = None) -> None:
        """See the class."""
        self.rewrite = rewrite
        self.style = style
        self._flags: dict[str, bool] = {}
        self._events = 0
        self._doc_event = 0
        # How a translation is written before `glm_codegen.translation.class_fields` has put it
        # together: fields beside their assignments; what Go's constructor returns, line by line.
        self.late_fields = self.in_pieces = False

    # events: places in the tree, in order, the same for every language

    def tick(self) -> int:
        """The next event."""
        self._events += 1
        return self._events

    @staticmethod
    def tag(line: str, event: int) -> str:
        """A line that knows its event."""
        return line if "\0" in line or not line else f"{line}\0{event}"

    def tagged(self, lines: Lines, head: int, end: int) -> Lines:
        """Lines of a node: those before nested ones are its head, those after them its end."""
        nested = [at for at, line in enumerate(lines) if "\0" in line]
        first, last = (nested[0], nested[-1]) if nested else (len(lines), len(lines))
        found = []
        for at, line in enumerate(lines):
            event = head if at < first else end
            if first < at < last and "\0" not in line:
                following = next(other for other in lines[at:] if "\0" in other)
                event = int(following.rsplit("\0", 1)[1]) - 1
            found.append(self.tag(line, event))
        return found

    def preset(self, flags: dict[str, bool]) -> None:
        """Fix variants for the next unit."""
        self._preset = flags

    _preset: dict[str, bool] = {}  # noqa: RUF012

    def varied(self, flag: str, share: float) -> bool:
        """Whether this unit is written in a variant; the same answer for a whole unit."""
        if self.style is None:
            return False
        if flag not in self._flags:
            self._flags[flag] = self.style.random() < share
        return self._flags[flag]

    def name(self, name: str) -> str:
        """A name in this language's convention."""
        if name[:1].isupper():
            return self.rewrite("name", name)
        written = snake(name) if self.language in ("python", "cpp") else camel(name)
        return self.rewrite("name", written)

    def type(self, kind: Type) -> str:
        """A type as written."""
        return type_name(kind, self.language)

    def text(self, content: str) -> str:
        """A text literal."""
        return f'"{self.rewrite("text", content) if content else ""}"'

    def char(self, content: str) -> str:
        """A character literal."""
        return f"'{self.rewrite('text', content)}'"

    def real(self, value: float) -> str:
        """A float literal."""
        written = repr(float(value))
        return written if len(written) <= 3 else self.rewrite("real", written)

    def whole(self, value: int) -> str:
        """An int literal."""
        written = str(abs(value))
        body = written if len(written) < 3 else self.rewrite("whole", written)
        return f"-{body}" if value < 0 else body

    # expressions

    def expr(self, expr: Expr, level: int = 0) -> str:
        """An expression, in parentheses where it binds less than `level`."""
        written, own = self.bare(expr)
        return f"({written})" if own < level else written

    def bare(self, expr: Expr) -> tuple[str, int]:
        """An expression and its precedence."""
        kind, value = expr.kind, expr.value
        if kind == "int":
            assert isinstance(value, int)
            return self.whole(value), 13 if value >= 0 else 10
        if kind == "float":
            assert isinstance(value, float)
            return self.real(value), 13
        if kind == "bool":
            return (self.true if value else self.false), 13
        if kind == "str":
            return self.text(str(value)), 13
        if kind == "char":
            return self.char(str(value)), 13
        if kind == "name":
            return self.name(str(value)), 13
        if kind == "field":
            return f"{self.self_word}{self.access}{self.name(str(value))}", 12
        if kind == "call":
            return f"{self.name(str(value))}({self.arguments(expr.args)})", 12
        if kind == "own_call":
            return (
                f"{self.self_word}{self.access}{self.name(str(value))}({self.arguments(expr.args)})",
                12,
            )
        if kind in ("new_list", "new_map", "new_set"):
            return self.new_holder(expr.type), 12
        if kind == "list":
            return self.list_literal(expr), 12
        if kind == "fill":
            return self.fill(expr), 12
        if kind == "format":
            return self.format(expr)
        return self.form(expr)

    access = "."

    def arguments(self, args: tuple[Expr, ...]) -> str:
        """Arguments of a call."""
        return ", ".join(self.expr(arg) for arg in args)

    def form(self, expr: Expr) -> tuple[str, int]:
        """An expression from the table."""
        template, own, levels = FORMS[expr.kind][self.language]
        written = [
            self.expr(arg, levels[at] if at < len(levels) else 0)
            for at, arg in enumerate(expr.args)
        ]
        return template.format(*written), own

    def new_holder(self, kind: Type) -> str:
        raise NotImplementedError

    def list_literal(self, expr: Expr) -> str:
        raise NotImplementedError

    def fill(self, expr: Expr) -> str:
        raise NotImplementedError

    def format(self, expr: Expr) -> tuple[str, int]:
        raise NotImplementedError

    # statements

    def block(self, stmts: tuple[Stmt, ...]) -> Lines:
        """Statements, indented once."""
        self.tick()
        return [self.indent + line for stmt in stmts for line in self.stmt(stmt)]

    def stmt(self, stmt: Stmt) -> Lines:
        """Lines of one statement."""
        writer: Callable[[Stmt], Lines] = getattr(self, f"stmt_{stmt.kind}")
        head = self.tick()
        lines = writer(stmt)
        return self.tagged(lines, head, self.tick())

    def unit(self, unit: Unit) -> str:
        """A whole unit as text."""
        return "\n".join(line for line, _ in self.events(unit))

    def events(self, unit: Unit) -> list[tuple[str, int]]:
        """Lines with the events that they belong to."""
        self._flags, self._events = dict(self._preset), 0
        lines = self.class_unit(unit) if isinstance(unit, ClassUnit) else self.whole_function(unit)
        found = []
        for line in lines:
            text, _, event = line.partition("\0")
            found.append((text, int(event or 0)))
        return found

    def whole_function(self, function: Function, *, method: bool = False, owner: str = "") -> Lines:
        """A function with its events."""
        self._doc_event = self.tick()
        head = self.tick()
        lines = self.function(function, method=method, owner=owner)
        return self.tagged_after_doc(lines, head, self.tick())

    def tagged_after_doc(self, lines: Lines, head: int, end: int) -> Lines:
        """As `tagged`; a doc comment's tag does not make what follows it nested."""
        mark = f"\0{self._doc_event}"
        docs = {at for at, line in enumerate(lines) if line.endswith(mark)}
        rest = self.tagged([line for at, line in enumerate(lines) if at not in docs], head, end)
        for at in sorted(docs):
            rest.insert(at, lines[at])
        return rest

    def doc_line(self, line: str) -> str:
        """A line of a doc comment."""
        return self.tag(line, self._doc_event)

    def function(self, function: Function, *, method: bool = False, owner: str = "") -> Lines:
        raise NotImplementedError

    def class_unit(self, unit: ClassUnit) -> Lines:
        raise NotImplementedError

    def target(self, stmt: Stmt) -> str:
        """What an assignment writes to: a name or a field."""
        return self.expr(stmt.exprs[0], 12)

    def stmt_assign(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)} = {self.expr(stmt.exprs[1])}{self.end}"]

    def stmt_aug(self, stmt: Stmt) -> Lines:
        """`value` is the operator."""
        target, amount = self.target(stmt), stmt.exprs[1]
        sign = str(stmt.value)
        if sign == "//":
            return self.halve(stmt)
        written = (
            f"string({self.expr(amount)})"
            if (
                self.language == "go"
                and amount.type.name == "char"
                and stmt.exprs[0].type.name == "str"
            )
            else self.expr(amount)
        )
        if self.varied("long_form", 0.15) and sign in "+-*":
            return [
                f"{target} = {target} {sign} {self.expr(amount, 9) if written == self.expr(amount) else written}{self.end}"
            ]
        one = amount.kind == "int" and amount.value == 1 and sign in "+-"
        if one and self.language != "python" and not self.varied("no_increment", 0.2):
            return [f"{target}{sign * 2}{self.end}"]
        return [f"{target} {sign}= {written}{self.end}"]

    def halve(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)} /= {self.expr(stmt.exprs[1])}{self.end}"]

    def stmt_return(self, stmt: Stmt) -> Lines:
        if not stmt.exprs:
            return [f"return{self.end}"]
        return [f"return {self.expr(stmt.exprs[0])}{self.end}"]

    def stmt_break(self, _stmt: Stmt) -> Lines:
        return [f"break{self.end}"]

    def stmt_continue(self, _stmt: Stmt) -> Lines:
        return [f"continue{self.end}"]

    def stmt_expr(self, stmt: Stmt) -> Lines:
        return [f"{self.expr(stmt.exprs[0])}{self.end}"]

    comment_sign = "//"

    def stmt_comment(self, stmt: Stmt) -> Lines:
        return [f"{self.comment_sign} {self.rewrite('comment', str(stmt.value))}"]
