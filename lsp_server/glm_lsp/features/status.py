"""`glm/status`: one line for the editor's status bar, as a request and as a notification.

Messages that interrupt the user (`window/showMessage`) all go through here, so that they are few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm_lsp.daemon_link import DaemonState, LinkStatus
from glm_lsp.features.progress import LoadingProgress
from glm_lsp.json_body import JsonObject
from glm_lsp.session import Session
from glm_protocol.errors import GlmError

if TYPE_CHECKING:
    from glm_lsp.server import LanguageServer

MESSAGE_TYPES = {"error": 1, "warning": 2, "info": 3}


class StatusLine:
    """What was last said about the daemon."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._last = LinkStatus(state=DaemonState.IDLE)
        self._problems: set[str] = set()
        self.model = ""  # the one that answered last
        self.progress = LoadingProgress(session)

    def to_wire(self) -> JsonObject:
        return {
            "state": str(self._last.state),
            "model": self.model,
            "message": self._last.message,
        }

    def take(self, status: LinkStatus) -> None:
        """The link's state changed: tell the editor, and the user where that is worth it."""
        self._last = status
        self._session.notify("glm/status", self.to_wire())
        self.progress.follow(status)
        if status.notice:
            self.show("warning", f"glm-lsp: {status.message}")

    def answered_by(self, model: str) -> None:
        """A completion came from this model."""
        if model != self.model:
            self.model = model
            self._session.notify("glm/status", self.to_wire())

    def remark(self, text: str) -> None:
        """Say something beside the state, in the status line only."""
        self._session.notify("glm/status", {**self.to_wire(), "message": text})

    def problem(self, error: GlmError) -> None:
        """Something that only the user can mend; shown once for each wording."""
        text = str(error)
        if text not in self._problems:
            self._problems.add(text)
            self.take(LinkStatus(state=DaemonState.OFF, message=text, notice=True))

    def show(self, kind: str, message: str) -> None:
        """A message in front of the user."""
        self._session.notify(
            "window/showMessage", {"type": MESSAGE_TYPES[kind], "message": message}
        )


def status(server: LanguageServer, _: JsonObject) -> JsonObject:
    """The request `glm/status`, and the command of the same purpose."""
    from glm_protocol.build import package_version

    return {
        **server.status.to_wire(),
        "version": package_version(),
        "enabled": server.settings.enable,
        "accepted": server.accepted,
        "documents": len(server.documents),
    }
