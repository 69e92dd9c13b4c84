"""`glm-lsp` without a subcommand: the language server on stdio, or on a TCP port of loopback."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def run(argv: Sequence[str]) -> int:
    """Serve one editor until it says exit."""
    parser = argparse.ArgumentParser(prog="glm-lsp", add_help=False)
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--stdio", action="store_true", help="speak on stdin and stdout (default)")
    way.add_argument("--tcp", metavar="HOST:PORT", help="wait for one editor on a loopback port")
    # Some clients add these to every server's command line.
    parser.add_argument("--clientProcessId", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    from glm_lsp.server import run_stdio, run_tcp

    if options.tcp is None:
        return run_stdio()
    host, _, port = options.tcp.rpartition(":")
    if host not in ("127.0.0.1", "localhost", "[::1]") or not port.isdecimal():
        parser.error("--tcp takes 127.0.0.1:PORT, localhost:PORT or [::1]:PORT")
    return run_tcp(host.strip("[]"), int(port))
