"""The texts that CogVLM, CogVLM2 and CogAgent were trained to answer. Pure; knows no tokens.

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

COGAGENT_TEMPLATES = ("chat", "chat_old", "vqa", "base")

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


def render_cogagent(template: str, question: str, history: Sequence[Turn] = ()) -> str:
    """CogAgent's. ValueError on an unknown template.

    `chat` is Llama's; `chat_old` and `vqa` are CogVLM's behind the letters `<EOI>`, which the
    released code really has encoded as letters. `vqa` and `base` leave the past out.
    """
    if template not in COGAGENT_TEMPLATES:
        raise ValueError(f"template {template!r} is none of {', '.join(COGAGENT_TEMPLATES)}")
    if template == "base":
        return question
    if template == "vqa":
        return f"<EOI>Question: {question} Short answer:"
    if template == "chat":
        past = "".join(f"{turn.question} [/INST] {turn.answer} [INST] " for turn in history)
        return f" [INST] {past}{question} [/INST] "
    past = "".join(f"{turn.question} Answer: {turn.answer}\nQuestion: " for turn in history)
    return f"<EOI>Question: {past}{question} Answer:"


def agent_question(task: str, *, grounded: bool) -> str:
    """How CogAgent-18B is asked for the next step of a task on a screen; one turn a picture.

    It answers "Plan: … Next Action: …", and grounded "… Grounded Operation: … [[x0,y0,x1,y1]]".
    """
    asked = f'What steps do I need to take to "{task}"?'
    return f"{asked}(with grounding)" if grounded else asked


def render_text_only(question: str) -> str:
    """Vicuna's own chat text, which CogVLM-17B answers best when there is no image (`base`)."""
    return TEXT_ONLY.format(question=question)
