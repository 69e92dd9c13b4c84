"""Choice of the prompt format by what the tokenizer can say; never by a model's name."""

from __future__ import annotations

from glm_codegen.prompt_formats.codegeex4 import CodeGeeX4Format
from glm_codegen.prompt_formats.left_to_right import LeftToRightFormat
from glm_codegen.prompt_formats.prompt_format import PromptFormat
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer

# Infilling families, most specific first. Prefix-suffix-middle families join here.
INFILLING = (CodeGeeX4Format,)


def choose_format(tokenizer: TextTokenizer) -> PromptFormat:
    """The first infilling format whose control tokens are all there, else left to right."""
    for family in INFILLING:
        if family.fits(tokenizer):
            return family(tokenizer)
    return LeftToRightFormat(tokenizer)
