"""Question and pictures to what the model's forward takes, and its tokens back to text.

    [bos] [image] text                       one image
    [bos] [image] newline [image] text       several: images that touch would merge into one run

Image slots hold the padding id and are told by their type alone, never by their id.
Source: the released conversation builder, which takes one image; several are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import torch
from PIL import Image

from glm_protocol.errors import PromptTooLong
from glm_vision.models.cogagent import CogAgentConfig
from glm_vision.models.cogvlm_config import CogVLMConfig
from glm_vision.pixels import pixels_of
from glm_vision.prompt_templates import Turn as Past
from glm_vision.prompt_templates import render, render_cogagent
from glm_vision.text_tokenizer import TextTokenizer
from glm_vision.vision_model import Turn

BETWEEN_IMAGES = "\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One row, before batching. `token_type_ids` is 1 on image slots; images are (3, S, S)."""

    text: str
    input_ids: list[int]
    token_type_ids: list[int]
    images: list[torch.Tensor]
    fine_images: list[torch.Tensor] = field(default_factory=list)  # CogAgent's second look

    @property
    def image_tokens(self) -> int:
        return sum(self.token_type_ids)


class CogVLMProcessor:
    """Prompts for one model. `template` None in `prompt` means the one of its config."""

    def __init__(self, tokenizer: TextTokenizer, config: CogVLMConfig) -> None:
        if config.bos_token_id is None or config.pad_token_id is None:
            raise ValueError("config.json must give bos_token_id and pad_token_id")
        self.tokenizer = tokenizer
        self.config = config
        self.bos, self.pad = config.bos_token_id, config.pad_token_id
        stops = config.eos_token_id
        self.stops = frozenset(stops if isinstance(stops, list) else [stops])

    def prompt(
        self,
        question: str,
        *,
        history: Sequence[Past] = (),
        images: Sequence[Image.Image] = (),
        template: str | None = None,
    ) -> Prompt:
        """Raises ValueError (template, picture not RGB) and PromptTooLong (model's positions).

        The patches of an image share one position, so an image takes three positions, not its
        count of tokens.
        """
        text = self.render(template or self.config.template_version, question, history)
        ids, types = [self.bos], [0]
        for number in range(len(images)):
            if number:
                between = self.tokenizer.encode(BETWEEN_IMAGES)
                if not between:
                    raise ValueError("the tokenizer has no token to put between two images")
                ids += between
                types += [0] * len(between)
            ids += [self.pad] * self.config.image_slots
            types += [1] * self.config.image_slots
        words = self.tokenizer.encode(text)
        ids += words
        types += [0] * len(words)
        positions = len(ids) - sum(types) + 3 * len(images)
        if positions >= self.config.max_position_embeddings:
            raise PromptTooLong(
                f"The prompt takes {positions} positions;"
                f" the model has {self.config.max_position_embeddings}."
            )
        return Prompt(
            text=text,
            input_ids=ids,
            token_type_ids=types,
            images=[pixels_of(image, self.config.tower.image_size) for image in images],
            fine_images=self.fine_pixels(images),
        )

    def chat(self, turns: Sequence[Turn]) -> Prompt:
        """Every picture comes first, as the architecture wants it. There is no system role: such
        a turn's text goes before the question."""
        pictures = [picture for turn in turns for picture in turn.pictures]
        system = "".join(f"{turn.text}\n" for turn in turns if turn.role == "system")
        spoken = [turn for turn in turns if turn.role != "system"]
        pairs = zip(spoken[:-1:2], spoken[1:-1:2], strict=False)
        past = [Past(question=asked.text, answer=said.text) for asked, said in pairs]
        return self.prompt(system + spoken[-1].text, history=past, images=pictures)

    def render(self, template: str, question: str, history: Sequence[Past]) -> str:
        return render(template, question, history)

    def fine_pixels(self, images: Sequence[Image.Image]) -> list[torch.Tensor]:
        """For a second encoder; CogVLM has none."""
        del images
        return []

    def batch(self, prompts: Sequence[Prompt]) -> dict[str, Any]:
        return batch(prompts, self.pad)

    def answer(self, new_ids: Sequence[int]) -> str:
        """Text of generated tokens, up to the first stop token."""
        kept = takewhile(lambda token: token not in self.stops, new_ids)
        return self.tokenizer.decode(list(kept)).strip()


class CogAgentProcessor(CogVLMProcessor):
    """Its own templates, and every picture a second time at the fine size."""

    config: CogAgentConfig

    def render(self, template: str, question: str, history: Sequence[Past]) -> str:
        return render_cogagent(template, question, history)

    def fine_pixels(self, images: Sequence[Image.Image]) -> list[torch.Tensor]:
        return [pixels_of(image, self.config.cross_image_size) for image in images]


def batch(prompts: Sequence[Prompt], pad: int) -> dict[str, Any]:
    """Keyword arguments of forward and generate; rows padded on the left."""
    length = max(len(prompt.input_ids) for prompt in prompts)
    ids, types, attention = [], [], []
    for prompt in prompts:
        count = len(prompt.input_ids)
        empty = [0] * (length - count)
        ids.append([pad] * len(empty) + prompt.input_ids)
        types.append(empty + prompt.token_type_ids)
        attention.append(empty + [1] * count)
    pictures = {"images": [prompt.images for prompt in prompts]}
    if any(prompt.fine_images for prompt in prompts):
        pictures["cross_images"] = [prompt.fine_images for prompt in prompts]
    return {
        "input_ids": torch.tensor(ids),
        "token_type_ids": torch.tensor(types),
        "attention_mask": torch.tensor(attention),
        **pictures,
    }
