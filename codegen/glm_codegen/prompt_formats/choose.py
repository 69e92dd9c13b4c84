"""Choice of the prompt format by what tokenizer and config say; never by a model's name."""

from __future__ import annotations

from glm_codegen.prompt_formats.fim_families import FAMILIES
from glm_codegen.prompt_formats.left_to_right import LeftToRightFormat
from glm_codegen.prompt_formats.marked_format import MarkedFormat, fits
from glm_codegen.prompt_formats.prompt_format import PromptFormat
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer

CODEGEEX_13B = "codegeex"  # model_type of config.json


def choose_format(tokenizer: TextTokenizer, model_type: str = "") -> PromptFormat:
    """The first infilling family whose control tokens are all there, else left to right.

    `model_type` is that of config.json; "" where nothing but the tokenizer is known.
    """
    for family in FAMILIES:
        if fits(family, tokenizer, model_type):
            return MarkedFormat(family, tokenizer)
    # ChatGLM2's tokenizer, which is CodeGeeX2's, spells the token `sop`; the others `<sop>`.
    is_second = model_type != CODEGEEX_13B and tokenizer.control_id("sop") is not None
    return LeftToRightFormat(tokenizer, "codegeex2_6b" if is_second else "codegeex_13b")
