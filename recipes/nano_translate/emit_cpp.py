"""The tree in C++."""

from __future__ import annotations

from recipes.nano_translate.emit_braces import BraceEmitter
from recipes.nano_translate.emitter import Lines
from recipes.nano_translate.program import ClassUnit, Expr, Function, Param, Stmt, Type


class CppEmitter(BraceEmitter):
    """C++20."""

    language = "cpp"
    self_word = "this"
    access = "->"

    def new_holder(self, kind: Type) -> str:
        return "{}"

    def list_literal(self, expr: Expr) -> str:
        return "{" + self.arguments(expr.args) + "}"

    def stmt_let(self, stmt: Stmt) -> Lines:
        name, kind, value = stmt.names[0], stmt.types[0], stmt.exprs[0]
        if value.kind in ("new_list", "new_map", "new_set"):
            return [f"{self.type(kind)} {self.name(name)};"]
        if value.kind == "fill":
            inside = f"{self.expr(value.args[1])}, {self.expr(value.args[0])}"
            return [f"{self.type(kind)} {self.name(name)}({inside});"]
        if (
            kind.name in ("int", "str")
            and value.kind not in ("int", "str")
            and self.varied("auto", 0.2)
        ):
            return [f"auto {self.name(name)} = {self.expr(value)};"]
        return super().stmt_let(stmt)

    def empty_list(self, name: str, kind: Type) -> str:
        return f"{self.type(kind)} {self.name(name)};"

    def fill(self, expr: Expr) -> str:
        return f"{self.type(expr.type)}({self.expr(expr.args[1])}, {self.expr(expr.args[0])})"

    def bare(self, expr: Expr) -> tuple[str, int]:
        if expr.kind == "concat" and all(arg.kind in ("str", "char") for arg in expr.args):
            return f"std::string({self.expr(expr.args[0])}) + {self.expr(expr.args[1])}", 8
        if expr.kind in ("list_len", "str_len", "map_len", "set_len") and self.varied(
            "plain_size", 0.4
        ):
            return f"{self.expr(expr.args[0], 12)}.size()", 12
        return super().bare(expr)

    def format(self, expr: Expr) -> tuple[str, int]:
        parts = []
        for at, part in enumerate(expr.args):
            written = self.expr(part, 9)
            if part.type.name == "int":
                written = f"std::to_string({self.expr(part)})"
            elif part.kind == "str" and at == 0 and expr.args[1].type.name == "str":
                written = written
            parts.append(written)
        return " + ".join(parts), 8

    def loop(self, name: str, kind: Type, source: str) -> str:
        sign = (
            "const " + self.type(kind) + "&"
            if kind.inner or kind.name == "str"
            else self.type(kind)
        )
        if self.varied("auto_loops", 0.3):
            sign = "const auto&" if kind.inner or kind.name == "str" else "auto"
        return f"for ({sign} {self.name(name)} : {source}) {{"

    def stmt_each_key(self, stmt: Stmt) -> Lines:
        key = self.name(stmt.names[0])
        head = f"for (const auto& [{key}, unused] : {self.expr(stmt.exprs[0])}) {{"
        return [head, *self.block(stmt.blocks[0]), "}"]

    def stmt_each_pair(self, stmt: Stmt) -> Lines:
        key, value = self.name(stmt.names[0]), self.name(stmt.names[1])
        head = f"for (const auto& [{key}, {value}] : {self.expr(stmt.exprs[0])}) {{"
        return [head, *self.block(stmt.blocks[0]), "}"]

    def push(self, holder: str, value: str) -> str:
        return f"{holder}.push_back({value});"

    def stmt_pop(self, stmt: Stmt) -> Lines:
        holder = self.expr(stmt.exprs[0], 12)
        return [
            self.declare(stmt.names[0], stmt.types[0], f"{holder}.back()"),
            f"{holder}.pop_back();",
        ]

    def stmt_set_add(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)}.insert({self.expr(stmt.exprs[1])});"]

    def stmt_swap(self, stmt: Stmt) -> Lines:
        held, i, j = (self.expr(expr) for expr in stmt.exprs)
        return [f"std::swap({held}[{i}], {held}[{j}]);"]

    def stmt_sort(self, stmt: Stmt) -> Lines:
        held = self.expr(stmt.exprs[0], 12)
        return [f"std::sort({held}.begin(), {held}.end());"]

    def stmt_sorted(self, stmt: Stmt) -> Lines:
        name = self.name(stmt.names[0])
        copied = self.declare(stmt.names[0], stmt.types[0], self.expr(stmt.exprs[0]))
        return [copied, f"std::sort({name}.begin(), {name}.end());"]

    def stmt_reverse(self, stmt: Stmt) -> Lines:
        held = self.expr(stmt.exprs[0], 12)
        return [f"std::reverse({held}.begin(), {held}.end());"]

    def stmt_sum(self, stmt: Stmt) -> Lines:
        held = self.expr(stmt.exprs[0], 12)
        value = f"std::accumulate({held}.begin(), {held}.end(), 0)"
        return [self.declare(stmt.names[0], stmt.types[0], value)]

    def stmt_join(self, stmt: Stmt) -> Lines:
        name, each = self.name(stmt.names[0]), self.name(stmt.names[1])
        parts, separator = stmt.exprs
        return [
            f"std::string {name};",
            f"for (const std::string& {each} : {self.expr(parts)}) {{",
            f"{self.indent}if (!{name}.empty()) {{",
            f"{self.indent * 2}{name} += {self.expr(separator)};",
            f"{self.indent}}}",
            f"{self.indent}{name} += {each};",
            "}",
        ]

    def stmt_backwards(self, stmt: Stmt) -> Lines:
        held = self.expr(stmt.exprs[0], 12)
        return [f"std::string {self.name(stmt.names[0])}({held}.rbegin(), {held}.rend());"]

    def stmt_upper(self, stmt: Stmt) -> Lines:
        name = self.name(stmt.names[0])
        change = {"upper": "::toupper", "lower": "::tolower"}[str(stmt.value)]
        copied = self.declare(stmt.names[0], stmt.types[0], self.expr(stmt.exprs[0]))
        return [copied, f"std::transform({name}.begin(), {name}.end(), {name}.begin(), {change});"]

    def stmt_fail(self, stmt: Stmt) -> Lines:
        return [f"throw std::invalid_argument({self.text(str(stmt.value))});"]

    changed: frozenset[str] = frozenset()

    def params(self, params: tuple[Param, ...]) -> str:
        written = []
        for param in params:
            kind = self.type(param.type)
            if param.type.inner or param.type.name == "str":
                # `operator[]` of a map needs one that is not const.
                kind = f"{kind}&" if param.name in self.changed else f"const {kind}&"
            written.append(f"{kind} {self.name(param.name)}")
        return ", ".join(written)

    def function(self, function: Function, *, method: bool = False, owner: str = "") -> Lines:
        self.changed = _changed(function)
        head = f"{self.type(function.returns)} {self.name(function.name)}({self.params(function.params)}) {{"
        return [*self.doc(function.doc), head, *self.block(function.body), "}"]

    def doc(self, text: str) -> Lines:
        return [self.doc_line(f"// {self.rewrite('comment', text)}")] if text else []

    def class_unit(self, unit: ClassUnit) -> Lines:
        self._doc_event, head = self.tick(), self.tick()
        lines = [*self.doc(unit.doc), self.tag(f"class {self.name(unit.name)} {{", head)]
        hidden = self.varied("private", 0.5)
        lines.append(self.tag("private:" if hidden else "public:", head))
        fields = [
            self.tag(f"{self.indent}{self.type(field.type)} {self.name(field.name)};", self.tick())
            for field in unit.fields
        ]
        between = self.tick()
        if hidden:
            fields.append(self.tag("public:", between))
        self.changed = frozenset()
        made = f"{self.indent}{self.name(unit.name)}({self.params(unit.params)}) {{"
        return [*lines, *self.class_rest(unit, fields, made, "this->"), self.tag("};", self.tick())]

    def entries_head(self, holder: str, stmt: Stmt) -> str:
        return f"for (const auto& [key, value] : {holder}) {{"

    def stmt_drop(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)}.pop_back();"]

    def stmt_recase(self, stmt: Stmt) -> Lines:
        change = {"upper": "::toupper", "lower": "::tolower"}[str(stmt.value)]
        held = self.target(stmt)
        return [f"std::transform({held}.begin(), {held}.end(), {held}.begin(), {change});"]


def _changed(function: Function) -> frozenset[str]:
    """Parameters that a body changes, or indexes as a map."""
    found: set[str] = set()

    def expr(node: Expr) -> None:
        if node.kind in ("map_get", "map_or") and node.args[0].kind == "name":
            found.add(str(node.args[0].value))
        for arg in node.args:
            expr(arg)

    def stmt(node: Stmt) -> None:
        writes = ("set_at", "map_set", "map_add", "set_add", "push", "pop", "swap", "sort",
                  "reverse", "assign", "aug", "drop", "recase")  # fmt: skip
        if node.kind in writes and node.exprs[0].kind == "name":
            found.add(str(node.exprs[0].value))
        for inner in node.exprs:
            expr(inner)
        for block in node.blocks:
            for child in block:
                stmt(child)

    for node in function.body:
        stmt(node)
    return frozenset(found)
