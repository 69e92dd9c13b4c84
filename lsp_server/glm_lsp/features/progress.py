"""`$/progress` while the daemon starts or its model loads, for editors that announce it.

Only where it takes a moment: connecting to a daemon that runs already shows nothing.
"""

from __future__ import annotations

import asyncio
import itertools

from glm_lsp.daemon_link import DaemonState, LinkStatus
from glm_lsp.rpc_errors import LspError
from glm_lsp.session import Session

WORDS = {DaemonState.STARTING: "starting the daemon", DaemonState.LOADING: "loading the model"}

SHOWN_AFTER_S = 0.3


class LoadingProgress:
    """At most one progress bar at a time."""

    def __init__(self, session: Session) -> None:
        self.announced = False  # set at `initialize`
        self._session = session
        self._numbers = itertools.count(1)
        self._token: str | None = None
        self._begun = False
        self._words = ""

    def follow(self, status: LinkStatus) -> None:
        """Begin, change or end the bar as the state says."""
        if not self.announced:
            return
        words = WORDS.get(status.state, "")
        if words and self._token is None:
            self._token, self._begun = f"glm-loading-{next(self._numbers)}", False
            self._session.in_background(self._begin(self._token), "progress")
        elif words and words != self._words and self._begun:
            self._report(self._token, {"kind": "report", "message": words})
        elif not words and self._token is not None:
            if self._begun:
                self._report(self._token, {"kind": "end"})
            self._token = None
        self._words = words

    async def _begin(self, token: str) -> None:
        """Create the bar; by then the work may be over already."""
        await asyncio.sleep(SHOWN_AFTER_S)
        if self._token != token:
            return
        try:
            await self._session.ask("window/workDoneProgress/create", {"token": token})
        except LspError:
            return
        if self._token == token:
            self._begun = True
            words = {"title": "glm-lsp", "message": self._words}
            self._report(token, {"kind": "begin", **words})

    def _report(self, token: str | None, value: dict[str, str]) -> None:
        self._session.notify("$/progress", {"token": token, "value": value})
