"""Long work: a custom request whose parameters carry a `token`.

Pieces go out as the notification `glm/delta` (`token`, and `text`, or `step` of `steps`, with a
`preview` as a data URI where one was asked for), the answer closes it, `$/cancelRequest` stops it:
the request's task ends, which closes the connection, which frees the engine.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from glm_lsp.features import configuration
from glm_lsp.json_body import JsonObject
from glm_lsp.params import read_string
from glm_lsp.rpc_errors import REQUEST_FAILED, LspError
from glm_protocol.answers import End
from glm_protocol.errors import GlmError
from glm_protocol.requests import AnyRequest

if TYPE_CHECKING:
    from glm_lsp.server import LanguageServer


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A whole answer: its text, its pictures (base64 of PNG files), its end."""

    text: str
    images: tuple[str, ...]
    end: End


class Delivery:
    """Sends the pieces of one piece of long work to the editor."""

    def __init__(self, server: LanguageServer, params: JsonObject) -> None:
        """Raises InvalidParams where there is no token."""
        self._server = server
        self.token = read_string(params, "token")

    def text(self, text: str) -> None:
        self._send({"text": text})

    def step(self, step: int, steps: int, message: str = "", *, preview: str = "") -> None:
        """`step` of `steps` are done; `preview`: base64 of a PNG, the picture so far."""
        said = {"message": message} if message else {}
        if preview:
            said["preview"] = f"data:image/png;base64,{preview}"
        self._send({"step": step, "steps": steps, **said})

    def _send(self, piece: JsonObject) -> None:
        self._server.session.notify("glm/delta", {"token": self.token, **piece})

    async def run(self, request: AnyRequest, *, texts: bool = True) -> Outcome:
        """Ask the daemon and pass the pieces on; `texts` False keeps texts back.

        Raises LspError with the daemon's words.
        """
        await self._server.configured.wait()
        text, images = "", list[str]()
        try:
            link = configuration.link_of(self._server)
            await link.be_patient()
            stream = link.stream(request)
            async with aclosing(stream) as chunks:
                async for chunk in chunks:
                    text += chunk.text
                    if chunk.text and texts:
                        self.text(chunk.text)
                    if chunk.progress is not None:
                        done = chunk.progress
                        self.step(done.step, done.steps, preview=done.preview)
                    if chunk.image:
                        images.append(chunk.image)
                    end = chunk.end
        except GlmError as error:
            raise LspError(REQUEST_FAILED, str(error)) from error
        assert end is not None  # `stream` raises otherwise
        return Outcome(text=text, images=tuple(images), end=end)
