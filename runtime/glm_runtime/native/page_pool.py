"""Which pages of keys and values are free, and who shares which. Counts only; no memory here."""

from __future__ import annotations


class PagePool:
    """Pages are numbers from 0; each is held by as many as `hold` was called for it."""

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self._free = list(range(pages - 1, -1, -1))
        self._holders = [0] * pages
        self.most_held = 0  # at any time; the rest was never written

    @property
    def free(self) -> int:
        return len(self._free)

    def take(self) -> int:
        """A free page, held once. Raises MemoryError when there is none."""
        if not self._free:
            raise MemoryError("no page of keys and values is free")
        page = self._free.pop()
        self._holders[page] = 1
        self.most_held = max(self.most_held, self.pages - len(self._free))
        return page

    def hold(self, page: int) -> None:
        self._holders[page] += 1

    def release(self, page: int) -> None:
        assert self._holders[page] > 0, "a page is released that nobody holds"
        self._holders[page] -= 1
        if self._holders[page] == 0:
            self._free.append(page)

    def is_shared(self, page: int) -> bool:
        return self._holders[page] > 1
