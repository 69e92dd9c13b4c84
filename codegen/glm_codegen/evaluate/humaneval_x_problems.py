"""Problems of HumanEval-X in their official form: JSON lines, gzipped or not, one language a file.

A problem has `task_id` (as `Python/0`), `prompt`, `declaration`, `canonical_solution`, `test`; Go
also `import` and `test_setup`. Results are lines of `task_id` and `generation`. Only the reading.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glm_protocol.errors import BadRequest

# language: how its task ids begin, which is also how official folders name it
TASK_PREFIX = {
    "python": "Python", "javascript": "JavaScript", "java": "Java", "cpp": "CPP", "go": "Go",
    "rust": "Rust",
}  # fmt: skip
FILE_NAMES = {language: language for language in TASK_PREFIX} | {"javascript": "js"}
ALIASES = {"js": "javascript", "c++": "cpp"}
MAX_LINE = 4_000_000  # bytes
_LAST_NAME = {
    "python": re.compile(r"def\s+(\w+)"),
    "javascript": re.compile(r"(?:const|let|var|function)\s+(\w+)"),
    "java": re.compile(r"(\w+)\s*\([^()]*\)\s*(?:throws\s+[\w, ]+)?\{"),
    "cpp": re.compile(r"(\w+)\s*\([^()]*\)\s*\{"),
    "go": re.compile(r"func\s+(\w+)"),
    "rust": re.compile(r"fn\s+(\w+)"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One problem in one language; texts as the file has them."""

    task_id: str
    prompt: str
    declaration: str
    canonical_solution: str
    test: str
    imports: str = ""
    test_setup: str = ""

    @property
    def number(self) -> str:
        return self.task_id.partition("/")[2]

    def entry(self, language: str) -> str:
        """Name of the function that the tests call: the last one that is declared; "" if none."""
        found = _LAST_NAME[language].findall(self.declaration or self.prompt)
        return found[-1] if found else ""


def language_of(name: str) -> str:
    """The language that an argument names. Raises BadRequest."""
    language = ALIASES.get(name.lower(), name.lower())
    if language not in TASK_PREFIX:
        raise BadRequest(
            f"HumanEval-X has no language {name[:40]!r}.",
            remedy=f"It has: {', '.join(TASK_PREFIX)}.",
        )
    return language


def find_file(path: Path, language: str) -> Path:
    """The language's file: `path` itself, or the one in that folder. Raises BadRequest."""
    found = [path] if path.is_file() else _files(path, language)
    if not found:
        raise BadRequest(
            f"There is no humaneval_{FILE_NAMES[language]}.jsonl in {path}.",
            remedy="Name a file of HumanEval-X, or the folder that holds them.",
        )
    return found[0]


def has_file(path: Path, language: str) -> bool:
    """Whether the folder holds the language's file."""
    return bool(_files(path, language))


def _files(folder: Path, language: str) -> list[Path]:
    name = FILE_NAMES[language]
    patterns = (f"humaneval_{name}.jsonl*", f"{name}.jsonl*", f"{language}.jsonl*")
    return [file for pattern in patterns for file in sorted(folder.rglob(pattern))]


def read_problems(path: Path, language: str) -> tuple[Problem, ...]:
    """All problems of a language. Raises BadRequest, naming file and line."""
    file = find_file(path, language)
    problems = []
    for number, wire in read_lines(file):
        try:
            problem = _problem(wire)
        except (KeyError, TypeError) as error:
            raise BadRequest(
                f"{file}, line {number}: it is no problem of HumanEval-X ({error}).",
                remedy="Fetch the file again.",
            ) from error
        if not problem.task_id.startswith(f"{TASK_PREFIX[language]}/"):
            raise BadRequest(
                f"{file}, line {number}: {problem.task_id!r} is no problem in {language}.",
                remedy="Choose the file of that language.",
            )
        problems.append(problem)
    if not problems:
        raise BadRequest(f"{file} holds no problem.", remedy="Fetch the file again.")
    return tuple(problems)


def read_samples(file: Path) -> dict[str, list[str]]:
    """Generations by task id, from lines of results. Raises BadRequest."""
    samples: dict[str, list[str]] = {}
    for number, wire in read_lines(file):
        task, text = wire.get("task_id"), wire.get("generation")
        if not isinstance(task, str) or not isinstance(text, str):
            raise BadRequest(
                f"{file}, line {number}: it has no task_id and generation.",
                remedy='Lines look like {"task_id": "Python/0", "generation": "..."}.',
            )
        samples.setdefault(task, []).append(text)
    return samples


def read_lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number, object) of each line. Raises BadRequest."""
    opened = gzip.open if file.suffix == ".gz" else Path.open
    try:
        with opened(file, "rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(MAX_LINE), b""), start=1):
                if line.strip():
                    wire = json.loads(line)
                    if not isinstance(wire, dict):
                        raise ValueError("not an object")
                    yield number, wire
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise BadRequest(f"{file} cannot be read ({error}).", remedy="Fetch it again.") from error


def _problem(wire: dict[str, Any]) -> Problem:
    def text(key: str, default: str | None = None) -> str:
        value = wire[key] if default is None else wire.get(key, default)
        if not isinstance(value, str):
            raise TypeError(f"{key} is no text")
        return value

    return Problem(
        task_id=text("task_id"),
        prompt=text("prompt"),
        declaration=text("declaration", ""),
        canonical_solution=text("canonical_solution", ""),
        test=text("test"),
        imports=text("import", ""),
        test_setup=text("test_setup", ""),
    )
