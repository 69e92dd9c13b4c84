"""`glm/models`: what an editor's picker shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glm_lsp.features import configuration
from glm_lsp.json_body import JsonObject
from glm_lsp.rpc_errors import REQUEST_FAILED, LspError
from glm_protocol.errors import GlmError

if TYPE_CHECKING:
    from glm_lsp.server import LanguageServer


async def models(server: LanguageServer, _: JsonObject) -> JsonObject:
    """Names with family, capabilities and state, and the adapters."""
    await server.configured.wait()
    try:
        listed = await configuration.link_of(server).call("GET", "/v1/models")
    except GlmError as error:
        raise LspError(REQUEST_FAILED, str(error)) from error
    found = [entry for entry in listed.get("data", []) if isinstance(entry, dict)]
    return {
        "models": [
            {
                "name": entry.get("id"),
                "family": entry.get("glm", {}).get("family"),
                "capabilities": (entry.get("glm", {}).get("info") or {}).get("capabilities"),
                "default": entry.get("glm", {}).get("default"),
                "loaded": entry.get("glm", {}).get("loaded"),
            }
            for entry in found
        ],
        "adapters": listed.get("adapters", []),
    }
