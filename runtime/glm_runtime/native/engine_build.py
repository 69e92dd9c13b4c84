"""Compiles `engine.cpp` into a shared library. Standard library only: the wheel's build runs it.

A wheel carries the library beside the source. Where it does not (an editable install, a wheel for
any platform) it is compiled on first use, once for each version of the source: into the folder
`build` beside the source, or, where that cannot be written, into `$XDG_CACHE_HOME/glm-lsp/native`
(`~/Library/Caches/glm-lsp/native` on macOS).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

SOURCE = Path(__file__).with_name("engine.cpp")
CARRIED = Path(__file__).with_name("glm_engine.so")  # what a platform wheel brings along
COMPILERS = ("c++", "g++", "clang++")
FLAGS = (
    *("-std=c++17", "-O3", "-fPIC", "-shared", "-pthread"),
    *("-fvisibility=hidden", "-fno-math-errno", "-w"),
)
LONGEST_BUILD_S = 300


class NoCompiler(Exception):
    """There is no C++ compiler, or it failed; the text says which."""


def find_compiler() -> str | None:
    """Path of a C++ compiler; $CXX goes first."""
    named = os.environ.get("CXX")
    return next(filter(None, map(shutil.which, (*([named] if named else []), *COMPILERS))), None)


def compile_engine(target: Path, compiler: str) -> None:
    """Write the library to `target`, whole or not at all. Raises NoCompiler."""
    with tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent) as folder:
        part = Path(folder) / target.name
        command = [compiler, *FLAGS, str(SOURCE), "-o", str(part)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=LONGEST_BUILD_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NoCompiler(f"{compiler} could not be run ({error})") from error
        if done.returncode != 0 or not part.is_file():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise NoCompiler(f"{compiler} failed: {last[:200]}")
        part.replace(target)


def cache_folder() -> Path:
    """Where libraries that were compiled on first use are kept; not created here."""
    home = Path(os.environ.get("HOME") or tempfile.gettempdir())
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "glm-lsp" / "native"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "glm-lsp" / "native"


def library_name() -> str:
    """Name of the file of this version of the source, on this kind of machine."""
    digest = hashlib.sha256(SOURCE.read_bytes() + " ".join(FLAGS).encode()).hexdigest()[:16]
    return f"glm_engine-{platform.machine()}-{digest}.so"


def _folders() -> tuple[Path, Path]:
    return SOURCE.parent / "build", cache_folder()


def found_library() -> Path | None:
    """The library where it is there already."""
    name = library_name()
    places = (CARRIED, *(folder / name for folder in _folders()))
    return next((place for place in places if place.is_file()), None)


def built_library() -> Path:
    """The library, compiled now where it is not there yet. Raises NoCompiler."""
    found = found_library()
    if found is not None:
        return found
    name, folders = library_name(), _folders()
    compiler = find_compiler()
    if compiler is None:
        raise NoCompiler("no C++ compiler was found")
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            compile_engine(folder / name, compiler)
            return folder / name
    raise NoCompiler(f"{folders[-1]} cannot be written")


def build_for_the_next_start() -> None:
    """Compile in a thread, so that nobody waits. Raises NoCompiler where there is none."""
    if find_compiler() is None:
        raise NoCompiler("no C++ compiler was found")

    def build() -> None:
        with contextlib.suppress(NoCompiler):  # the next start says why
            built_library()

    threading.Thread(target=build, name="build the engine", daemon=True).start()
