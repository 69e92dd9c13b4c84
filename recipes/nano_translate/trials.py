"""Inputs for a generated unit, and its calls in the names of a language."""

from __future__ import annotations

import random
from typing import Any

from glm_codegen.evaluate.test_program import Call, Trial
from glm_codegen.evaluate.typed_values import ValueType
from recipes.nano_translate.naming import camel
from recipes.nano_translate.program import ClassUnit, Function, Type, Unit

_TEXTS = ("", "a", "abc", "hello", "level", "Hello World", "a1b2c3", "error at end", "item", "right",
          "()", "x", "Noon", "banana", "start end", "([])", "7", "ab12")  # fmt: skip
CALLS = 6


def value_type(kind: Type) -> ValueType:
    """A type of the tree as a type of test calls."""
    return ValueType(name=kind.name, inner=tuple(value_type(part) for part in kind.inner))


def draw_value(kind: Type, chance: random.Random) -> Any:
    """A JSON value of a type."""
    name = kind.name
    if name == "int":
        return chance.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 20, 27))
    if name == "float":
        return chance.choice((0.0, 0.5, 1.0, 1.5, 2.25, 3.0, 10.0, 12.5, 98.6))
    if name == "bool":
        return chance.random() < 0.5
    if name == "str":
        return chance.choice(_TEXTS)
    if name == "char":
        return chance.choice("abcxyz019")
    if name == "map":
        keys = {str(draw_value(kind.inner[0], chance)) for _ in range(chance.randint(0, 4))}
        return [[key, draw_value(kind.inner[1], chance)] for key in sorted(keys)]
    return [draw_value(kind.inner[0], chance) for _ in range(chance.randint(0, 6))]


def spelled(name: str, language: str) -> str:
    """A name of the tree in a language's convention."""
    if name[:1].isupper() or language in ("python", "cpp"):
        return name
    return camel(name)


def _call(function: Function, chance: random.Random, language: str) -> Call:
    arguments = tuple(
        (draw_value(param.type, chance), value_type(param.type)) for param in function.params
    )
    return Call(
        name=spelled(function.name, language),
        arguments=arguments,
        returns=value_type(function.returns),
    )


def trial(unit: Unit, seed: int, language: str) -> Trial:
    """The same calls for every language."""
    chance = random.Random(seed)
    if isinstance(unit, ClassUnit):
        made = tuple((draw_value(p.type, chance), value_type(p.type)) for p in unit.params)
        calls = [_call(chance.choice(unit.methods), chance, language) for _ in range(CALLS)]
        return Trial(calls=tuple(calls), owner=unit.name, made=made)
    calls = [_call(unit, chance, language) for _ in range(CALLS)]
    return Trial(calls=tuple(calls))
