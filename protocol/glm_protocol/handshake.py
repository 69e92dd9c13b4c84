"""What a client and the daemon tell each other before any work: protocol and build."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

PROTOCOL_VERSION = 1  # raised when a wire type changes its meaning
CLIENT_BUILD_HEADER = "x-glm-build"
CLIENT_PROTOCOL_HEADER = "x-glm-protocol"


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """Answer of `GET /health`. `state` is "running" or "draining"."""

    state: str
    pid: int
    version: str
    build: str
    protocol: int
    uptime_s: float

    def to_wire(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> Health:
        """Raises KeyError, TypeError or ValueError on a malformed answer."""
        return cls(
            state=str(wire["state"]),
            pid=int(wire["pid"]),
            version=str(wire["version"]),
            build=str(wire["build"]),
            protocol=int(wire["protocol"]),
            uptime_s=float(wire["uptime_s"]),
        )
