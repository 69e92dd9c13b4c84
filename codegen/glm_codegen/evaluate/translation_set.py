"""The project's own executed translation set: hand-written functions in five languages.

No generator made them and nothing was tuned on them. `translation_set/cases.json` gives each
function's types and calls; `<language>.txt` the code, pieces under lines `---- name`. What a call
should print is what the Python version prints.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib import resources
from typing import Any

from glm_codegen.evaluate.program_run import ProgramRunner
from glm_codegen.evaluate.test_program import Call, Trial, test_program
from glm_codegen.evaluate.typed_values import ValueType, parse_type
from glm_codegen.translation.restore import converted

LANGUAGES = ("python", "java", "javascript", "cpp", "go")
_PIECE = re.compile(r"^(?:#|//) ---- (\w+)\n", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One function: its name in Python, its code by language, its types and calls."""

    name: str
    code: dict[str, str]
    parameters: tuple[ValueType, ...]
    returns: ValueType
    calls: tuple[tuple[Any, ...], ...]

    def trial(self, language: str) -> Trial:
        """Its calls in a language's spelling."""
        name = converted(self.name, language)
        return Trial(
            calls=tuple(
                Call(
                    name=name,
                    arguments=tuple(zip(values, self.parameters, strict=True)),
                    returns=self.returns,
                )
                for values in self.calls
            )
        )


def split_types(text: str) -> list[str]:
    """`int, list<map<str,int>>` at its outer commas."""
    parts, depth, start = list[str](), 0, 0
    for at, sign in enumerate(text):
        depth += (sign == "<") - (sign == ">")
        if sign == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def exercises() -> list[Exercise]:
    """All of the set."""
    folder = resources.files(__package__).joinpath("translation_set")
    cases: dict[str, Any] = json.loads(folder.joinpath("cases.json").read_text(encoding="utf-8"))
    code: dict[str, dict[str, str]] = {name: {} for name in cases}
    for language in LANGUAGES:
        text = folder.joinpath(f"{language}.txt").read_text(encoding="utf-8")
        parts = _PIECE.split(text)
        for name, body in zip(parts[1::2], parts[2::2], strict=True):
            code[name][language] = body
    found = []
    for name, (types, calls) in cases.items():
        parameters, returns = types.split("->")
        found.append(
            Exercise(
                name=name,
                code=code[name],
                parameters=tuple(parse_type(part) for part in split_types(parameters)),
                returns=parse_type(returns),
                calls=tuple(tuple(values) for values in calls),
            )
        )
    return found


def wanted_output(exercise: Exercise, runner: ProgramRunner) -> str:
    """What its calls print, by the Python version. Raises ValueError where that does not run."""
    program = test_program(exercise.code["python"], exercise.trial("python"), "python")
    result = runner.run(program, "python")
    if not result.output:
        raise ValueError(f"{exercise.name}: the original does not run: {result.detail}")
    return result.output
