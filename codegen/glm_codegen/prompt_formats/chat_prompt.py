"""A conversation becomes tokens: trusted words with their control tokens, texts as text alone.

Control tokens are looked for in what the form wrote, never in a text; the words between two of
them are encoded as one run, texts included, as the model's own tokenizer would have done.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from glm_codegen.prompt_formats.chat_forms import ChatForm
from glm_codegen.prompt_formats.chat_template import Span, TemplateRefused
from glm_codegen.prompt_formats.prompt_format import Prompt, PromptPiece
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_protocol.chat import ChatMessage, Role
from glm_protocol.completion import CompletionMode

# Ends of a turn over all families; those that a tokenizer has stop its answers.
ENDS = (
    *("<|endoftext|>", "<|user|>", "<|assistant|>", "<|observation|>", "<|system|>", "</s>"),
    *("<|im_end|>", "<|im_start|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>", "<|EOT|>"),
    *("<end_of_turn>", "<eos>", "<｜end▁of▁sentence｜>", "<[end▁of▁sentence]>", "<|eom_id|>"),
    *("<|end_of_role|>", "<|start_of_role|>", "[INST]"),
)


def chat_prompt(
    form: ChatForm,
    tokenizer: TextTokenizer,
    messages: Sequence[ChatMessage],
    *,
    token_budget: int,
    stop_texts: tuple[str, ...] = (),
) -> Prompt:
    """Prompt of at most `token_budget` tokens; of a long conversation the oldest turns are left
    out, never the system's words nor the last turn.

    Raises ValueError where those alone are too long, TemplateRefused where they cannot be written.
    """
    kept = list(messages)
    while True:
        pieces = encoded(_spans(form, kept), tokenizer)
        if sum(len(ids) for _, ids in pieces) <= token_budget:
            break
        oldest = next((i for i, m in enumerate(kept[:-1]) if m.role is not Role.SYSTEM), None)
        if oldest is None:
            raise ValueError(f"its last turn alone takes more than {token_budget} tokens")
        # A conversation begins with the user: an answer goes with its question.
        del kept[oldest]
        while oldest < len(kept) - 1 and kept[oldest].role is Role.ASSISTANT:
            del kept[oldest]
    ends = (tokenizer.control_id(name) for name in ENDS)
    return Prompt(
        token_ids=tuple(token for _, ids in pieces for token in ids),
        stop_ids=frozenset(end for end in ends if end is not None),
        stop_texts=stop_texts,
        pieces=tuple(PromptPiece(source=source, tokens=len(ids)) for source, ids in pieces),
        mode=CompletionMode.BLOCK,
    )


def _spans(form: ChatForm, messages: list[ChatMessage]) -> list[Span]:
    """As the form writes them; system words go into the user's turn where it has no such role."""
    try:
        return form.spans(messages)
    except TemplateRefused:
        if messages[0].role is not Role.SYSTEM or len(messages) == 1:
            raise
    system, first, *rest = messages
    text = f"{system.text}\n\n{first.text}"
    return form.spans([replace(first, text=text), *rest])


def encoded(spans: Sequence[Span], tokenizer: TextTokenizer) -> list[tuple[str, list[int]]]:
    """(source, ids) of each run: `control`, `header` (trusted words alone) or `chat`."""
    names = sorted(tokenizer.control_names, key=len, reverse=True)
    pattern = re.compile(f"({'|'.join(map(re.escape, names))})") if names else None
    pieces: list[tuple[str, list[int]]] = []
    run, source = "", "header"

    def flush() -> None:
        nonlocal run, source
        if run:
            pieces.append((source, tokenizer.encode_inside(run)))
        run, source = "", "header"

    for span in spans:
        if not span.trusted:
            run, source = run + span.text, "chat"
            continue
        for place, part in enumerate(pattern.split(span.text) if pattern else [span.text]):
            if place % 2 == 0:
                run += part
                continue
            flush()
            token = tokenizer.control_id(part)
            assert token is not None
            pieces.append(("control", [token]))
    flush()
    return pieces
