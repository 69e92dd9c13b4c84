"""The tree in Go."""

from __future__ import annotations

from recipes.nano_translate.emit_braces import BraceEmitter
from recipes.nano_translate.emitter import Lines
from recipes.nano_translate.program import ClassUnit, Expr, Function, Param, Stmt, Type


class GoEmitter(BraceEmitter):
    """Go 1.21 or newer: `min`, `max` and package slices are used."""

    language = "go"
    indent = "\t"
    self_word = "self"
    end = ""

    def head(self, word: str, inside: str) -> str:
        return f"{word} {inside} {{"

    def declare(self, name: str, kind: Type, value: str) -> str:
        return f"{self.name(name)} := {value}"

    def stmt_let(self, stmt: Stmt) -> Lines:
        value = stmt.exprs[0]
        if value.kind == "cond":
            test, yes, no = value.args
            name = self.name(stmt.names[0])
            return [f"{name} := {self.expr(no)}", f"if {self.expr(test)} {{",
                    f"{self.indent}{name} = {self.expr(yes)}", "}"]  # fmt: skip
        zero = value.kind == "int" and value.value == 0
        if zero and self.varied("var", 0.2):
            return [f"var {self.name(stmt.names[0])} int"]
        return super().stmt_let(stmt)

    def stmt_return(self, stmt: Stmt) -> Lines:
        if stmt.exprs and stmt.exprs[0].kind == "cond":
            test, yes, no = stmt.exprs[0].args
            return [f"if {self.expr(test)} {{", f"{self.indent}return {self.expr(yes)}", "}",
                    f"return {self.expr(no)}"]  # fmt: skip
        return super().stmt_return(stmt)

    def stmt_pair(self, stmt: Stmt) -> Lines:
        left, right = self.name(stmt.names[0]), self.name(stmt.names[1])
        return [f"{left}, {right} = {right}, {self.expr(stmt.exprs[0])}"]

    def condition(self, expr: Expr) -> str:
        inner = expr.args[0] if expr.kind == "not" else expr
        if inner.kind == "map_has":
            test = f"_, ok := {self.expr(inner.args[0], 12)}[{self.expr(inner.args[1])}]"
            return f"{test}; {'!' if expr.kind == 'not' else ''}ok"
        return self.expr(expr)

    def new_holder(self, kind: Type) -> str:
        return self.type(kind) + "{}"

    def list_literal(self, expr: Expr) -> str:
        return f"{self.type(expr.type)}{{{self.arguments(expr.args)}}}"

    def fill(self, expr: Expr) -> str:
        return f"make({self.type(expr.type)}, {self.expr(expr.args[1])})"

    def format(self, expr: Expr) -> tuple[str, int]:
        signs = {"int": "%d", "str": "%s", "char": "%c"}
        shown = [
            self.rewrite("text", str(p.value)) if p.kind == "str" else signs[p.type.name]
            for p in expr.args
        ]
        rest = "".join(f", {self.expr(part)}" for part in expr.args if part.kind != "str")
        return f'fmt.Sprintf("{"".join(shown)}"{rest})', 12

    def stmt_while(self, stmt: Stmt) -> Lines:
        return [f"for {self.expr(stmt.exprs[0])} {{", *self.block(stmt.blocks[0]), "}"]

    def stmt_range(self, stmt: Stmt) -> Lines:
        lines = super().stmt_range(stmt)
        return [lines[0].replace("for int ", "for ", 1).replace(" = ", " := ", 1), *lines[1:]]

    def loop(self, name: str, kind: Type, source: str) -> str:
        return f"for _, {self.name(name)} := range {source} {{"

    def stmt_each_key(self, stmt: Stmt) -> Lines:
        return [
            f"for {self.name(stmt.names[0])} := range {self.expr(stmt.exprs[0])} {{",
            *self.block(stmt.blocks[0]),
            "}",
        ]

    def stmt_each_pair(self, stmt: Stmt) -> Lines:
        key, value = self.name(stmt.names[0]), self.name(stmt.names[1])
        return [
            f"for {key}, {value} := range {self.expr(stmt.exprs[0])} {{",
            *self.block(stmt.blocks[0]),
            "}",
        ]

    stmt_enumerate = stmt_each_pair

    def push(self, holder: str, value: str) -> str:
        return f"{holder} = append({holder}, {value})"

    def stmt_pop(self, stmt: Stmt) -> Lines:
        held, name = self.expr(stmt.exprs[0], 12), self.name(stmt.names[0])
        return [f"{name} := {held}[len({held})-1]", f"{held} = {held}[:len({held})-1]"]

    def stmt_set_add(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)}[{self.expr(stmt.exprs[1])}] = true"]

    def stmt_swap(self, stmt: Stmt) -> Lines:
        held, i, j = (self.expr(expr) for expr in stmt.exprs)
        return [f"{held}[{i}], {held}[{j}] = {held}[{j}], {held}[{i}]"]

    def _sort(self, held: str, kind: Type) -> str:
        return f"sort.{'Strings' if kind.inner[0].name == 'str' else 'Ints'}({held})"

    def stmt_sort(self, stmt: Stmt) -> Lines:
        return [self._sort(self.expr(stmt.exprs[0]), stmt.exprs[0].type)]

    def stmt_sorted(self, stmt: Stmt) -> Lines:
        name, kind = self.name(stmt.names[0]), stmt.types[0]
        copied = f"{name} := append({self.type(kind)}{{}}, {self.expr(stmt.exprs[0])}...)"
        return [copied, self._sort(name, kind)]

    def stmt_reverse(self, stmt: Stmt) -> Lines:
        return [f"slices.Reverse({self.expr(stmt.exprs[0])})"]

    def stmt_sum(self, stmt: Stmt) -> Lines:
        name, each = (self.name(name) for name in stmt.names)
        return [f"{name} := 0", f"for _, {each} := range {self.expr(stmt.exprs[0])} {{",
                f"{self.indent}{name} += {each}", "}"]  # fmt: skip

    def stmt_join(self, stmt: Stmt) -> Lines:
        return [f"{self.name(stmt.names[0])} := strings.Join({self.arguments(stmt.exprs)})"]

    def stmt_backwards(self, stmt: Stmt) -> Lines:
        name, each = (self.name(name) for name in stmt.names)
        return [f'{name} := ""', f"for _, {each} := range {self.expr(stmt.exprs[0])} {{",
                f"{self.indent}{name} = string({each}) + {name}", "}"]  # fmt: skip

    def stmt_upper(self, stmt: Stmt) -> Lines:
        method = {"upper": "ToUpper", "lower": "ToLower"}[str(stmt.value)]
        return [f"{self.name(stmt.names[0])} := strings.{method}({self.expr(stmt.exprs[0])})"]

    def stmt_fail(self, stmt: Stmt) -> Lines:
        return [f"panic({self.text(str(stmt.value))})"]

    def params(self, params: tuple[Param, ...]) -> str:
        return ", ".join(f"{self.name(param.name)} {self.type(param.type)}" for param in params)

    def doc(self, text: str) -> Lines:
        return [self.doc_line(f"// {self.rewrite('comment', text)}")] if text else []

    def function(self, function: Function, *, method: bool = False, owner: str = "") -> Lines:
        receiver = f"(self *{self.name(owner)}) " if owner else ""
        returns = self.type(function.returns)
        head = f"func {receiver}{self.name(function.name)}({self.params(function.params)}) {returns}".rstrip()
        return [*self.doc(function.doc), head + " {", *self.block(function.body), "}"]

    def class_unit(self, unit: ClassUnit) -> Lines:
        name = self.name(unit.name)
        self._doc_event, head = self.tick(), self.tick()
        lines = [*self.doc(unit.doc), self.tag(f"type {name} struct {{", head)]
        fields = []
        for field in unit.fields:
            line = f"{self.indent}{self.name(field.name)} {self.type(field.type)}"
            fields.append(self.tag(line, self.tick()))
        closed = self.tag("}", self.tick())
        if not self.late_fields:
            lines += [*fields, closed]
        made = f"func New{name}({self.params(unit.params)}) *{name} {{"
        lines.append(self.tag(made, self.tick()))
        parts = []
        for held, field, start in zip(fields, unit.fields, unit.start, strict=True):
            event, part = self.tick(), f"{self.name(field.name)}: {self.expr(start)}"
            parts.append(part)
            if self.late_fields:
                lines.append(self.tag(held.partition("\0")[0], event))
            if self.in_pieces:
                lines.append(self.tag(f"{self.indent * 2}{part},", event))
        end = self.tick()
        if not self.in_pieces:
            made = f"{self.indent}return &{name}{{{', '.join(parts)}}}"
            lines.append(self.tag(made, end))
        lines.append(self.tag("}", end))
        for method in unit.methods:
            lines += ["", *self.whole_function(method, method=True, owner=unit.name)]
        return lines

    def entries_head(self, holder: str, stmt: Stmt) -> str:
        return f"for key, value := range {holder} {{"

    def stmt_drop(self, stmt: Stmt) -> Lines:
        held = self.target(stmt)
        return [f"{held} = {held}[:len({held})-1]"]

    def stmt_recase(self, stmt: Stmt) -> Lines:
        method = {"upper": "ToUpper", "lower": "ToLower"}[str(stmt.value)]
        held = self.target(stmt)
        return [f"{held} = strings.{method}({held})"]

    def bare(self, expr: Expr) -> tuple[str, int]:
        if expr.kind == "copy":
            return f"append({self.type(expr.type)}{{}}, {self.expr(expr.args[0])}...)", 12
        return super().bare(expr)
