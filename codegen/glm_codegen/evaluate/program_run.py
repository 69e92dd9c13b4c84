"""Compiles and runs whole programs in five languages, one after the other, in one sandbox folder.

The folder lasts as long as the runner, because Go compiles its library into a cache there once.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from glm_codegen.evaluate.sandbox import Bounds, run_in_sandbox, search_path

COMPILE_S, RUN_S = 120.0, 10.0
GO_MINOR = 21  # 1.21 brought `min`, `max` and package slices


class Outcome(StrEnum):
    """How far a program came."""

    OUTPUT = "output"
    COMPILE_ERROR = "compile error"
    RUN_ERROR = "run error"
    TIMEOUT = "timeout"
    NO_COMPILER = "no compiler"


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What a program printed, and how it ended."""

    outcome: Outcome
    output: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """File name, compile command and run command."""

    needs: tuple[str, ...]
    file: str
    compile: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


_JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
TOOLCHAINS = {
    "python": Toolchain(needs=("python3",), file="main.py", run=("python3", "-I", "main.py")),
    "javascript": Toolchain(needs=("node",), file="main.js", run=("node", "main.js")),
    "java": Toolchain(
        needs=("javac", "java"),
        file="Main.java",
        compile=("javac", "-nowarn", *(f"-J{option}" for option in _JVM), "Main.java"),
        run=("java", *_JVM, "-Xmx256m", "Main"),
    ),
    "cpp": Toolchain(
        needs=("g++",),
        file="main.cpp",
        compile=("g++", "-std=c++20", "-O0", "-w", "-o", "main", "main.cpp"),
        run=("./main",),
    ),
    "go": Toolchain(
        needs=("go",),
        file="main.go",
        compile=("go", "build", "-o", "main", "main.go"),
        run=("./main",),
        environment={"GO111MODULE": "off", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"},
    ),
}


def missing_tools(language: str) -> tuple[str, ...]:
    """Programs that a language needs and this machine has not, or not in the version needed."""
    needs = TOOLCHAINS[language].needs
    missing = tuple(tool for tool in needs if shutil.which(tool, path=search_path()) is None)
    if not missing and language == "go" and not _go_is_new(search_path()):
        return (f"go 1.{GO_MINOR} or newer",)
    return missing


@cache
def _go_is_new(path: str) -> bool:
    """Whether Go has `min`, `max` and package slices, which translations use."""
    go = shutil.which("go", path=path)
    if go is None:
        return False
    with tempfile.TemporaryDirectory(prefix="glm-lsp-go-") as folder:
        environment = {"PATH": path, "HOME": folder, "GOTOOLCHAIN": "local"}
        try:
            told = subprocess.run(
                (go, "env", "GOVERSION"), capture_output=True, text=True, check=False,
                env=environment, cwd=folder, timeout=COMPILE_S,
            ).stdout  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return False
    found = re.match(r"go1\.(\d+)|go(\d+)", told)
    return found is not None and (found[1] is None or int(found[1]) >= GO_MINOR)


class ProgramRunner:
    """`with ProgramRunner() as runner: runner.run(program, language)`."""

    def __enter__(self) -> Self:
        """Make the folder."""
        self._folder = tempfile.TemporaryDirectory(
            prefix="glm-lsp-run-", ignore_cleanup_errors=True
        )
        self._root = Path(self._folder.name).resolve()
        self._number = 0
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Delete it with all that is in it."""
        self._folder.cleanup()

    def run(self, program: str, language: str) -> RunResult:
        """Compile and run a program. Never raises for what the program does."""
        missing = missing_tools(language)
        if missing:
            return RunResult(outcome=Outcome.NO_COMPILER, detail=", ".join(missing))
        tools = TOOLCHAINS[language]
        self._number += 1
        place = self._root / f"p{self._number}"
        place.mkdir()
        (place / tools.file).write_text(program, encoding="utf-8")
        try:
            return self._steps(tools, place)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _steps(self, tools: Toolchain, place: Path) -> RunResult:
        if tools.compile:
            status, _, errors = self._command(tools.compile, tools, place, COMPILE_S)
            if status is None:
                return RunResult(outcome=Outcome.TIMEOUT, detail="compiling")
            if status != 0:
                return RunResult(outcome=Outcome.COMPILE_ERROR, detail=errors[:2000])
        status, output, errors = self._command(tools.run, tools, place, RUN_S)
        if status is None:
            return RunResult(outcome=Outcome.TIMEOUT, detail="running")
        if status == 0:
            return RunResult(outcome=Outcome.OUTPUT, output=output)
        syntax = "SyntaxError" in errors or "IndentationError" in errors
        outcome = Outcome.COMPILE_ERROR if syntax else Outcome.RUN_ERROR
        return RunResult(outcome=outcome, output=output, detail=errors[-2000:])

    def _command(
        self, command: tuple[str, ...], tools: Toolchain, place: Path, seconds: float
    ) -> tuple[int | None, str, str]:
        # The sandbox's folder is the runner's, so that the cache lasts; the command works below.
        script = f'cd "{place}" && exec "$@"'
        environment = {"GOCACHE": str(self._root / "go-cache"), **tools.environment}
        ran = run_in_sandbox(
            ("sh", "-c", script, "sh", *command),
            self._root,
            Bounds(seconds=seconds, environment=environment),
        )
        return ran.status, ran.output, ran.errors
