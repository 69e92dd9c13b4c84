"""What Java, JavaScript, C++ and Go share: braces, loops, conditions, lowered forms."""

from __future__ import annotations

from recipes.nano_translate.emitter import Emitter, Lines
from recipes.nano_translate.program import ClassUnit, Expr, Stmt, Type


class BraceEmitter(Emitter):
    """Statements with braces; the four languages override what differs."""

    def declare(self, name: str, kind: Type, value: str) -> str:
        """A declaration with its first value."""
        return f"{self.type(kind)} {self.name(name)} = {value}{self.end}"

    def head(self, word: str, inside: str) -> str:
        """`if (…) {`; Go has no parentheses."""
        return f"{word} ({inside}) {{"

    def stmt_let(self, stmt: Stmt) -> Lines:
        return [self.declare(stmt.names[0], stmt.types[0], self.expr(stmt.exprs[0]))]

    def stmt_pair(self, stmt: Stmt) -> Lines:
        """`a, b = b, value` by a third variable."""
        left, right = self.name(stmt.names[0]), self.name(stmt.names[1])
        held = self.declare_text("temp", stmt.types[0], self.expr(stmt.exprs[0]))
        return [held, f"{left} = {right}{self.end}", f"{right} = temp{self.end}"]

    def declare_text(self, name: str, kind: Type, value: str) -> str:
        """A declaration of a name that is the emitter's own."""
        return f"{self.type(kind)} {name} = {value}{self.end}"

    def condition(self, expr: Expr) -> str:
        return self.expr(expr)

    def stmt_if(self, stmt: Stmt) -> Lines:
        lines: Lines = []
        for at, condition in enumerate(stmt.exprs):
            start = self.head("if" if at == 0 else "} else if", self.condition(condition))
            lines.append(start)
            lines += self.block(stmt.blocks[at])
        if len(stmt.blocks) > len(stmt.exprs):
            lines += ["} else {", *self.block(stmt.blocks[-1])]
        return [*lines, "}"]

    def stmt_each_entry(self, stmt: Stmt) -> Lines:
        head = self.entries_head(self.expr(stmt.exprs[0], 12), stmt)
        return [head, *self.block(stmt.blocks[0]), "}"]

    def entries_head(self, holder: str, stmt: Stmt) -> str:
        """Head of a loop over `key` and `value`."""
        raise NotImplementedError

    def stmt_while(self, stmt: Stmt) -> Lines:
        return [self.head("while", self.expr(stmt.exprs[0])), *self.block(stmt.blocks[0]), "}"]

    loop_word = "int"

    def stmt_range(self, stmt: Stmt) -> Lines:
        name = self.name(stmt.names[0])
        first, last = self.expr(stmt.exprs[0]), self.expr(stmt.exprs[1], 8)
        sign = {"up": "<", "upto": "<=", "down": ">"}[str(stmt.value)]
        step = f"{name}--" if stmt.value == "down" else f"{name}++"
        if len(stmt.exprs) > 2:
            step = f"{name} += {self.expr(stmt.exprs[2])}"
        elif self.language != "go" and self.varied("prefix_increment", 0.15):
            step = step[-2:] + name
        inside = f"{self.loop_word} {name} = {first}; {name} {sign} {last}; {step}"
        return [self.head("for", inside), *self.block(stmt.blocks[0]), "}"]

    def stmt_set_at(self, stmt: Stmt) -> Lines:
        return [
            f"{self.target(stmt)}[{self.expr(stmt.exprs[1])}] = {self.expr(stmt.exprs[2])}{self.end}"
        ]

    def stmt_map_set(self, stmt: Stmt) -> Lines:
        return self.stmt_set_at(stmt)

    def stmt_map_add(self, stmt: Stmt) -> Lines:
        place = f"{self.target(stmt)}[{self.expr(stmt.exprs[1])}]"
        if stmt.exprs[2].kind == "int" and stmt.exprs[2].value == 1:
            return [f"{place}++{self.end}"]
        return [f"{place} += {self.expr(stmt.exprs[2])}{self.end}"]

    def loop(self, name: str, kind: Type, source: str) -> str:
        """Head of a loop over elements."""
        raise NotImplementedError

    def stmt_each(self, stmt: Stmt) -> Lines:
        head = self.loop(stmt.names[0], stmt.types[0], self.expr(stmt.exprs[0]))
        return [head, *self.block(stmt.blocks[0]), "}"]

    def stmt_each_char(self, stmt: Stmt) -> Lines:
        return self.stmt_each(stmt)

    def push(self, holder: str, value: str) -> str:
        """Append a value."""
        raise NotImplementedError

    def stmt_push(self, stmt: Stmt) -> Lines:
        return [self.push(self.target(stmt), self.expr(stmt.exprs[1]))]

    def empty_list(self, name: str, kind: Type) -> str:
        """Declaration of an empty list."""
        return self.declare(name, kind, self.new_holder(kind))

    def stmt_select(self, stmt: Stmt) -> Lines:
        result, each = stmt.names
        fill = self.push(self.name(result), self.expr(stmt.exprs[1]))
        inner = [fill]
        if len(stmt.exprs) > 2:
            inner = [self.head("if", self.expr(stmt.exprs[2])), self.indent + fill, "}"]
        head = self.loop(each, stmt.types[1], self.expr(stmt.exprs[0]))
        return [
            self.empty_list(result, stmt.types[0]),
            head,
            *(self.indent + l for l in inner),
            "}",
        ]

    def stmt_enumerate(self, stmt: Stmt) -> Lines:
        at, source = self.name(stmt.names[0]), stmt.exprs[0]
        size = Expr(kind="list_len", type=source.type, args=(source,))
        place = Expr(kind="name", type=source.type, value=stmt.names[0])
        value = Expr(kind="at", type=stmt.types[1], args=(source, place))
        inside = f"{self.loop_word} {at} = 0; {at} < {self.expr(size, 8)}; {at}++"
        held = self.declare(stmt.names[1], stmt.types[1], self.expr(value))
        return [self.head("for", inside), self.indent + held, *self.block(stmt.blocks[0]), "}"]

    def stmt_upper(self, stmt: Stmt) -> Lines:
        """As Java and JavaScript say it."""
        method = {"upper": "toUpperCase", "lower": "toLowerCase"}[str(stmt.value)]
        value = f"{self.expr(stmt.exprs[0], 12)}.{method}()"
        return [self.declare(stmt.names[0], stmt.types[0], value)]

    def class_rest(self, unit: ClassUnit, fields: Lines, made: str, this: str) -> Lines:
        """Fields, the constructor that `made` heads, methods, as Java and C++ have them.

        Late fields stand beside their assignments; `class_fields` moves them before the constructor.
        """
        body = [self.tag(made, self.tick())]
        for held, field, start in zip(fields, unit.fields, unit.start, strict=False):
            event = self.tick()
            line = f"{self.indent * 2}{this}{self.name(field.name)} = {self.expr(start)};"
            if self.late_fields:
                body.append(self.tag(held.partition("\0")[0], event))
            body.append(self.tag(line, event))
        body.append(self.tag(f"{self.indent}}}", self.tick()))
        lines = body if self.late_fields else [*fields, *body]
        for method in unit.methods:
            whole = self.whole_function(method, method=True)
            lines += ["", *(self.indent + line for line in whole)]
        return lines

    def doc(self, text: str) -> Lines:
        """A doc comment."""
        return [self.doc_line(f"/** {self.rewrite('comment', text)} */")] if text else []
