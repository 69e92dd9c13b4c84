"""Invented error lines of compilers, interpreters and test runners, with file and line."""

from __future__ import annotations

import random

_STEMS = (
    *("main", "parser", "models", "utils", "server", "client", "config", "test_api", "index"),
    *("app", "router", "store", "worker", "cache", "views", "schema", "queue", "token", "lexer"),
    *("loader", "handler", "engine", "session", "helpers", "render", "types", "db", "auth"),
)
_FOLDERS = ("", "", "src/", "app/", "lib/", "tests/", "pkg/core/", "./", "../web/")
_NAMES = ("value", "user", "node", "items", "total", "path", "result", "ctx", "key", "request")
_PYTHON = ("TypeError", "ValueError", "KeyError", "NameError", "IndexError", "AttributeError")


def place(chooser: random.Random, suffix: str) -> tuple[str, int]:
    """A file name with its folder, and a line number."""
    file = chooser.choice(_FOLDERS) + chooser.choice(_STEMS) + suffix
    return file, chooser.randrange(1, 10 ** chooser.randrange(1, 5))


def error_line(chooser: random.Random) -> str:
    """One line; most name a file and a line."""
    return error_with_place(chooser)[0]


def error_with_place(chooser: random.Random) -> tuple[str, str, int]:
    """The line, the file that it names, the line number."""
    name = chooser.choice(_NAMES)
    kind = chooser.randrange(7)
    suffix = (".py", ".ts", ".go", ".rs", ".c", ".js", ".java")[kind]
    file, line = place(chooser, suffix)
    column = chooser.randrange(1, 80)
    text = (
        f'File "{file}", line {line}, in {name}',
        f"{file}({line},{column}): error TS2304: '{name}'",
        f"{file}:{line}:{column}: undefined: {name}",
        f"  --> {file}:{line}:{column}",
        f"{file}:{line}: error: '{name}' undeclared",
        f"    at {name} ({file}:{line}:{column})",
        f"{file}:{line}: error: cannot find symbol",
    )[kind]
    return text, file, line


def python_error(chooser: random.Random) -> str:
    """The last line of a Python traceback."""
    return f"{chooser.choice(_PYTHON)}: '{chooser.choice(_NAMES)}' is not defined"
