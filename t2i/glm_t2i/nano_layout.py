"""Sequences of small CogView models, and where their ids and positions lie.

CogView's layout with two changes that suit little training: the size command names the grid that
is really drawn ([SMALL] for 16 x 16 codes), and the picture's positions start at a fixed place
whatever the text's length. `config.json` says both; released CogView files have neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from glm_protocol.errors import PromptTooLong
from glm_t2i.pipelines.vocabulary import CogViewIds

SIZE_COMMANDS = {8: "[TINY]", 16: "[SMALL]", 32: "[BASE]", 64: "[BIG]"}


@dataclass(frozen=True, kw_only=True, slots=True)
class NanoLayout:
    """`edge`: codes either way; `image_position`: position of the first code, 0: positions are
    counted on from the text, as released CogView does; then `most_text` is its limit."""

    ids: CogViewIds
    edge: int = 16
    image_position: int = 64
    most_text: int = 0

    def __post_init__(self) -> None:
        if self.edge not in SIZE_COMMANDS or 0 < self.image_position < 4:
            raise ValueError(f"edge is one of {tuple(SIZE_COMMANDS)}; image_position at least 4")
        if self.image_position:
            object.__setattr__(self, "most_text", self.image_position - 3)

    @property
    def positions(self) -> int:
        """Rows that the model's position table needs."""
        return (self.image_position or self.most_text + 3) + self.edge**2 + 1

    def text_ids(self, pieces: Sequence[int]) -> list[int]:
        """Pieces of the text tokenizer as ids. Raises PromptTooLong."""
        if len(pieces) > self.most_text:
            raise PromptTooLong(
                f"The prompt has {len(pieces)} pieces; this model reads {self.most_text}.",
                remedy="Say it in fewer words.",
            )
        return [self.ids.text.start + piece for piece in pieces]

    def drawing_context(self, text: Sequence[int]) -> tuple[list[int], list[int]]:
        """(ids, positions) of `[ROI1] text [SMALL] [BOI1]`: what stands before the codes."""
        first = self.image_position or len(text) + 3
        ids = [self.ids.command("[ROI1]"), *text, *self._start_of_image()]
        return ids, [*range(len(text) + 1), first - 2, first - 1]

    def drawing_sequence(
        self, text: Sequence[int], codes: Sequence[int]
    ) -> tuple[list[int], list[int]]:
        """(ids, positions) of a whole picture after its text, `[EOI1]` last."""
        ids, positions = self.drawing_context(text)
        places = _places(positions[-1] + 1, codes)
        return [*ids, *codes, self.ids.command("[EOI1]")], [*positions, *places]

    def caption_context(self, codes: Sequence[int]) -> tuple[list[int], list[int]]:
        """(ids, positions) of `[SMALL] [BOI1] codes [EOI1] [ROI1]`, before a caption."""
        first = self.image_position or 2
        ids = [*self._start_of_image(), *codes, *self.ids.commands("[EOI1] [ROI1]")]
        text = 0 if self.image_position else len(ids) - 1
        return ids, [first - 2, first - 1, *_places(first, codes), text]

    def caption_sequence(
        self, text: Sequence[int], codes: Sequence[int]
    ) -> tuple[list[int], list[int]]:
        """(ids, positions) of a caption after its picture."""
        ids, positions = self.caption_context(codes)
        start = positions[-1] + 1
        return [*ids, *text], [*positions, *range(start, start + len(text))]

    def _start_of_image(self) -> list[int]:
        return self.ids.commands(f"{SIZE_COMMANDS[self.edge]} [BOI1]")


def _places(first: int, codes: Sequence[int]) -> range:
    """Positions of the codes and of what ends them."""
    return range(first, first + len(codes) + 1)
