"""The tree in JavaScript."""

from __future__ import annotations

from recipes.nano_translate.emit_braces import BraceEmitter
from recipes.nano_translate.emitter import Lines
from recipes.nano_translate.program import ClassUnit, Expr, Function, Param, Stmt, Type


class JavaScriptEmitter(BraceEmitter):
    """Modern JavaScript. As a source its functions carry JSDoc types, in most units."""

    language = "javascript"
    indent = "  "
    loop_word = "let"
    documented = False

    def char(self, content: str) -> str:
        return self.text(content)

    def declare(self, name: str, kind: Type, value: str) -> str:
        word = "var" if self.varied("var", 0.05) else "let"
        return f"{word} {self.name(name)} = {value};"

    def new_holder(self, kind: Type) -> str:
        return {"list": "[]", "map": "new Map()", "set": "new Set()"}[kind.name]

    def list_literal(self, expr: Expr) -> str:
        return f"[{self.arguments(expr.args)}]"

    def fill(self, expr: Expr) -> str:
        return f"new Array({self.expr(expr.args[1])}).fill({self.expr(expr.args[0])})"

    def format(self, expr: Expr) -> tuple[str, int]:
        if self.varied("no_templates", 0.3) and expr.args[0].type.name == "str":
            return " + ".join(self.expr(part, 9) for part in expr.args), 8
        parts = []
        for part in expr.args:
            if part.kind == "str":
                parts.append(self.rewrite("text", str(part.value)))
            else:
                parts.append("${" + self.expr(part) + "}")
        return f"`{''.join(parts)}`", 13

    def bare(self, expr: Expr) -> tuple[str, int]:
        if expr.kind in ("eq", "ne", "str_eq", "str_ne") and self.varied("loose", 0.1):
            sign = "==" if expr.kind in ("eq", "str_eq") else "!="
            return f"{self.expr(expr.args[0], 8)} {sign} {self.expr(expr.args[1], 8)}", 5
        return super().bare(expr)

    def halve(self, stmt: Stmt) -> Lines:
        target = self.target(stmt)
        return [f"{target} = Math.floor({target} / {self.expr(stmt.exprs[1], 10)});"]

    def stmt_pair(self, stmt: Stmt) -> Lines:
        left, right = self.name(stmt.names[0]), self.name(stmt.names[1])
        return [f"[{left}, {right}] = [{right}, {self.expr(stmt.exprs[0])}];"]

    def loop(self, name: str, kind: Type, source: str) -> str:
        return f"for (const {self.name(name)} of {source}) {{"

    def stmt_each_key(self, stmt: Stmt) -> Lines:
        head = self.loop(stmt.names[0], stmt.types[0], f"{self.expr(stmt.exprs[0], 12)}.keys()")
        return [head, *self.block(stmt.blocks[0]), "}"]

    def stmt_each_pair(self, stmt: Stmt) -> Lines:
        key, value = self.name(stmt.names[0]), self.name(stmt.names[1])
        head = f"for (const [{key}, {value}] of {self.expr(stmt.exprs[0])}) {{"
        return [head, *self.block(stmt.blocks[0]), "}"]

    def stmt_enumerate(self, stmt: Stmt) -> Lines:
        if self.varied("entries", 0.4):
            at, value = self.name(stmt.names[0]), self.name(stmt.names[1])
            head = f"for (const [{at}, {value}] of {self.expr(stmt.exprs[0], 12)}.entries()) {{"
            return [head, *self.block(stmt.blocks[0]), "}"]
        return super().stmt_enumerate(stmt)

    def push(self, holder: str, value: str) -> str:
        return f"{holder}.push({value});"

    def stmt_pop(self, stmt: Stmt) -> Lines:
        return [self.declare(stmt.names[0], stmt.types[0], f"{self.expr(stmt.exprs[0], 12)}.pop()")]

    def stmt_map_set(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)}.set({self.expr(stmt.exprs[1])}, {self.expr(stmt.exprs[2])});"]

    def stmt_map_add(self, stmt: Stmt) -> Lines:
        target, key = self.target(stmt), self.expr(stmt.exprs[1])
        return [f"{target}.set({key}, ({target}.get({key}) || 0) + {self.expr(stmt.exprs[2], 9)});"]

    def stmt_set_add(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)}.add({self.expr(stmt.exprs[1])});"]

    def stmt_swap(self, stmt: Stmt) -> Lines:
        held, i, j = (self.expr(expr) for expr in stmt.exprs)
        return [f"[{held}[{i}], {held}[{j}]] = [{held}[{j}], {held}[{i}]];"]

    def _order(self, kind: Type) -> str:
        return "" if kind.inner[0].name in ("str", "char") else "(a, b) => a - b"

    def stmt_sort(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)}.sort({self._order(stmt.exprs[0].type)});"]

    def stmt_sorted(self, stmt: Stmt) -> Lines:
        order = self._order(stmt.types[0])
        value = f"[...{self.expr(stmt.exprs[0], 12)}].sort({order})"
        return [self.declare(stmt.names[0], stmt.types[0], value)]

    def stmt_reverse(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)}.reverse();"]

    def stmt_sum(self, stmt: Stmt) -> Lines:
        source = self.expr(stmt.exprs[0], 12)
        value = f"{source}.reduce((a, b) => a + b, 0)"
        return [self.declare(stmt.names[0], stmt.types[0], value)]

    def stmt_select(self, stmt: Stmt) -> Lines:
        result, each = stmt.names[0], self.name(stmt.names[1])
        chain = self.expr(stmt.exprs[0], 12)
        if len(stmt.exprs) > 2:
            chain += f".filter(({each}) => {self.expr(stmt.exprs[2])})"
        value = stmt.exprs[1]
        if not (value.kind == "name" and value.value == stmt.names[1]):
            chain += f".map(({each}) => {self.expr(value)})"
        return [self.declare(result, stmt.types[0], chain)]

    def stmt_join(self, stmt: Stmt) -> Lines:
        value = f"{self.expr(stmt.exprs[0], 12)}.join({self.expr(stmt.exprs[1])})"
        return [self.declare(stmt.names[0], stmt.types[0], value)]

    def stmt_backwards(self, stmt: Stmt) -> Lines:
        value = f'{self.expr(stmt.exprs[0], 12)}.split("").reverse().join("")'
        return [self.declare(stmt.names[0], stmt.types[0], value)]

    def stmt_fail(self, stmt: Stmt) -> Lines:
        return [f"throw new Error({self.text(str(stmt.value))});"]

    def typed_doc(self, function: Function) -> Lines:
        """A doc comment with types, as sources have it."""
        if not self.documented or self.varied("no_types", 0.2):
            return self.doc(function.doc)
        lines = ["/**"]
        if function.doc:
            lines.append(f" * {function.doc}")
        for param in function.params:
            lines.append(f" * @param {{{self.type(param.type)}}} {self.name(param.name)}")
        if function.returns.name != "void":
            lines.append(f" * @returns {{{self.type(function.returns)}}}")
        return [self.doc_line(line) for line in (*lines, " */")] if len(lines) > 1 else []

    def params(self, params: tuple[Param, ...]) -> str:
        return ", ".join(self.name(param.name) for param in params)

    def function(self, function: Function, *, method: bool = False, owner: str = "") -> Lines:
        arguments = f"({self.params(function.params)})"
        if method:
            head = f"{self.name(function.name)}{arguments} {{"
        elif self.varied("arrow", 0.1):
            head = f"const {self.name(function.name)} = {arguments} => {{"
        else:
            head = f"function {self.name(function.name)}{arguments} {{"
        return [*self.typed_doc(function), head, *self.block(function.body), "}"]

    def class_unit(self, unit: ClassUnit) -> Lines:
        self._doc_event, head = self.tick(), self.tick()
        lines = [*self.doc(unit.doc), self.tag(f"class {self.name(unit.name)} {{", head)]
        for _ in (*unit.fields, None):
            self.tick()
        made = self.tick()
        self._doc_event = made
        constructor = Function(
            name="constructor", params=unit.params, returns=Type("void"), body=()
        )
        first = f"constructor({self.params(unit.params)}) {{"
        lines += [
            self.indent + line for line in (*self.typed_doc(constructor), self.tag(first, made))
        ]
        for field, start in zip(unit.fields, unit.start, strict=True):
            line = f"{self.indent * 2}this.{self.name(field.name)} = {self.expr(start)};"
            lines.append(self.tag(line, self.tick()))
        lines.append(self.tag(f"{self.indent}}}", self.tick()))
        for method in unit.methods:
            lines += [
                "",
                *(self.indent + line for line in self.whole_function(method, method=True)),
            ]
        return [*lines, self.tag("}", self.tick())]

    def entries_head(self, holder: str, stmt: Stmt) -> str:
        return f"for (const [key, value] of {holder}) {{"

    def stmt_drop(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)}.pop();"]

    def stmt_recase(self, stmt: Stmt) -> Lines:
        method = {"upper": "toUpperCase", "lower": "toLowerCase"}[str(stmt.value)]
        held = self.target(stmt)
        return [f"{held} = {held}.{method}();"]


class DocumentedJavaScript(JavaScriptEmitter):
    """JavaScript whose functions carry JSDoc types."""

    documented = True
