"""The texts that CogVLM and CogVLM2 were trained to answer. Pure; knows no tokens.

There is no system role, and the format has no escape: a question that itself holds "Answer:"
can pretend to be an earlier turn. Text that was read out of a picture must not be pasted into a
question as if it were the user's. Source: the released conversation builder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Template = Literal["chat", "vqa", "base"]
TEMPLATES: tuple[str, ...] = get_args(Template)

TEXT_ONLY = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives"
    " helpful, detailed, and polite answers to the user's questions. USER: {question} ASSISTANT:"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One question of the past and the answer it got."""

    question: str
    answer: str


def render(template: str, question: str, history: Sequence[Turn] = ()) -> str:
    """The prompt's text, without bos and images. ValueError on an unknown template.

    `chat` answers at length and `vqa` in a word or two, both after the past turns; `base` is the
    bare question (captions and boxes), without them.
    """
    if template not in TEMPLATES:
        raise ValueError(f"template {template!r} is none of {', '.join(TEMPLATES)}")
    if template == "base":
        return question
    word = "Answer:" if template == "chat" else "Short answer:"
    past = "".join(f"Question: {turn.question} {word} {turn.answer}\n" for turn in history)
    return f"{past}Question: {question} {word}"


def render_text_only(question: str) -> str:
    """Vicuna's own chat text, which CogVLM-17B answers best when there is no image (`base`)."""
    return TEXT_ONLY.format(question=question)
