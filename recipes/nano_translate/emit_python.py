"""The tree in Python."""

from __future__ import annotations

from recipes.nano_translate.emitter import Emitter, Lines
from recipes.nano_translate.program import VOID, ClassUnit, Expr, Function, Param, Stmt, Type


class PythonEmitter(Emitter):
    """Python 3.10, with type hints in the canonical form."""

    language = "python"
    true, false = "True", "False"
    self_word = "self"
    end = ""
    comment_sign = "#"

    @property
    def hinted(self) -> bool:
        """Whether types are written."""
        return not self.varied("no_hints", 0.25)

    def char(self, content: str) -> str:
        return self.text(content)

    def new_holder(self, kind: Type) -> str:
        return {"list": "[]", "map": "{}", "set": "set()"}[kind.name]

    def list_literal(self, expr: Expr) -> str:
        return f"[{self.arguments(expr.args)}]"

    def fill(self, expr: Expr) -> str:
        return f"[{self.expr(expr.args[0])}] * {self.expr(expr.args[1], 10)}"

    def format(self, expr: Expr) -> tuple[str, int]:
        if self.varied("no_fstrings", 0.25):
            parts = [
                self.expr(p, 9) if p.type.name == "str" else f"str({self.expr(p)})"
                for p in expr.args
            ]
            return " + ".join(parts), 8
        parts = []
        for part in expr.args:
            if part.kind == "str":
                parts.append(self.rewrite("text", str(part.value)))
            else:
                parts.append("{" + self.expr(part) + "}")
        return f'f"{"".join(parts)}"', 13

    def bare(self, expr: Expr) -> tuple[str, int]:
        inner = expr.args[0] if expr.kind == "not" else expr
        if expr.kind == "not" and inner.kind in (
            "list_has",
            "set_has",
            "map_has",
            "str_has",
            "char_in",
        ):
            holder, value = (self.expr(arg, 8) for arg in inner.args)
            return f"{value} not in {holder}", 6
        return super().bare(expr)

    def halve(self, stmt: Stmt) -> Lines:
        if self.varied("long_form", 0.15):
            return [f"{self.target(stmt)} = {self.target(stmt)} // {self.expr(stmt.exprs[1], 10)}"]
        return [f"{self.target(stmt)} //= {self.expr(stmt.exprs[1])}"]

    def stmt_let(self, stmt: Stmt) -> Lines:
        name, value = stmt.names[0], stmt.exprs[0]
        hint = ""
        if value.kind in ("new_list", "new_map", "new_set") and self.hinted:
            hint = f": {self.type(stmt.types[0])}"
        return [f"{self.name(name)}{hint} = {self.expr(value)}"]

    def stmt_pair(self, stmt: Stmt) -> Lines:
        left, right = self.name(stmt.names[0]), self.name(stmt.names[1])
        return [f"{left}, {right} = {right}, {self.expr(stmt.exprs[0])}"]

    def stmt_if(self, stmt: Stmt) -> Lines:
        lines: Lines = []
        for at, condition in enumerate(stmt.exprs):
            lines.append(f"{'if' if at == 0 else 'elif'} {self.expr(condition)}:")
            lines += self.block(stmt.blocks[at])
        if len(stmt.blocks) > len(stmt.exprs):
            lines += ["else:", *self.block(stmt.blocks[-1])]
        return lines

    def stmt_while(self, stmt: Stmt) -> Lines:
        return [f"while {self.expr(stmt.exprs[0])}:", *self.block(stmt.blocks[0])]

    def stmt_range(self, stmt: Stmt) -> Lines:
        """`value`: "up", "upto" (inclusive) or "down" (from the first, above the second)."""
        first, last = stmt.exprs[0], stmt.exprs[1]
        step = stmt.exprs[2] if len(stmt.exprs) > 2 else None
        if stmt.value == "down":
            inside = f"{self.expr(first)}, {self.expr(last)}, -1"
        else:
            end = f"{self.expr(last, 8)} + 1" if stmt.value == "upto" else self.expr(last)
            zero = first.kind == "int" and first.value == 0 and step is None
            inside = end if zero else f"{self.expr(first)}, {end}"
            if step is not None:
                inside += f", {self.expr(step)}"
        return [f"for {self.name(stmt.names[0])} in range({inside}):", *self.block(stmt.blocks[0])]

    def stmt_each(self, stmt: Stmt) -> Lines:
        return [
            f"for {self.name(stmt.names[0])} in {self.expr(stmt.exprs[0])}:",
            *self.block(stmt.blocks[0]),
        ]

    stmt_each_char = stmt_each
    stmt_each_key = stmt_each

    def stmt_each_pair(self, stmt: Stmt) -> Lines:
        key, value = self.name(stmt.names[0]), self.name(stmt.names[1])
        return [
            f"for {key}, {value} in {self.expr(stmt.exprs[0], 12)}.items():",
            *self.block(stmt.blocks[0]),
        ]

    def stmt_each_entry(self, stmt: Stmt) -> Lines:
        return [
            f"for key, value in {self.expr(stmt.exprs[0], 12)}.items():",
            *self.block(stmt.blocks[0]),
        ]

    def stmt_drop(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)}.pop()"]

    def stmt_recase(self, stmt: Stmt) -> Lines:
        held = self.target(stmt)
        return [f"{held} = {held}.{stmt.value}()"]

    def stmt_enumerate(self, stmt: Stmt) -> Lines:
        at, value = self.name(stmt.names[0]), self.name(stmt.names[1])
        return [
            f"for {at}, {value} in enumerate({self.expr(stmt.exprs[0])}):",
            *self.block(stmt.blocks[0]),
        ]

    def stmt_push(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)}.append({self.expr(stmt.exprs[1])})"]

    def stmt_pop(self, stmt: Stmt) -> Lines:
        return [f"{self.name(stmt.names[0])} = {self.expr(stmt.exprs[0], 12)}.pop()"]

    def stmt_set_at(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)}[{self.expr(stmt.exprs[1])}] = {self.expr(stmt.exprs[2])}"]

    stmt_map_set = stmt_set_at

    def stmt_map_add(self, stmt: Stmt) -> Lines:
        target, key = self.target(stmt), self.expr(stmt.exprs[1])
        return [f"{target}[{key}] = {target}.get({key}, 0) + {self.expr(stmt.exprs[2], 9)}"]

    def stmt_set_add(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)}.add({self.expr(stmt.exprs[1])})"]

    def stmt_swap(self, stmt: Stmt) -> Lines:
        held, i, j = (self.expr(expr) for expr in stmt.exprs)
        return [f"{held}[{i}], {held}[{j}] = {held}[{j}], {held}[{i}]"]

    def stmt_sort(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)}.sort()"]

    def stmt_sorted(self, stmt: Stmt) -> Lines:
        return [f"{self.name(stmt.names[0])} = sorted({self.expr(stmt.exprs[0])})"]

    def stmt_reverse(self, stmt: Stmt) -> Lines:
        return [f"{self.target(stmt)}.reverse()"]

    def stmt_sum(self, stmt: Stmt) -> Lines:
        return [f"{self.name(stmt.names[0])} = sum({self.expr(stmt.exprs[0])})"]

    def stmt_select(self, stmt: Stmt) -> Lines:
        """names: result, element; exprs: source, value, then an optional condition."""
        result, each = self.name(stmt.names[0]), self.name(stmt.names[1])
        test = f" if {self.expr(stmt.exprs[2], 2)}" if len(stmt.exprs) > 2 else ""
        return [
            f"{result} = [{self.expr(stmt.exprs[1])} for {each} in {self.expr(stmt.exprs[0], 12)}{test}]"
        ]

    def stmt_join(self, stmt: Stmt) -> Lines:
        return [
            f"{self.name(stmt.names[0])} = {self.expr(stmt.exprs[1], 12)}.join({self.expr(stmt.exprs[0])})"
        ]

    def stmt_backwards(self, stmt: Stmt) -> Lines:
        return [f"{self.name(stmt.names[0])} = {self.expr(stmt.exprs[0], 12)}[::-1]"]

    def stmt_upper(self, stmt: Stmt) -> Lines:
        return [f"{self.name(stmt.names[0])} = {self.expr(stmt.exprs[0], 12)}.{stmt.value}()"]

    def stmt_fail(self, stmt: Stmt) -> Lines:
        return [f"raise ValueError({self.text(str(stmt.value))})"]

    def params(self, params: tuple[Param, ...]) -> str:
        if not self.hinted:
            return ", ".join(self.name(param.name) for param in params)
        return ", ".join(f"{self.name(param.name)}: {self.type(param.type)}" for param in params)

    def function(self, function: Function, *, method: bool = False, owner: str = "") -> Lines:
        params = self.params(function.params)
        if method:
            params = f"self, {params}" if params else "self"
        hint = f" -> {self.type(function.returns)}" if self.hinted else ""
        lines = [f"def {self.name(function.name)}({params}){hint}:"]
        if function.doc:
            lines.append(
                self.doc_line(f'{self.indent}"""{self.rewrite("comment", function.doc)}"""')
            )
        return lines + (self.block(function.body) or [f"{self.indent}pass"])

    def class_unit(self, unit: ClassUnit) -> Lines:
        doc, head = self.tick(), self.tick()
        lines = [self.tag(f"class {self.name(unit.name)}:", head)]
        if unit.doc:
            lines += [self.tag(f'{self.indent}"""{self.rewrite("comment", unit.doc)}"""', doc)]
        for _ in (*unit.fields, None):
            self.tick()
        made = self.tick()
        params = self.params(unit.params)
        hint = " -> None" if self.hinted else ""
        lines.append(
            self.tag(
                f"{self.indent}def __init__(self{', ' if params else ''}{params}){hint}:", made
            )
        )
        for field, start in zip(unit.fields, unit.start, strict=True):
            kind = (
                f": {self.type(field.type)}"
                if start.kind.startswith("new_") and self.hinted
                else ""
            )
            line = f"{self.indent * 2}self.{self.name(field.name)}{kind} = {self.expr(start)}"
            lines.append(self.tag(line, self.tick()))
        self.tick()
        for method in unit.methods:
            lines += [
                "",
                *(
                    self.indent + line if line else ""
                    for line in self.whole_function(method, method=True)
                ),
            ]
        return lines


__all__ = ["VOID", "PythonEmitter"]
