"""What the editor said about itself at `initialize`, as the few facts that we act upon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from glm_lsp.json_body import JsonObject
from glm_lsp.position_codec import PositionEncoding, choose_encoding


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientProfile:
    """Facts about one editor. The defaults are the least that any client can do."""

    name: str = ""
    encoding: PositionEncoding = PositionEncoding.UTF16
    inline_completion: bool = False
    configuration: bool = False
    dynamic_configuration: bool = False
    dynamic_completion: bool = False
    dynamic_watching: bool = False
    progress: bool = False

    @property
    def wants_plain_line_feeds(self) -> bool:
        """Neovim splits inserted text at LF alone and would keep a CR as a character."""
        return self.name == "Neovim"


def read_profile(params: JsonObject) -> ClientProfile:
    """From the parameters of `initialize`. Raises nothing: what is malformed is not announced."""
    capabilities = params.get("capabilities")
    info = params.get("clientInfo")
    name = info.get("name") if isinstance(info, dict) else None
    return ClientProfile(
        name=name if isinstance(name, str) else "",
        encoding=choose_encoding(look_up(capabilities, "general", "positionEncodings")),
        inline_completion=isinstance(
            look_up(capabilities, "textDocument", "inlineCompletion"), dict
        ),
        configuration=look_up(capabilities, "workspace", "configuration") is True,
        dynamic_configuration=look_up(
            capabilities, "workspace", "didChangeConfiguration", "dynamicRegistration"
        )
        is True,
        dynamic_completion=look_up(
            capabilities, "textDocument", "completion", "dynamicRegistration"
        )
        is True,
        dynamic_watching=look_up(
            capabilities, "workspace", "didChangeWatchedFiles", "dynamicRegistration"
        )
        is True,
        progress=look_up(capabilities, "window", "workDoneProgress") is True,
    )


def look_up(value: Any, *keys: str) -> Any:
    """The value at a path of nested objects, or None."""
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value
