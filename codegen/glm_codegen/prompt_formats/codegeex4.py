"""CodeGeeX4's infilling format: suffix first, then prefix, then the answer.

    [gMASK]<sop><|user|>
    ###REFERENCE:
    ###PATH:{path}
    {code}
    ###PATH:{path}
    ###LANGUAGE:{Language}
    ###MODE:{LINE or BLOCK}
    <|code_suffix|>{suffix}<|code_prefix|>{prefix}<|code_middle|><|assistant|>

The reference block is repeated or absent; a newline follows `<|assistant|>`. Because the suffix
stands first, it and the references stay in the KV cache while the user types. Source: the
CodeGeeX4 project's infilling guideline. `nano-code` speaks this format too, so it has a name of
its own here; it is a row of `fim_families.py` like any other.
"""

from __future__ import annotations

from glm_codegen.prompt_formats.fim_families import FAMILIES
from glm_codegen.prompt_formats.marked_format import MarkedFormat, fits
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer

CODEGEEX4 = next(family for family in FAMILIES if family.name == "codegeex4")


class CodeGeeX4Format(MarkedFormat):
    """Renders infilling prompts for tokenizers that hold all of the row's control tokens."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        """Raises ValueError where a control token is missing."""
        super().__init__(CODEGEEX4, tokenizer)

    @classmethod
    def fits(cls, tokenizer: TextTokenizer) -> bool:
        """Whether the tokenizer has every control token of this format."""
        return fits(CODEGEEX4, tokenizer, "")
