"""How ids are laid out: CogView's own vocabulary, and icetk's, which CogView2 uses.

CogView: image codes from 0, text pieces after them, 27 commands last; the table is padded behind
that, and padding is never legal. icetk: image codes from 0, common pieces, English, Chinese, rare
ones, then three starts that must be added in this order before anything is encoded.
"""

from __future__ import annotations

from dataclasses import dataclass

_COMMANDS = (
    *("[PAD]", "[BOI1]", "[BOI2]", "[BOI3]", "[EOI1]", "[EOI2]", "[EOI3]"),
    *("[ROI1]", "[ROI2]", "[ROI3]", "[SEP]", "[MASK]", "[CLS]", "[ENC]"),
    *("[TINY]", "[SMALL]", "[BASE]", "[BIG]"),
    *(f"[POS{number}]" for number in range(9)),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class CogViewIds:
    """The released layout by default; smaller models have fewer codes and pieces."""

    image_tokens: int = 8192
    text_tokens: int = 50_000

    @property
    def codes(self) -> range:
        return range(self.image_tokens)

    @property
    def text(self) -> range:
        return range(self.image_tokens, self.image_tokens + self.text_tokens)

    def command(self, name: str) -> int:
        """The id of a command such as "[BOI1]". Raises ValueError on an unknown one."""
        if name not in _COMMANDS:
            raise ValueError(f"there is no command {name}")
        return self.text.stop + _COMMANDS.index(name)

    def commands(self, names: str) -> list[int]:
        """Several at once, parted by spaces."""
        return [self.command(name) for name in names.split()]


@dataclass(frozen=True, kw_only=True, slots=True)
class IcetkIds:
    """The released layout by default. Ids below `english_end` and above the codes are English
    or common to all languages."""

    image_tokens: int = 20_000
    pad: int = 20_003
    english_end: int = 83_823
    start_of_image: int = 150_000
    start_of_english: int = 150_001
    start_of_chinese: int = 150_002

    @property
    def codes(self) -> range:
        return range(self.image_tokens)

    def start_of_text(self, text_ids: list[int]) -> int:
        """English if no id is of another language."""
        english = all(token < self.english_end for token in text_ids)
        return self.start_of_english if english else self.start_of_chinese
