"""The errors that cross to the editor: a JSON-RPC code and one sentence. Never a traceback."""

from __future__ import annotations

from glm_lsp.json_body import JsonObject

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
NOT_INITIALIZED = -32002
CONTENT_MODIFIED = -32801
REQUEST_CANCELLED = -32800
REQUEST_FAILED = -32803


class LspError(Exception):
    """What a handler raises to answer its request with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def to_wire(self) -> JsonObject:
        return {"code": self.code, "message": self.message}


class InvalidParams(LspError):
    """The parameters are not what the method takes."""

    def __init__(self, message: str) -> None:
        super().__init__(INVALID_PARAMS, message)


class ContentModified(LspError):
    """The document moved on, or a newer request took this one's place."""

    def __init__(self, message: str = "A newer edit or request replaced this one.") -> None:
        super().__init__(CONTENT_MODIFIED, message)
