"""One completion being written by the daemon: its text so far, and who waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable

from glm_lsp.context_window import ContextWindow
from glm_protocol.answers import Chunk, End, FinishReason
from glm_protocol.errors import GlmError
from glm_protocol.request_fields import Trigger

Stream = Callable[[], AsyncGenerator[Chunk, None]]

log = logging.getLogger(__name__)


class Generation:
    """Runs in its own task, so that it can outlive the request that began it."""

    def __init__(
        self, anchor: ContextWindow, request_id: str, trigger: Trigger = Trigger.AUTOMATIC
    ) -> None:
        self.anchor = anchor
        self.request_id = request_id
        self.trigger = trigger
        self.text = ""
        self.alternatives: tuple[str, ...] = ()
        self.end: End | None = None
        self.error: GlmError | None = None
        self.superseded = False
        self.shown = 0  # characters of the text that the user had typed at the last answer
        self._waiting = 0
        self._finished = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def finished(self) -> bool:
        return self._finished.is_set()

    @property
    def whole(self) -> bool:
        """Finished by itself: neither its deadline nor our patience cut it off."""
        return self.end is not None and self.end.finish in (FinishReason.STOP, FinishReason.LENGTH)

    def start(self, stream: Stream, delay_s: float) -> None:
        """Begin after `delay_s` of silence."""
        self._task = asyncio.get_running_loop().create_task(self._run(stream, delay_s))
        self._task.add_done_callback(lambda _: self._finished.set())

    def stop(self) -> None:
        """Let the daemon stop decoding; those who wait are woken."""
        if self._task is not None and not self.finished:
            self._task.cancel()

    def supersede(self) -> None:
        """A newer request takes the place of this one."""
        self.superseded = not self.finished
        self.stop()

    async def wait(self, seconds: float) -> bool:
        """True once finished, False after `seconds`.

        If the one who waits is cancelled and nobody else waits, the generation stops.
        """
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                await self._finished.wait()
        except TimeoutError:
            return False
        except asyncio.CancelledError:
            if self._waiting == 1:
                self.stop()
            raise
        finally:
            self._waiting -= 1
        return True

    def _take_end(self, end: End) -> None:
        """The end says what to show, where the engine cut or withheld what it streamed."""
        self.end = end
        final = end.report.get("final")
        if isinstance(final, str):
            self.text = final
        others = end.report.get("alternatives")
        if isinstance(others, list):
            self.alternatives = tuple(other for other in others if isinstance(other, str))

    async def _run(self, stream: Stream, delay_s: float) -> None:
        if delay_s > 0:
            await asyncio.sleep(delay_s)
        chunks = stream()
        try:
            async for chunk in chunks:
                self.text += chunk.text
                if chunk.end is not None:
                    self._take_end(chunk.end)
                    self._finished.set()
        except GlmError as error:
            self.error = error
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - the edge: a task must not end the process
            log.error("a completion failed: %s", type(error).__name__)
            self.error = GlmError(f"A completion failed ({type(error).__name__}).")
        finally:
            # Closing the stream closes the connection, which is how the daemon learns to stop.
            await chunks.aclose()
