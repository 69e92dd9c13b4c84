"""The sockets we listen on, bound by us: uvicorn would make them 0666 and steal a live one (F10).

Invariant: called only while the daemon's lock is held, so what lies at the path is stale.
"""

from __future__ import annotations

import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from glm_daemon.runtime_folder import UnsafeSetup
from glm_daemon.serve_options import TcpAddress

BACKLOG = 256
SOCKET_UMASK = 0o177


@dataclass(frozen=True, kw_only=True, slots=True)
class UnixListener:
    """A listening unix socket and the inode by which we know it as ours."""

    sock: socket.socket
    path: Path
    inode: int

    def still_ours(self) -> bool:
        """False when somebody removed or replaced it: then nobody can find this daemon."""
        try:
            return self.path.lstat().st_ino == self.inode
        except OSError:
            return False

    def remove(self) -> None:
        """Unlink, unless another's lies there."""
        if self.still_ours():
            self.path.unlink(missing_ok=True)


def listen_unix(path: Path) -> UnixListener:
    """Bind 0600 and listen. Replaces a stale socket of ours; else raises UnsafeSetup."""
    _clear_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(SOCKET_UMASK)
    try:
        sock.bind(os.fspath(path))
    except OSError as error:
        sock.close()
        raise UnsafeSetup(
            f"The socket {path} cannot be made ({error.strerror})."
            " Set GLM_LSP_RUNTIME to a folder of yours on a local disk."
        ) from error
    finally:
        os.umask(before)
    sock.listen(BACKLOG)
    return UnixListener(sock=sock, path=path, inode=path.lstat().st_ino)


def _clear_stale(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
        raise UnsafeSetup(f"{path} is not a socket of ours. See what it is and remove it.")
    path.unlink()


def listen_tcp(address: TcpAddress) -> socket.socket:
    """Bind and listen. Raises UnsafeSetup, for instance when the port is taken."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, where = found[0]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(where)
            sock.listen(BACKLOG)
        except OSError:
            sock.close()
            raise
    except OSError as error:
        raise UnsafeSetup(
            f"Cannot listen on {address.host}:{address.port} ({error.strerror})."
            " Choose another with --tcp."
        ) from error
    return sock
