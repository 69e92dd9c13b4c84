"""A translation and its test calls as one whole program of the target language.

Each call prints one line: the value shown, or `error` where it fails. Calls belong to a function,
or to an object of a class that lives through all of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from glm_codegen.evaluate import show_values
from glm_codegen.evaluate.typed_values import ValueType, literal


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call: name in the target language, arguments with their types, type of the result."""

    name: str
    arguments: tuple[tuple[Any, ValueType], ...]
    returns: ValueType


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Calls of functions, or (with `owner`) of methods of one object made by `made`."""

    calls: tuple[Call, ...]
    owner: str = ""
    made: tuple[tuple[Any, ValueType], ...] = ()


def _arguments(call: Sequence[tuple[Any, ValueType]], language: str) -> str:
    return ", ".join(literal(value, kind, language) for value, kind in call)


def test_program(code: str, trial: Trial, language: str) -> str:
    """The program. Raises KeyError for a language without drivers."""
    return _WRITERS[language](code, trial)


def _python(code: str, trial: Trial) -> str:
    lines = ["import math", code, show_values.PYTHON]
    start = ""
    if trial.owner:
        lines.append(f"thing__ = {trial.owner}({_arguments(trial.made, 'python')})")
        start = "thing__."
    for call in trial.calls:
        lines += [
            "try:",
            f"    print(show__({start}{call.name}({_arguments(call.arguments, 'python')}), {str(call.returns)!r}))",
            "except Exception:",
            "    print('error')",
        ]
    return "\n".join(lines) + "\n"


def _javascript(code: str, trial: Trial) -> str:
    lines = [code, show_values.JAVASCRIPT]
    start = ""
    if trial.owner:
        lines.append(f"const thing__ = new {trial.owner}({_arguments(trial.made, 'javascript')});")
        start = "thing__."
    for call in trial.calls:
        inside = f"{start}{call.name}({_arguments(call.arguments, 'javascript')})"
        lines.append(
            f'try {{ console.log(show__({inside}, "{call.returns}")); }} catch (e) {{ console.log("error"); }}'
        )
    return "\n".join(lines) + "\n"


def _shown(call: Call, start: str, language: str, end: str) -> str:
    inside = f"{start}{call.name}({_arguments(call.arguments, language)})"
    if call.returns.name == "void":
        none = _PRINT[language].format('"none"')
        return f"{inside}{end} {none}{end}"
    return f"{_PRINT[language].format(f'show__({inside})')}{end}"


_PRINT = {
    "java": "System.out.println({0})",
    "cpp": "std::cout << {0} << std::endl",
    "go": "fmt.Println({0})",
}


def _java(code: str, trial: Trial) -> str:
    body, start = [], ""
    if trial.owner:
        body.append(f"{trial.owner} thing = new {trial.owner}({_arguments(trial.made, 'java')});")
        start = "thing."
    for call in trial.calls:
        body.append(
            f'try {{ {_shown(call, start, "java", ";")} }} catch (Exception e) {{ System.out.println("error"); }}'
        )
    main = (
        "    public static void main(String[] arguments) {\n        "
        + "\n        ".join(body)
        + "\n    }\n"
    )
    imports = "import java.util.*;\nimport java.util.function.*;\nimport java.util.stream.*;\n\n"
    inside = "" if trial.owner else code + "\n"
    outside = code if trial.owner else ""
    return f"{imports}class Main {{\n{inside}{show_values.JAVA}{main}}}\n{outside}\n"


def _cpp(code: str, trial: Trial) -> str:
    body, start = [], ""
    if trial.owner:
        made = _arguments(trial.made, "cpp")
        body.append(f"auto thing = {trial.owner}({made});" if made else f"{trial.owner} thing;")
        start = "thing."
    for call in trial.calls:
        # Arguments are named: a translation may well take them by reference.
        held = "".join(
            f"auto a{at} = {literal(value, kind, 'cpp')}; "
            for at, (value, kind) in enumerate(call.arguments)
        )
        inside = f"{start}{call.name}({', '.join(f'a{at}' for at in range(len(call.arguments)))})"
        shown = f'{inside}; std::cout << "none" << std::endl;'
        if call.returns.name != "void":
            shown = f"std::cout << show__({inside}) << std::endl;"
        body.append(
            f'{{ {held}try {{ {shown} }} catch (...) {{ std::cout << "error" << std::endl; }} }}'
        )
    main = "int main() {\n  " + "\n  ".join(body) + "\n  return 0;\n}\n"
    return f"#include <bits/stdc++.h>\n{code}\n{show_values.CPP}\n{main}"


_GO_PACKAGES = {"math": "math", "slices": "slices", "strconv": "strconv", "unicode": "unicode", "maps": "maps",
                "errors": "errors", "utf8": "unicode/utf8"}  # fmt: skip


def _go(code: str, trial: Trial) -> str:
    used = [path for name, path in _GO_PACKAGES.items() if re.search(rf"\b{name}\.", code)]
    imports = "".join(
        f'\t"{path}"\n' for path in sorted(["fmt", "reflect", "sort", "strings", *used])
    )
    body, start = [], ""
    if trial.owner:
        body.append(f"thing := New{trial.owner}({_arguments(trial.made, 'go')})")
        start = "thing."
    for call in trial.calls:
        body.append(
            'func() { defer func() { if recover() != nil { fmt.Println("error") } }(); '
            + _shown(call, start, "go", ";")
            + " }()"
        )
    main = "func main() {\n\t" + "\n\t".join(body) + "\n}\n"
    return f"package main\n\nimport (\n{imports})\n\n{code}\n{show_values.GO}\n{main}"


_WRITERS = {"python": _python, "javascript": _javascript, "java": _java, "cpp": _cpp, "go": _go}
