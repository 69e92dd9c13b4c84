"""Left-to-right completion: a language tag line and the prefix, for models without infilling.

CodeGeeX and CodeGeeX2 were trained on segments that begin with such a line. The suffix and the
snippets never reach the model; control tokens that the tokenizer's family puts in front
(`[gMASK]<sop>`) are used where it has them.
"""

from __future__ import annotations

from glm_codegen.prompt_formats.language_names import language_tag
from glm_codegen.prompt_formats.prompt_format import Prompt, PromptPiece, decide_mode
from glm_codegen.prompt_formats.room import cut_prefix
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_protocol.completion import CodeContext, CompletionMode

OPENING = ("[gMASK]", "<sop>")  # for tokenizers that do not say themselves how a text begins
STOPS = (
    *("<|endoftext|>", "<eop>", "</s>", "<|user|>", "<|im_end|>", "<|end_of_text|>", "<eos>"),
    *("<|eot_id|>", "<｜end▁of▁sentence｜>", "<end_of_turn>"),
)


class LeftToRightFormat:
    """Renders `tag line + prefix`."""

    name = "left-to-right"
    reads_suffix = False

    def __init__(self, tokenizer: TextTokenizer, generation: str = "codegeex_13b") -> None:
        """`generation` picks the table of tag lines (see `language_tag`)."""
        self._tokenizer = tokenizer
        self._generation = generation
        named = [tokenizer.control_id(name) for name in OPENING]
        self._opening = list(tokenizer.opening_ids) or [t for t in named if t is not None]
        stops = (tokenizer.control_id(name) for name in STOPS)
        self._stop_ids = frozenset(stop for stop in stops if stop is not None)

    def render(self, context: CodeContext, *, mode: CompletionMode, token_budget: int) -> Prompt:
        """See `PromptFormat.render`."""
        mode = decide_mode(context, mode)
        tag = language_tag(context.language, self._generation)
        head = self._tokenizer.encode(tag + "\n") if tag else []
        encode = self._tokenizer.encode_inside if tag else self._tokenizer.encode
        room = token_budget - len(head) - len(self._opening)
        if room < 1:
            raise ValueError(f"a budget of {token_budget} tokens leaves no room for code")
        prefix = cut_prefix(context.prefix, room, encode)
        parts = (("control", self._opening), ("header", head), ("prefix", prefix))
        return Prompt(
            token_ids=tuple(token for _, ids in parts for token in ids),
            stop_ids=self._stop_ids,
            stop_texts=("\n",) if mode is CompletionMode.LINE else (),
            pieces=tuple(PromptPiece(source=source, tokens=len(ids)) for source, ids in parts),
            mode=mode,
        )
