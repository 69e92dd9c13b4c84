"""A place where a model's programs run: no network, nothing writable but one folder, limits.

What this system offers is used, and `describe` says honestly what that is:

    bubblewrap    a new root, read-only but for the folder; own network, processes, users
    namespaces    `unshare`: the same by hand; the user's home is hidden
    limits        neither is to be had: processor time, memory and file size alone. A program can
                  then read what the user can, and reach the network

It keeps accidents in; it is no prison for a determined attacker.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path

OUTPUT_CHARACTERS = 100_000
FILE_BYTES = 64 << 20
_STARTING_S = 10.0  # a try of whether a kind of sandbox works
# Inside its own mounts: the folder is writable, all else is not, and the home is empty.
_ENTER = (
    'mount --bind "$1" "$1" && mount -o remount,bind,ro / && mount -t proc proc /proc || exit 126;'
    ' if [ -n "$2" ]; then mount -t tmpfs -o size=1m tmpfs "$2" || exit 126; fi;'
    ' cd "$1"; shift 2; exec "$@"'
)
_UNSHARE = (
    *("unshare", "--user", "--map-root-user", "--net", "--ipc", "--pid", "--fork"),
    *("--kill-child", "--mount", "--propagation", "private", "sh", "-c", _ENTER, "sh"),
)
_BWRAP = (
    *("bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/", "/"),
    *("--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp"),
)


class SandboxKind(StrEnum):
    """What keeps the programs in."""

    BUBBLEWRAP = "bubblewrap"
    NAMESPACES = "namespaces"
    LIMITS = "limits"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """A command's end. `status` None: out of time."""

    status: int | None
    output: str
    errors: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """`memory_bytes`: address space; None for runtimes that reserve more than they use."""

    seconds: float = 10.0
    memory_bytes: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@cache
def sandbox_kind() -> SandboxKind:
    """The best that works here, tried once."""
    with tempfile.TemporaryDirectory(prefix="glm-lsp-try-") as name:
        for kind in (SandboxKind.BUBBLEWRAP, SandboxKind.NAMESPACES):
            command = wrapped(kind, ("true",), Path(name))
            if shutil.which(command[0]) is None:
                continue
            try:
                done = subprocess.run(
                    command, capture_output=True, check=False, timeout=_STARTING_S
                )
            except (OSError, subprocess.TimeoutExpired):
                continue
            if done.returncode == 0:
                return kind
    return SandboxKind.LIMITS


def describe(kind: SandboxKind) -> str:
    """One sentence for reports."""
    if kind is SandboxKind.LIMITS:
        return (
            "limits of time, memory and file size alone: neither bubblewrap nor user namespaces"
            " work here, so the programs could reach the network and read your files"
        )
    return f"{kind.value}: no network, nothing writable but a folder that is deleted, limits"


def wrapped(kind: SandboxKind, command: Sequence[str], folder: Path) -> tuple[str, ...]:
    """The command line that runs `command` in `folder`."""
    home = Path.home()
    tool = shutil.which(command[0], path=search_path())
    # A tool that is installed in the home alone must be seen there.
    hides = home != Path("/") and (tool is None or not Path(tool).is_relative_to(home))
    hides = hides and not folder.is_relative_to(home)
    if kind is SandboxKind.BUBBLEWRAP:
        hiding = ("--tmpfs", str(home)) if hides else ()
        place = ("--bind", str(folder), str(folder), "--chdir", str(folder))
        return (*_BWRAP, *hiding, *place, "--", *command)
    if kind is SandboxKind.NAMESPACES:
        return (*_UNSHARE, str(folder), str(home) if hides else "", *command)
    return tuple(command)


def search_path() -> str:
    """The user's PATH, what lies outside the home first: the home is hidden where it can be."""
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(
        sorted(entries, key=lambda entry: Path(entry).is_relative_to(Path.home()))
    )


def run_in_sandbox(
    command: Sequence[str], folder: Path, bounds: Bounds, *, kind: SandboxKind | None = None
) -> Ran:
    """Run to the end or until time is up. Raises OSError where the command does not exist."""
    folder = folder.resolve()
    process = subprocess.Popen(
        wrapped(sandbox_kind() if kind is None else kind, command, folder),
        cwd=folder,
        env=_environment(folder, bounds.environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_limiter(bounds),
    )
    try:
        output, errors = process.communicate(timeout=bounds.seconds)
        status: int | None = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
        status = None
    return Ran(status=status, output=_text(output), errors=_text(errors))


def _limiter(bounds: Bounds) -> Callable[[], None]:
    seconds = int(bounds.seconds) + 2

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 2))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if bounds.memory_bytes is not None:
            resource.setrlimit(resource.RLIMIT_AS, (bounds.memory_bytes, bounds.memory_bytes))

    return limit


def _environment(folder: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """Nothing of the user's own: no tokens, no proxies."""
    return {
        "PATH": search_path(),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),
        **extra,
    }


def _text(raw: bytes) -> str:
    return raw[: 4 * OUTPUT_CHARACTERS].decode("utf-8", "replace")[:OUTPUT_CHARACTERS]
