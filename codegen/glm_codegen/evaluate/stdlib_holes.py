"""Bodies of functions of Python's standard library, judged by CPython's own tests.

A hole counts only where the tests tell: the original has to pass and a mutant, the same function
with an empty body, has to fail. The module under test is a copy in a folder of its own, which
stands before the standard library on the path; it runs in the sandbox.
"""

from __future__ import annotations

import importlib.util
import os
import random
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from glm_codegen.evaluate.repository_holes import Place, SourceText
from glm_codegen.evaluate.sandbox import Bounds, run_in_sandbox
from glm_context.syntax import Syntax
from glm_protocol.errors import BadRequest

# Written in Python, with tests of a second or so.
MODULES = (
    *("textwrap", "bisect", "heapq", "colorsys", "fnmatch", "shlex", "string", "html"),
    *("base64", "graphlib", "reprlib", "getopt", "copy"),
)
# Not a link to it in a virtual environment: the sandbox may hide where that leads.
PYTHON = os.path.realpath(sys.executable)
TEST_S = 60.0
LONGEST, SHORTEST = 600, 20  # characters of a body


@dataclass(frozen=True, kw_only=True, slots=True)
class StdlibHole:
    """One body. `place.source.path` is the module's file name."""

    module: str
    place: Place


def draw_stdlib_holes(syntax: Syntax, seed: int) -> Iterator[StdlibHole]:
    """Bodies in an order drawn by chance; not tried yet. Raises BadRequest without tests."""
    if importlib.util.find_spec("test") is None or not _has_tests():
        raise BadRequest(
            "This Python came without its own tests (the package `test`).",
            remedy="Use one from python.org, pyenv or uv; Debian's is in libpython3-testsuite.",
        )
    found = []
    folder = Path(sysconfig.get_path("stdlib"))
    for module in MODULES:
        file = folder / f"{module}.py"
        if not file.is_file():
            file = folder / module / "__init__.py"
        source = SourceText(
            path=f"{module}.py", language="python", text=file.read_text(encoding="utf-8")
        )
        for hole in syntax.holes(source.text, "python"):
            size = hole.end - hole.start
            if hole.kind == "block_body" and SHORTEST <= size <= LONGEST:
                place = Place(kind=hole.kind, source=source, start=hole.start, end=hole.end)
                found.append(StdlibHole(module=module, place=place))
    random.Random(seed).shuffle(found)
    yield from found


def tells(hole: StdlibHole) -> bool:
    """Whether the tests pass with the original and fail with an empty body."""
    return passes(hole, hole.place.truth) and not passes(hole, "pass")


def passes(hole: StdlibHole, body: str) -> bool:
    """Whether the module's tests pass with this body in the hole."""
    text, place = hole.place.source.text, hole.place
    with tempfile.TemporaryDirectory(prefix="glm-lsp-stdlib-") as name:
        folder = Path(name)
        (folder / f"{hole.module}.py").write_text(
            text[: place.start] + body + text[place.end :], encoding="utf-8"
        )
        command = (PYTHON, "-W", "ignore", "-m", "unittest", "-f", _test_of(hole.module))
        return run_in_sandbox(command, folder, Bounds(seconds=TEST_S)).status == 0


def _test_of(module: str) -> str:
    return f"test.test_{module}"


def _has_tests() -> bool:
    try:
        return importlib.util.find_spec(_test_of(MODULES[0])) is not None
    except ImportError:
        return False
