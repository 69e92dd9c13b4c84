"""What a point of a generated function may use: variables by type, and what indexes what."""

from __future__ import annotations

from dataclasses import dataclass, field

from recipes.nano_translate.program import Expr, Type


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A name in scope. `indexes` is the list or text that an int may index safely."""

    name: str
    type: Type
    mutable: bool = True
    indexes: str = ""
    is_field: bool = False
    small: bool = False

    @property
    def expr(self) -> Expr:
        """The variable as an expression."""
        return Expr(kind="field" if self.is_field else "name", type=self.type, value=self.name)


@dataclass(kw_only=True)
class Scope:
    """Variables in scope and how often each was read."""

    variables: list[Variable] = field(default_factory=list)
    reads: dict[str, int] = field(default_factory=dict)

    def inner(self) -> Scope:
        """A nested scope; reads are counted in one place."""
        return Scope(variables=list(self.variables), reads=self.reads)

    def add(self, variable: Variable) -> Variable:
        """Put a variable in scope."""
        self.variables.append(variable)
        return variable

    def of(self, kind: Type, *, mutable: bool | None = None) -> list[Variable]:
        """Variables of a type."""
        return [
            v
            for v in self.variables
            if v.type == kind and (mutable is None or v.mutable == mutable)
        ]

    def read(self, variable: Variable) -> Expr:
        """Use a variable."""
        self.reads[variable.name] = self.reads.get(variable.name, 0) + 1
        return variable.expr
