"""Chat forms of families whose folders hold no template, one row a form, and the choice.

A model chats when its folder says so: by a chat template, or by `glm_chat_form` in its
tokenizer_config.json, which names a row here (`glm-lsp models convert --chat FORM` writes it). The
role tokens alone say nothing: base models share them, and so does nano-code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from glm_codegen.prompt_formats.chat_template import (
    ChatTemplate,
    Span,
    read_template,
    read_tokenizer_config,
)
from glm_protocol.chat import ChatMessage, Role
from glm_protocol.errors import ModelUnusable

FORM_KEY = "glm_chat_form"


class ChatForm(Protocol):
    """How a conversation is written down."""

    def spans(self, messages: Sequence[ChatMessage]) -> list[Span]:
        """The prompt up to where the answer begins. Raises TemplateRefused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleForm:
    """A form of turns. In a turn, `{text}` is its text and `{number}` its round, from 1.

    answer: what stands before the answer that is asked for; stop_texts end it.
    needs: control tokens without which it cannot be written.
    """

    name: str
    opening: str
    system: str
    user: str
    assistant: str
    answer: str
    needs: tuple[str, ...]
    stop_texts: tuple[str, ...] = ()

    def spans(self, messages: Sequence[ChatMessage]) -> list[Span]:
        forms = {Role.SYSTEM: self.system, Role.USER: self.user, Role.ASSISTANT: self.assistant}
        spans = [Span(text=self.opening, trusted=True)]
        number = 0
        for message in messages:
            number += message.role is Role.USER
            before, after = forms[message.role].replace("{number}", str(number)).split("{text}")
            spans += [
                Span(text=before, trusted=True),
                Span(text=message.text, trusted=False),
                Span(text=after, trusted=True),
            ]
        return [span for span in (*spans, Span(text=self.answer, trusted=True)) if span.text]


# GLM-4 and CodeGeeX4: the guides' newline behind `<|assistant|>`. ChatGLM3 encodes each text by
# itself, which puts SentencePiece's space in front of it. ChatGLM2 has no role tokens.
FORMS = (
    RoleForm(
        name="glm4",
        opening="[gMASK]<sop>",
        system="<|system|>\n{text}",
        user="<|user|>\n{text}",
        assistant="<|assistant|>\n{text}",
        answer="<|assistant|>\n",
        needs=("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>"),
    ),
    RoleForm(
        name="chatglm3",
        opening="[gMASK]sop",
        system="<|system|>\n {text}",
        user="<|user|>\n {text}",
        assistant="<|assistant|>\n {text}",
        answer="<|assistant|>",
        needs=("[gMASK]", "sop", "<|system|>", "<|user|>", "<|assistant|>"),
    ),
    RoleForm(
        name="chatglm2",
        opening="[gMASK]sop",
        system="{text}\n\n",
        user="[Round {number}]\n\n问：{text}\n\n答：",
        assistant="{text}\n\n",
        answer="",
        needs=("[gMASK]", "sop"),
        stop_texts=("\n\n[Round",),
    ),
    RoleForm(
        name="chatml",
        opening="",
        system="<|im_start|>system\n{text}<|im_end|>\n",
        user="<|im_start|>user\n{text}<|im_end|>\n",
        assistant="<|im_start|>assistant\n{text}<|im_end|>\n",
        answer="<|im_start|>assistant\n",
        needs=("<|im_start|>", "<|im_end|>"),
    ),
)
FORM_NAMES = tuple(form.name for form in FORMS)


def choose_chat_form(folder: Path) -> RoleForm | ChatTemplate | None:
    """The folder's form of conversation; None: it is no model that chats. Raises ModelUnusable."""
    named = read_tokenizer_config(folder).get(FORM_KEY)
    if named is None:
        return read_template(folder)
    for form in FORMS:
        if form.name == named:
            return form
    raise ModelUnusable(
        f"{folder}/tokenizer_config.json: there is no chat form {str(named)[:80]!r}.",
        remedy=f"Known are: {', '.join(FORM_NAMES)}.",
    )
