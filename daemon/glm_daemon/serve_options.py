"""What `glm-lsp serve` was asked to do, as checked values; how they were spelled is `main`'s."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address


@dataclass(frozen=True, kw_only=True, slots=True)
class TcpAddress:
    """Where to listen besides the unix socket. Port 0 lets the system choose."""

    host: str
    port: int

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"port {self.port} is not between 0 and 65535")

    @classmethod
    def parse(cls, text: str) -> TcpAddress:
        """From "HOST:PORT" or "[V6]:PORT". Raises ValueError."""
        host, colon, port = text.rpartition(":")
        if not colon or not host or not port.isdecimal():
            raise ValueError(f"{text!r} is not HOST:PORT")
        return cls(host=host.removeprefix("[").removesuffix("]"), port=int(port))

    @property
    def loopback(self) -> bool:
        """True where only this machine can reach it. A name other than localhost is not."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, kw_only=True, slots=True)
class TcpOptions:
    """TCP needs a token always. `public_hosts` are the Host headers of the TLS proxy in front."""

    address: TcpAddress
    token: str = field(repr=False)
    public_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long the daemon waits for what; seconds. Tests make these small."""

    header: float = 5.0
    body: float = 15.0
    rest: float = 1.0  # of a body that was refused: closing at once could lose the answer
    write: float = 10.0
    keep_alive: int = 65
    drain: float = 8.0  # for requests at work; with uvicorn's own steps it stays under 10
    overdue: float = 2.0  # beyond a request's deadline, until it fails
    load: float = 300.0
    ping: float = 5.0
    silence: float = 30.0  # of a loaded worker, until it is killed
    stop: float = 2.0  # between SIGTERM and SIGKILL of a worker
    backoff_first: float = 0.5
    backoff_most: float = 30.0
    backoff_forget: float = 10.0  # of a loaded worker's life, then its next fall waits least
    breaker_window: float = 60.0
    breaker_crashes: int = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class ServeOptions:
    """Everything the daemon is told at start. `model` None is the registry's default."""

    model: str | None = None
    device: str | None = None
    dtype: str | None = None
    threads: int | None = None
    tcp: TcpOptions | None = None
    idle_exit: float = 1800.0  # seconds; 0 is never
    queue: int = 64  # requests waiting, over all engines
    engines: int = 2  # loaded at once
    log_level: str = "info"
    patience: Patience = field(default_factory=Patience)
