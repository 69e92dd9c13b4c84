"""Chats and pictures to what GLM-4V-9B's forward takes: GLM-4's roles, one marked run an image.

    [gMASK] <sop> <|user|> newline [begin of image] [slots] [end of image] text <|assistant|>

A picture stands before the text of its own turn. Source: GLM-4's released chat template, which
takes one image a chat; several are ours, with a newline between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from glm_protocol.errors import PromptTooLong
from glm_vision.models.glm4v_9b import GLM4V9BConfig
from glm_vision.pixels import pixels_of
from glm_vision.processor import BETWEEN_IMAGES, Prompt, batch
from glm_vision.text_tokenizer import ControlTokenizer
from glm_vision.vision_model import Turn

ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
PREFIX = ("[gMASK]", "<sop>")


class GLM4V9BProcessor:
    """Raises ModelUnusable where the tokenizer lacks a control token."""

    def __init__(self, tokenizer: ControlTokenizer, config: GLM4V9BConfig) -> None:
        assert config.pad_token_id is not None
        self.tokenizer = tokenizer
        self.config = config
        self.pad = config.pad_token_id
        stops = config.eos_token_id
        self.stops = frozenset(stops if isinstance(stops, list) else [stops])
        self._prefix = [tokenizer.special(name) for name in PREFIX]
        self._roles = {role: tokenizer.special(name) for role, name in ROLES.items()}

    def chat(self, turns: Sequence[Turn]) -> Prompt:
        """Raises PromptTooLong (model's positions); an image takes three positions."""
        ids, types = list(self._prefix), [0] * len(self._prefix)
        for turn in turns:
            self._say(ids, types, [self._roles[turn.role], *self.tokenizer.encode("\n")])
            for number in range(len(turn.pictures)):
                if number:
                    self._say(ids, types, self.tokenizer.encode(BETWEEN_IMAGES))
                inner = [self.pad] * (self.config.image_slots - 2)
                ids += [self.config.boi_token_id, *inner, self.config.eoi_token_id]
                types += [1] * self.config.image_slots
            self._say(ids, types, self.tokenizer.encode(turn.text))
        self._say(ids, types, [self._roles["assistant"]])
        pictures = [picture for turn in turns for picture in turn.pictures]
        positions = len(ids) - sum(types) + 3 * len(pictures)
        if positions >= self.config.seq_length:
            raise PromptTooLong(
                f"The prompt takes {positions} positions; the model has {self.config.seq_length}."
            )
        side = self.config.tower.image_size
        return Prompt(
            text="".join(turn.text for turn in turns),
            input_ids=ids,
            token_type_ids=types,
            images=[pixels_of(picture, side) for picture in pictures],
        )

    def batch(self, prompts: Sequence[Prompt]) -> dict[str, Any]:
        return batch(prompts, self.pad)

    def answer(self, new_ids: Sequence[int]) -> str:
        """Text of generated tokens, up to the first stop token."""
        kept = takewhile(lambda token: token not in self.stops, new_ids)
        return self.tokenizer.decode(list(kept)).strip()

    @staticmethod
    def _say(ids: list[int], types: list[int], more: list[int]) -> None:
        ids += more
        types += [0] * len(more)
