"""One tree of errors. Each leaf has a code, an HTTP status and a sentence with the remedy.

    GlmError                       500  internal           a fault of ours
    ├── BadRequest                 400  bad_request        the caller's fault
    │   ├── PromptTooLong          400  prompt_too_long
    │   ├── ModelUnknown           404  model_unknown
    │   ├── AdapterUnknown         404  adapter_unknown
    │   └── Unsupported            422  unsupported        e.g. a blind model asked with an image
    ├── ModelUnusable              422  model_unusable     weights missing, torn or pickled
    ├── Overloaded                 429  overloaded         queue full; has retry_after_s
    ├── EngineFailed               503  engine_failed      worker died or ran out of memory
    ├── NotReady                   503  not_ready          starting, draining or backing off
    ├── DaemonUnreachable          503  daemon_unreachable raised at the client's end
    └── ProtocolMismatch           409  protocol_mismatch  client and daemon of different builds

The same tree crosses the wire: `to_wire` at the daemon, `from_wire` at the client.
"""

from __future__ import annotations

from typing import Any, ClassVar


class GlmError(Exception):
    """Root. `message` says what happened, `remedy` what to do; both are one sentence."""

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    default_remedy: ClassVar[str] = "Run `glm-lsp doctor`; if it finds nothing, report this."

    def __init__(self, message: str, *, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = self.default_remedy if remedy is None else remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def to_wire(self) -> dict[str, Any]:
        """`{"error": {...}}`, the body of every failed HTTP answer."""
        return {"error": {"code": self.code, "message": self.message, "remedy": self.remedy}}


class BadRequest(GlmError):
    code = "bad_request"
    http_status = 400
    default_remedy = "Correct the request."


class PromptTooLong(BadRequest):
    code = "prompt_too_long"
    default_remedy = "Send less text, or choose a model with a longer context."


class ModelUnknown(BadRequest):
    code = "model_unknown"
    http_status = 404
    default_remedy = "See `glm-lsp models`, or add one: `glm-lsp models add NAME PATH`."


class AdapterUnknown(BadRequest):
    code = "adapter_unknown"
    http_status = 404
    default_remedy = "See `glm-lsp adapters list`."


class Unsupported(BadRequest):
    code = "unsupported"
    http_status = 422
    default_remedy = "Choose a model that can: see `glm-lsp models`."


class ModelUnusable(GlmError):
    code = "model_unusable"
    http_status = 422
    default_remedy = "Fetch the model's folder again, as safetensors."


class Overloaded(GlmError):
    code = "overloaded"
    http_status = 429
    default_remedy = "Try again in a moment."

    def __init__(self, message: str, *, retry_after_s: int = 1, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after_s = retry_after_s


class EngineFailed(GlmError):
    code = "engine_failed"
    http_status = 503
    default_remedy = "It restarts by itself; if this repeats, see `glm-lsp doctor`."


class NotReady(GlmError):
    code = "not_ready"
    http_status = 503
    default_remedy = "Try again in a moment; `glm-lsp status` shows the state."


class DaemonUnreachable(GlmError):
    code = "daemon_unreachable"
    http_status = 503
    default_remedy = "Start it with `glm-lsp serve`, or see `glm-lsp doctor`."


class ProtocolMismatch(GlmError):
    code = "protocol_mismatch"
    http_status = 409
    default_remedy = "Run `glm-lsp stop`; the next request starts the current one."


def leaves() -> dict[str, type[GlmError]]:
    """Every class of the tree by its code (a code names one class)."""
    found: dict[str, type[GlmError]] = {}
    todo: list[type[GlmError]] = [GlmError]
    while todo:
        cls = todo.pop()
        assert found.setdefault(cls.code, cls) is cls, f"two errors share the code {cls.code!r}"
        todo.extend(cls.__subclasses__())
    return found


def from_wire(wire: object) -> GlmError:
    """The error in an answer's body; anything unreadable becomes a plain `GlmError`."""
    body = wire.get("error") if isinstance(wire, dict) else None
    if not isinstance(body, dict):
        return GlmError("The daemon gave an answer that could not be read.")
    cls = leaves().get(str(body.get("code")), GlmError)
    return cls(str(body.get("message", "")), remedy=str(body.get("remedy", "")))
