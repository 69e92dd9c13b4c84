"""A generation and its problem become a program that fails unless the generation is right.

    python       imports, prompt, generation, test
    javascript   the same; it passes only when it prints nothing: `console.assert` fails no process
    java, cpp    missing includes or imports, prompt, generation, test
    go           test_setup, imports, prompt without its own imports, generation, test; `go test`
    rust         a stub of main, prompt, declaration, generation, test; `rustc --test`

A translation takes the place of prompt and generation, with the prompt's imports in front. Source:
the evaluation described in the CodeGeeX project; versions there are older than today's.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from glm_codegen.evaluate.humaneval_x_problems import Problem
from glm_codegen.evaluate.sandbox import Bounds, Ran, run_in_sandbox

COMPILE_S, RUN_S = 60.0, 15.0
_GIGABYTE = 1 << 30
_PYTHON_IMPORTS = (
    "import math\nimport re\nimport sys\nimport copy\nimport datetime\nimport itertools\n"
    "import collections\nimport heapq\nimport functools\nimport hashlib\nimport string\n"
    "from typing import *\nfrom collections import *\n"
)
_CPP_INCLUDES = (
    "algorithm", "climits", "cmath", "cstdlib", "iostream", "map", "math.h", "numeric", "set",
    "stdio.h", "string", "vector",
)  # fmt: skip
_GO_IMPORT = re.compile(r"^import\s*(?:\([^)]*\)|\"[^\"]*\")\s*$", re.MULTILINE)
_GO_PACKAGES = ("math", "sort", "strconv", "strings", "unicode", "fmt", "bytes", "regexp", "time")


class Verdict(StrEnum):
    """How a program ended."""

    PASSED = "passed"
    FAILED = "failed"
    COMPILE_ERROR = "compile error"
    TIMEOUT = "timeout"


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """What a language needs here, and how its program is compiled and run."""

    needs: tuple[str, ...]
    file: str
    run: tuple[str, ...]
    compile: tuple[str, ...] = ()
    memory_bytes: int | None = None
    environment: dict[str, str] = field(default_factory=dict)


TOOLS = {
    "python": Tools(
        needs=("python3",), file="main.py", run=("python3", "-I", "main.py"),
        memory_bytes=4 * _GIGABYTE,
    ),
    "javascript": Tools(
        needs=("node",), file="main.js", run=("node", "--max-old-space-size=512", "main.js")
    ),
    "java": Tools(
        needs=("javac", "java"), file="Main.java",
        compile=("javac", "-nowarn", "-J-XX:+UseSerialGC", "Main.java"),
        run=("java", "-XX:+UseSerialGC", "-Xmx512m", "Main"),
    ),
    "cpp": Tools(
        needs=("g++",), file="main.cpp",
        compile=("g++", "-std=c++17", "-w", "-o", "main", "main.cpp"),
        run=("./main",), memory_bytes=4 * _GIGABYTE,
    ),
    "go": Tools(
        needs=("go",), file="main_test.go", run=("go", "test", "main_test.go"),
        environment={"GO111MODULE": "off", "GOFLAGS": "-p=1", "GOTOOLCHAIN": "local"},
    ),
    "rust": Tools(
        needs=("rustc",), file="main.rs", compile=("rustc", "--test", "-A", "warnings", "main.rs"),
        run=("./main",), memory_bytes=4 * _GIGABYTE,
    ),
}  # fmt: skip


def missing_tools(language: str) -> tuple[str, ...]:
    """Programs that the language needs and this machine has not."""
    return tuple(tool for tool in TOOLS[language].needs if shutil.which(tool) is None)


def program_of(problem: Problem, generation: str, language: str) -> str:
    """The program that judges a generation, which goes on from the problem's prompt."""
    code = problem.prompt + generation
    if language == "rust":
        code = f"{problem.prompt}\n{problem.declaration}{generation}"
    return _assembled(problem, code, language)


def program_of_translation(problem: Problem, translation: str, language: str) -> str:
    """The program that judges a whole translated function."""
    if language == "java" and not re.search(r"\bclass\s+Solution\b", translation):
        translation = "class Solution {\n" + translation + "\n}\n"
    return _assembled(problem, f"{_imports_of(problem, language)}\n{translation}\n", language)


def _imports_of(problem: Problem, language: str) -> str:
    starts = {"python": ("import ", "from "), "java": ("import ",), "cpp": ("#include", "using "),
              "rust": ("use ",)}.get(language, ())  # fmt: skip
    lines = (problem.prompt + problem.declaration).splitlines()
    return "\n".join(dict.fromkeys(line for line in lines if starts and line.startswith(starts)))


def _assembled(problem: Problem, code: str, language: str) -> str:
    match language:
        case "python":
            return f"{_PYTHON_IMPORTS}{code}\n{problem.test}\n"
        case "cpp":
            missing = [
                name for name in _CPP_INCLUDES if f"#include<{name}>" not in code.replace(" ", "")
            ]
            includes = "".join(f"#include<{name}>\n" for name in missing)
            return f"{includes}using namespace std;\n{code}\n{problem.test}\n"
        case "go":
            return _go(problem, code)
        case "rust":
            return f"fn main() {{}}\n{code}\n{problem.test}\n"
    return f"{code}\n{problem.test}\n"


def _go(problem: Problem, code: str) -> str:
    """One import block for prompt and test: Go forbids a second one and unused ones."""
    setup, body = problem.test_setup or "package main\n", _GO_IMPORT.sub("", code)
    body = body.replace("package main", "")
    given = problem.test_setup + problem.imports
    used = [
        name
        for name in _GO_PACKAGES
        if f'"{name}"' not in setup
        and (f'"{name}"' in given or f"{name}." in body)
        and f"{name}." in body + problem.test
    ]
    extra = "".join(f'import "{name}"\n' for name in used)
    return f"{setup}\n{extra}{body}\n{problem.test}\n"


def judge(program: str, language: str) -> tuple[Verdict, str]:
    """Run a program in the sandbox: the verdict, and what it said where it failed."""
    tools = TOOLS[language]
    with tempfile.TemporaryDirectory(prefix="glm-lsp-eval-") as name:
        folder = Path(name)
        (folder / tools.file).write_text(program, encoding="utf-8", errors="replace")
        if tools.compile:
            made = _run(tools.compile, folder, COMPILE_S, tools, memory=False)
            if made.status is None:
                return Verdict.TIMEOUT, "compiling"
            if made.status != 0:
                return Verdict.COMPILE_ERROR, made.errors[-2000:]
        ran = _run(tools.run, folder, COMPILE_S if language == "go" else RUN_S, tools, memory=True)
    if ran.status is None:
        return Verdict.TIMEOUT, "running"
    said = ran.output + ran.errors
    if ran.status != 0 or (language == "javascript" and said.strip()):
        words = ("SyntaxError", "IndentationError", "[build failed]", "[setup failed]")
        broken = any(word in said for word in words)
        return Verdict.COMPILE_ERROR if broken else Verdict.FAILED, said[-2000:]
    return Verdict.PASSED, ""


def _run(
    command: tuple[str, ...], folder: Path, seconds: float, tools: Tools, *, memory: bool
) -> Ran:
    bounds = Bounds(
        seconds=seconds,
        memory_bytes=tools.memory_bytes if memory else None,
        environment=tools.environment,
    )
    return run_in_sandbox(command, folder, bounds)
