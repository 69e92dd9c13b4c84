"""What a client remembers of its parse processes: texts that killed or tired one, and deaths."""

from __future__ import annotations

import sys
import time
from collections import OrderedDict, deque
from collections.abc import Callable

COMMAND = (sys.executable, "-P", "-m", "glm_context.parse_process")
ANSWER_S = 3.0  # parsing and walking have 0.25 s of CPU each; then the process is killed
START_S = 10.0  # Python's own start on a busy machine
MAX_DEATHS, WINDOW_S = 5, 60.0
MAX_KILLERS = 256


class ParseRecord:
    """A text that killed a process is not parsed again; after five deaths a minute nothing is."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._killers: OrderedDict[str, None] = OrderedDict()
        self._deaths: deque[float] = deque(maxlen=MAX_DEATHS)

    def refuses(self, fingerprint: str) -> bool:
        full = len(self._deaths) == MAX_DEATHS
        return fingerprint in self._killers or (full and self._clock() - self._deaths[0] < WINDOW_S)

    def died_of(self, fingerprint: str) -> None:
        self._deaths.append(self._clock())
        self.gave_up_on(fingerprint)

    def gave_up_on(self, fingerprint: str) -> None:
        """This text is beyond the budget; it would be again."""
        self._killers[fingerprint] = None
        while len(self._killers) > MAX_KILLERS:
            self._killers.popitem(last=False)

    @property
    def deaths(self) -> int:
        return len(self._deaths)
