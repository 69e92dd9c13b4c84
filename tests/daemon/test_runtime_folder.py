"""The runtime folder, the lock and the socket: private, or no start (F10, T-16, fault 20)."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from glm_daemon.daemon_lock import AlreadyRunning, DaemonLock
from glm_daemon.listening_socket import listen_tcp, listen_unix
from glm_daemon.runtime_folder import UnsafeSetup, check_socket_path, make_private_folder
from glm_daemon.serve_options import TcpAddress
from glm_protocol.folders import Folders
from tests.support.daemon_process import fresh_folders


@pytest.fixture
def runtime() -> Iterator[Path]:
    folders = fresh_folders()
    make_private_folder(folders.runtime)
    yield folders.runtime
    for file in folders.runtime.iterdir():
        if file.is_dir() and not file.is_symlink():
            file.rmdir()
        else:
            file.unlink()
    folders.runtime.rmdir()
    folders.runtime.parent.rmdir()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_folder_is_made_private_whatever_the_umask(runtime: Path) -> None:
    before = os.umask(0)
    try:
        make_private_folder(runtime / "deeper")
    finally:
        os.umask(before)
    assert mode(runtime / "deeper") == 0o700


def test_a_readable_folder_of_ours_is_tightened(runtime: Path) -> None:
    runtime.chmod(0o755)
    make_private_folder(runtime)
    assert mode(runtime) == 0o700


@pytest.mark.parametrize("bits", [0o720, 0o702, 0o777])
def test_a_folder_that_others_can_write_is_refused(runtime: Path, bits: int) -> None:
    runtime.chmod(bits)
    with pytest.raises(UnsafeSetup, match="Others can write"):
        make_private_folder(runtime)
    assert mode(runtime) == bits
    runtime.chmod(0o700)


def test_a_link_or_file_in_place_of_the_folder_is_refused(runtime: Path) -> None:
    (runtime / "link").symlink_to(runtime)
    (runtime / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(UnsafeSetup):
            make_private_folder(runtime / name)


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a folder away")
def test_a_folder_of_another_user_is_refused(runtime: Path) -> None:
    theirs = runtime / "theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    with pytest.raises(UnsafeSetup, match="another user"):
        make_private_folder(theirs)


def test_a_path_that_the_kernel_would_cut_is_refused() -> None:
    long = Path("/tmp") / ("x" * 100)
    with pytest.raises(UnsafeSetup, match="shorter folder"):
        check_socket_path(Folders(home=long, runtime=long))


def test_socket_is_0600_whatever_the_umask(runtime: Path) -> None:
    before = os.umask(0)
    try:
        listener = listen_unix(runtime / "s")
    finally:
        os.umask(before)
    with listener.sock:
        assert mode(listener.path) == 0o600
        assert listener.still_ours()
        listener.remove()
    assert not listener.path.exists()


def test_a_stale_socket_is_replaced(runtime: Path) -> None:
    with listen_unix(runtime / "s").sock:
        pass
    with listen_unix(runtime / "s").sock, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(runtime / "s"))


def test_a_foreign_object_is_refused_and_stays(runtime: Path) -> None:
    (runtime / "file").write_text("mine")
    (runtime / "link").symlink_to(runtime / "elsewhere")
    (runtime / "folder").mkdir()
    for name in ("file", "link", "folder"):
        with pytest.raises(UnsafeSetup, match="not a socket of ours"):
            listen_unix(runtime / name)
    assert (runtime / "file").read_text() == "mine"
    assert not (runtime / "elsewhere").exists()


def test_a_replaced_socket_is_not_ours_and_not_removed(runtime: Path) -> None:
    listener = listen_unix(runtime / "s")
    (runtime / "s").rename(runtime / "old")
    (runtime / "s").touch()
    with listener.sock:
        assert not listener.still_ours()
        listener.remove()
    assert (runtime / "s").exists()


def test_one_holder_of_the_lock(runtime: Path) -> None:
    with DaemonLock(runtime / "lock"):
        assert mode(runtime / "lock") == 0o600
        with pytest.raises(AlreadyRunning) as caught:
            DaemonLock(runtime / "lock")
        assert caught.value.pid == os.getpid()
    DaemonLock(runtime / "lock").release()


def test_a_lock_of_garbage_is_taken_and_a_link_is_refused(runtime: Path) -> None:
    (runtime / "lock").write_text("4194304\nnot a pid")
    DaemonLock(runtime / "lock").release()
    (runtime / "link").symlink_to(runtime / "lock")
    with pytest.raises(UnsafeSetup):
        DaemonLock(runtime / "link")


def test_a_taken_port_is_one_sentence() -> None:
    with listen_tcp(TcpAddress(host="127.0.0.1", port=0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UnsafeSetup, match="Choose another"):
            listen_tcp(TcpAddress(host="127.0.0.1", port=port))
