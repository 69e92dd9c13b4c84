"""`glm-lsp serve`: reads the arguments, takes lock and sockets, runs the daemon.

Exit codes: 0 orderly end; 1 a fault of ours, or killed by a second signal; 2 wrong arguments;
3 a daemon of this user is running already; 78 the set-up is not safe (EX_CONFIG).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import stat
import sys
from collections.abc import MutableMapping
from pathlib import Path

from glm_daemon.daemon_lock import AlreadyRunning, DaemonLock
from glm_daemon.daemon_log import start_log
from glm_daemon.listening_socket import listen_tcp, listen_unix
from glm_daemon.runtime_folder import UnsafeSetup, check_socket_path, make_private_folder
from glm_daemon.serve_options import ServeOptions, TcpAddress, TcpOptions
from glm_protocol.folders import Folders, user_folders

EXIT_FAULT = 1
EXIT_ALREADY_RUNNING = 3
EXIT_CONFIG = 78
TOKEN_VARIABLE = "GLM_LSP_TOKEN"
SHORTEST_TOKEN = 16  # characters
LOG = logging.getLogger(__name__)


def argument_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glm-lsp serve",
        description="Run the daemon that completes code for every editor of this user."
        " Editors start it by themselves; start it yourself to choose the model or to serve TCP.",
        epilog="Exit codes: 0 ended in order, 1 fault, 2 wrong arguments, 3 already running,"
        " 78 unsafe set-up. GLM_LSP_RUNTIME moves the folder of socket, lock and log.",
    )
    add = parser.add_argument
    add("--model", metavar="NAME|PATH", help='registered name, folder, or "fake" (no model)')
    add("--device", help="torch device type, such as cpu, mps, xpu (default: the best)")
    add(
        "--dtype",
        choices=("float32", "bfloat16", "float16", "int8", "int4"),
        help="default: what suits the device; int8 and int4: the native engine",
    )
    add("--threads", type=_positive, metavar="N", help="CPU threads of an engine")
    add("--tcp", type=_address, metavar="HOST:PORT", help="listen on TCP too; needs a token")
    add(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"file (mode 0600) with the TCP token; or set {TOKEN_VARIABLE}",
    )
    add(
        "--allow-remote",
        action="store_true",
        help="let --tcp be reached from other machines; put a TLS proxy in front",
    )
    add(
        "--public-host",
        action="append",
        default=[],
        metavar="NAME[:PORT]",
        help="Host header to accept on TCP, for the proxy in front (repeatable)",
    )
    add(
        "--idle-exit",
        type=_seconds,
        default=1800.0,
        metavar="SECONDS",
        help="end after so long without requests (default 1800; 0: never)",
    )
    add(
        "--queue",
        type=_positive,
        default=64,
        metavar="N",
        help="requests that may wait (default 64)",
    )
    add(
        "--engines",
        type=_positive,
        default=2,
        metavar="N",
        help="models loaded at once (default 2)",
    )
    add("--foreground", action="store_true", help="stay in the foreground (it always does)")
    add("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    return parser


def run(argv: list[str]) -> int:
    """The command. Every failure is one line on stderr and an exit code."""
    args = argument_parser().parse_args(argv)
    os.umask(0o077)
    try:
        options = ServeOptions(
            model=args.model,
            device=args.device,
            dtype=args.dtype,
            threads=args.threads,
            tcp=_tcp_options(args, os.environ),
            idle_exit=args.idle_exit,
            queue=args.queue,
            engines=args.engines,
            log_level=args.log_level,
        )
        folders = user_folders()
        make_private_folder(folders.runtime)
        check_socket_path(folders)
        with DaemonLock(folders.lock):
            return _serve(options, folders)
    except AlreadyRunning as running:
        print(f"glm-lsp serve: {running}", file=sys.stderr)
        return EXIT_ALREADY_RUNNING
    except (UnsafeSetup, ValueError) as error:
        print(f"glm-lsp serve: {error}", file=sys.stderr)
        return EXIT_CONFIG


def _serve(options: ServeOptions, folders: Folders) -> int:
    """Under the lock. Listens before the heavy imports, so that clients can connect and wait."""
    unix = listen_unix(folders.socket)
    with contextlib.ExitStack() as stack:
        stack.callback(unix.remove)
        tcp = listen_tcp(options.tcp.address) if options.tcp else None
        start_log(folders.log, options.log_level)
        if tcp is not None:
            LOG.info("listening on TCP port %d", tcp.getsockname()[1])

        from glm_daemon.daemon import Daemon  # FastAPI and uvicorn: half a second

        async def run_daemon() -> None:
            daemon = Daemon(options=options, registry=folders.registry, unix=unix, tcp=tcp)
            daemon.handle_signals()
            await daemon.run()

        try:
            asyncio.run(run_daemon())
        except Exception:  # the edge
            LOG.critical("the daemon failed", exc_info=True)
            return EXIT_FAULT
    return 0


def _tcp_options(args: argparse.Namespace, environ: MutableMapping[str, str]) -> TcpOptions | None:
    """Raises UnsafeSetup. Takes the token out of the environment, so no worker inherits it."""
    token = environ.pop(TOKEN_VARIABLE, "")
    if args.tcp is None:
        return None
    if not args.tcp.loopback and not args.allow_remote:
        raise UnsafeSetup(
            f"{args.tcp.host} can be reached from other machines and the daemon speaks no TLS."
            " Use 127.0.0.1, or put a TLS proxy in front and add --allow-remote."
        )
    if args.token_file is not None:
        token = _read_token(args.token_file)
    if len(token) < SHORTEST_TOKEN:
        raise UnsafeSetup(
            f"--tcp needs a token of at least {SHORTEST_TOKEN} characters."
            f" Write one to a file: python3 -c 'import secrets; print(secrets.token_urlsafe(32))',"
            f" chmod 600 it and give --token-file, or set {TOKEN_VARIABLE}."
        )
    return TcpOptions(address=args.tcp, token=token, public_hosts=tuple(args.public_host))


def _read_token(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            found = os.fstat(file.fileno())
            if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
                raise UnsafeSetup(f"{path} must be yours alone: chmod 600 {path}")
            return file.read(4096).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnsafeSetup(f"The token file {path} cannot be read ({error}).") from error


def _positive(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 65_536:
        raise argparse.ArgumentTypeError("must be from 1 to 65536")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1e9:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return number


def _address(text: str) -> TcpAddress:
    try:
        return TcpAddress.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
