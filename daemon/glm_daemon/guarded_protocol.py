"""uvicorn's HTTP/1.1 protocol with the deadlines and the peer check that it lacks (F11, T-14).

A client gets `header` seconds from its first byte (or from connecting) to the end of its
headers, `body` seconds for its body (`rest`, once that was refused), and must read: when our
answer has been stuck for `write` seconds the connection is cut. On a unix socket the peer must
be our own user.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from glm_daemon.serve_options import Patience

LOG = logging.getLogger(__name__)
UCRED = struct.Struct("3i")  # pid, uid, gid
TIMEOUT_ANSWER = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class GuardedProtocol(H11Protocol):
    """One connection. `scope["state"]["transport"]` tells the access guard "unix" or "tcp"."""

    patience: ClassVar[Patience] = Patience()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._timer: asyncio.TimerHandle | None = None
        self._phase = ""
        self._stuck: asyncio.TimerHandle | None = None
        peer = transport.get_extra_info("socket")
        unix = peer is not None and peer.family == socket.AF_UNIX
        self.app_state = {**self.app_state, "transport": "unix" if unix else "tcp"}
        super().connection_made(transport)
        if unix and not _same_user(peer):
            LOG.warning("refused a connection of another user")
            transport.abort()
            return
        self._await("header")

    def connection_lost(self, exc: Exception | None) -> None:
        self._await("")
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._phase == "" and self.conn.their_state is h11.IDLE:
            self._await("header")
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._follow()

    def shutdown(self) -> None:
        with contextlib.suppress(h11.LocalProtocolError):
            super().shutdown()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._stuck is None:
            self._stuck = self.loop.call_later(self.patience.write, self._cut_stuck)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _follow(self) -> None:
        """Which part of a request the client owes us now."""
        theirs = self.conn.their_state
        if theirs is h11.SEND_BODY:
            self._await("rest" if self.conn.our_state is h11.DONE else "body")
        elif theirs is not h11.IDLE:
            self._await("")
        elif not self.conn.trailing_data[0] and self.timeout_keep_alive_task is not None:
            self._await("")  # between requests; uvicorn's keep-alive timer runs

    def _await(self, phase: str) -> None:
        if phase == self._phase:
            return
        self._phase = phase
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if phase:
            seconds = {
                "header": self.patience.header,
                "body": self.patience.body,
                "rest": self.patience.rest,
            }
            self._timer = self.loop.call_later(seconds[phase], self._too_slow)

    def _too_slow(self) -> None:
        LOG.info("cut a connection whose %s took too long", self._phase)
        if not self.transport.is_closing():
            if self.cycle is None or not self.cycle.response_started:
                self.transport.write(TIMEOUT_ANSWER)
            self.transport.close()

    def _cut_stuck(self) -> None:
        LOG.info("cut a connection that does not read its answer")
        self.transport.abort()


def guarded_protocol(patience: Patience) -> type[GuardedProtocol]:
    """The protocol class with these deadlines; uvicorn makes its instances itself."""
    members: dict[str, Any] = {"patience": patience}
    return type("BoundGuardedProtocol", (GuardedProtocol,), members)


def _same_user(peer: socket.socket) -> bool:
    """By the kernel's word on Linux. Elsewhere the 0700 folder around the socket must do."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    _, uid, _ = UCRED.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size))
    return bool(uid == os.geteuid())
