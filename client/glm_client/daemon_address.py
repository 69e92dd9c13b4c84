"""Where the daemon is and what must be true of it before a word of code is sent there."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from glm_protocol.errors import BadRequest, DaemonUnreachable
from glm_protocol.folders import Folders

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MAX_TOKEN = 4096  # bytes of a token file


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalDaemon:
    """The user's own daemon on its private socket; `serve_args` are used if it must be started."""

    folders: Folders
    serve_args: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TeamDaemon:
    """A daemon on another machine. Nobody here starts or stops it."""

    url: str
    token: str = field(repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadRequest(
                f"The daemon's URL {self.url!r} is not an http(s) URL.",
                remedy="Set glm.daemon.url like https://host:port.",
            )
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise BadRequest(
                "The daemon's URL is plain http to another machine; code would travel unprotected.",
                remedy="Set glm.daemon.url to an https URL.",
            )


DaemonAddress = LocalDaemon | TeamDaemon


def read_token(token_file: str, environment_token: str | None) -> str:
    """The team token: from GLM_LSP_TOKEN, else from a private file. Raises BadRequest."""
    if environment_token:
        return environment_token.strip()
    if not token_file:
        return ""
    path = Path(token_file).expanduser()
    remedy = "Name a file of yours with mode 600 in glm.daemon.tokenFile."
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                raise BadRequest(f"{path} is not a file of yours.", remedy=remedy)
            if found.st_mode & 0o077:
                raise BadRequest(f"Others can read {path}.", remedy=f"chmod 600 {path}")
            return file.read(MAX_TOKEN).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"The token file {path} cannot be read.", remedy=remedy) from error


def make_private_folder(folder: Path) -> None:
    """Make the runtime folder (0700), or check that it is ours. Raises DaemonUnreachable."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DaemonUnreachable(
            f"The folder {folder} cannot be made: {error.strerror}.",
            remedy="Set GLM_LSP_RUNTIME to a folder of yours.",
        ) from error
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise DaemonUnreachable(
            f"{folder} is not a folder of yours.",
            remedy="Set GLM_LSP_RUNTIME to a folder of yours.",
        )
    if found.st_mode & 0o077:
        raise DaemonUnreachable(
            f"Other users can enter {folder}.", remedy=f"Make it private: chmod 700 {folder}"
        )


def socket_is_there(socket: Path) -> bool:
    """Whether a socket of ours exists. Raises DaemonUnreachable if a foreign object does."""
    try:
        found = socket.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise DaemonUnreachable(f"{socket} cannot be examined: {error.strerror}.") from error
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise DaemonUnreachable(
            f"{socket} is not a private socket of yours; nothing was sent to it.",
            remedy=f"Look at who made it, then remove it: rm {socket}",
        )
    return True
