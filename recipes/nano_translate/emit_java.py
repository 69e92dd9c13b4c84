"""The tree in Java."""

from __future__ import annotations

from recipes.nano_translate.emit_braces import BraceEmitter
from recipes.nano_translate.emitter import Lines
from recipes.nano_translate.expression_forms import type_name
from recipes.nano_translate.program import ClassUnit, Expr, Function, Param, Stmt, Type


class JavaEmitter(BraceEmitter):
    """Java 17; functions are static methods."""

    language = "java"

    def new_holder(self, kind: Type) -> str:
        return {"list": "new ArrayList<>()", "map": "new HashMap<>()", "set": "new HashSet<>()"}[
            kind.name
        ]

    def list_literal(self, expr: Expr) -> str:
        return f"new ArrayList<>(List.of({self.arguments(expr.args)}))"

    def fill(self, expr: Expr) -> str:
        return f"new ArrayList<>(Collections.nCopies({self.expr(expr.args[1])}, {self.expr(expr.args[0])}))"

    def format(self, expr: Expr) -> tuple[str, int]:
        return " + ".join(self.expr(part, 9) for part in expr.args), 8

    def bare(self, expr: Expr) -> tuple[str, int]:
        # Elements of lists and maps are boxed: == compares what they hold only with a plain value.
        if expr.kind in ("eq", "ne") and all(
            arg.kind in ("at", "map_get", "last") for arg in expr.args
        ):
            left, right = (self.expr(arg, 12) for arg in expr.args)
            return f"{'!' if expr.kind == 'ne' else ''}{left}.equals({right})", 10
        return super().bare(expr)

    def stmt_pair(self, stmt: Stmt) -> Lines:
        return super().stmt_pair(stmt)

    def loop(self, name: str, kind: Type, source: str) -> str:
        return f"for ({self.type(kind)} {self.name(name)} : {source}) {{"

    def stmt_each_char(self, stmt: Stmt) -> Lines:
        head = self.loop(
            stmt.names[0], stmt.types[0], f"{self.expr(stmt.exprs[0], 12)}.toCharArray()"
        )
        return [head, *self.block(stmt.blocks[0]), "}"]

    def stmt_each_key(self, stmt: Stmt) -> Lines:
        head = self.loop(stmt.names[0], stmt.types[0], f"{self.expr(stmt.exprs[0], 12)}.keySet()")
        return [head, *self.block(stmt.blocks[0]), "}"]

    def stmt_each_pair(self, stmt: Stmt) -> Lines:
        holder, (key, value) = self.expr(stmt.exprs[0], 12), stmt.names
        key_type, value_type = stmt.types
        head = self.loop(key, key_type, f"{holder}.keySet()")
        held = self.declare(value, value_type, f"{holder}.get({self.name(key)})")
        return [head, self.indent + held, *self.block(stmt.blocks[0]), "}"]

    def push(self, holder: str, value: str) -> str:
        return f"{holder}.add({value});"

    def stmt_pop(self, stmt: Stmt) -> Lines:
        holder = self.expr(stmt.exprs[0], 12)
        return [self.declare(stmt.names[0], stmt.types[0], f"{holder}.remove({holder}.size() - 1)")]

    def stmt_set_at(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)}.set({self.expr(stmt.exprs[1])}, {self.expr(stmt.exprs[2])});"]

    def stmt_map_set(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)}.put({self.expr(stmt.exprs[1])}, {self.expr(stmt.exprs[2])});"]

    def stmt_map_add(self, stmt: Stmt) -> Lines:
        target, key = self.target(stmt), self.expr(stmt.exprs[1])
        if self.varied("merge", 0.15):
            return [f"{target}.merge({key}, {self.expr(stmt.exprs[2])}, Integer::sum);"]
        return [
            f"{target}.put({key}, {target}.getOrDefault({key}, 0) + {self.expr(stmt.exprs[2], 9)});"
        ]

    def stmt_set_add(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)}.add({self.expr(stmt.exprs[1])});"]

    def stmt_swap(self, stmt: Stmt) -> Lines:
        return [f"Collections.swap({self.arguments(stmt.exprs)});"]

    def stmt_sort(self, stmt: Stmt) -> Lines:
        return [f"Collections.sort({self.expr(stmt.exprs[0])});"]

    def stmt_sorted(self, stmt: Stmt) -> Lines:
        name, kind = stmt.names[0], stmt.types[0]
        copied = self.declare(name, kind, f"new ArrayList<>({self.expr(stmt.exprs[0])})")
        return [copied, f"Collections.sort({self.name(name)});"]

    def stmt_reverse(self, stmt: Stmt) -> Lines:
        return [f"Collections.reverse({self.expr(stmt.exprs[0])});"]

    def stmt_sum(self, stmt: Stmt) -> Lines:
        name, each = stmt.names
        total = self.declare(name, stmt.types[0], "0")
        head = self.loop(each, stmt.types[0], self.expr(stmt.exprs[0]))
        return [total, head, f"{self.indent}{self.name(name)} += {self.name(each)};", "}"]

    def stmt_join(self, stmt: Stmt) -> Lines:
        return [self.declare(stmt.names[0], stmt.types[0],
                             f"String.join({self.expr(stmt.exprs[1])}, {self.expr(stmt.exprs[0])})")]  # fmt: skip

    def stmt_backwards(self, stmt: Stmt) -> Lines:
        value = f"new StringBuilder({self.expr(stmt.exprs[0])}).reverse().toString()"
        return [self.declare(stmt.names[0], stmt.types[0], value)]

    def stmt_fail(self, stmt: Stmt) -> Lines:
        return [f"throw new IllegalArgumentException({self.text(str(stmt.value))});"]

    def params(self, params: tuple[Param, ...]) -> str:
        return ", ".join(f"{self.type(param.type)} {self.name(param.name)}" for param in params)

    def function(self, function: Function, *, method: bool = False, owner: str = "") -> Lines:
        words = "public " if method else "public static "
        head = f"{words}{self.type(function.returns)} {self.name(function.name)}({self.params(function.params)}) {{"
        return [*self.doc(function.doc), head, *self.block(function.body), "}"]

    def class_unit(self, unit: ClassUnit) -> Lines:
        self._doc_event, head = self.tick(), self.tick()
        lines = [*self.doc(unit.doc), self.tag(f"class {self.name(unit.name)} {{", head)]
        fields = [
            self.tag(
                f"{self.indent}private {self.type(field.type)} {self.name(field.name)};",
                self.tick(),
            )
            for field in unit.fields
        ]
        self.tick()
        made = f"{self.indent}public {self.name(unit.name)}({self.params(unit.params)}) {{"
        return [*lines, *self.class_rest(unit, fields, made, "this."), self.tag("}", self.tick())]

    def entries_head(self, holder: str, stmt: Stmt) -> str:
        boxed = [type_name(kind, "java", boxed=True) for kind in stmt.types]
        return f"for (Map.Entry<{', '.join(boxed)}> entry : {holder}.entrySet()) {{"

    def stmt_drop(self, stmt: Stmt) -> Lines:
        holder = self.expr(stmt.exprs[0], 12)
        return [f"{holder}.remove({holder}.size() - 1);"]

    def stmt_recase(self, stmt: Stmt) -> Lines:
        method = {"upper": "toUpperCase", "lower": "toLowerCase"}[str(stmt.value)]
        held = self.target(stmt)
        return [f"{held} = {held}.{method}();"]
