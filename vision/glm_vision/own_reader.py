"""Our own architectures behind the engine's interface."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from glm_protocol.errors import BadRequest
from glm_vision.cell_reading import ModelCells
from glm_vision.glm4v_processor import GLM4V9BProcessor
from glm_vision.models.auto_classes import OwnModel
from glm_vision.models.cogagent import CogAgentConfig
from glm_vision.models.cogvlm import CogVLMForCausalLM
from glm_vision.models.glm4v_9b import GLM4V9BConfig
from glm_vision.processor import CogAgentProcessor, CogVLMProcessor, Prompt
from glm_vision.text_tokenizer import TokenizerFile
from glm_vision.token_stream import Sampling, TokenStream
from glm_vision.vision_model import CellReader, Started, Turn


class OwnReader:
    sees = True

    def __init__(self, folder: Path, model: OwnModel, *, taught: str = "") -> None:
        """Raises ModelUnusable where there is no tokenizer."""
        self.model = model
        self.tokenizer = TokenizerFile(folder)
        self.processor = processor_of(model, self.tokenizer)
        self.taught = taught

    @property
    def cell_reader(self) -> CellReader | None:
        if not self.taught or not isinstance(self.model, CogVLMForCausalLM):
            return None
        return ModelCells(self.model, self.tokenizer)

    @property
    def dtype(self) -> torch.dtype:
        found: torch.dtype = self.model.dtype
        return found

    @property
    def context_length(self) -> int:
        return int(self.model.config.max_position_embeddings)

    @property
    def stop_ids(self) -> frozenset[int]:
        return frozenset(stop for stop in self.processor.stops if stop is not None)

    def start(self, rows: Sequence[Sequence[Turn]], sampling: Sampling) -> Started:
        prompts = [self._prompt(turns) for turns in rows]
        batch: dict[str, Any] = self.processor.batch(prompts)
        device, dtype = self.model.device, self.model.dtype
        inputs = {
            name: value.to(device) if isinstance(value, torch.Tensor) else value
            for name, value in batch.items()
        }
        for name in self.model.picture_inputs:
            if name in batch:
                inputs[name] = [[p.to(device, dtype) for p in row] for row in batch[name]]
        return Started(
            tokens=TokenStream(self.model, inputs, sampling),
            rows=len(prompts),
            prompt_tokens=sum(len(prompt.input_ids) for prompt in prompts),
            image_tokens=sum(prompt.image_tokens for prompt in prompts),
        )

    def decode(self, token_ids: Sequence[int]) -> str:
        return self.tokenizer.decode(list(token_ids))

    def _prompt(self, turns: Sequence[Turn]) -> Prompt:
        if not turns or turns[-1].role != "user":
            raise BadRequest("The last turn must be the user's.")
        return self.processor.chat(turns)


def processor_of(model: OwnModel, tokenizer: TokenizerFile) -> CogVLMProcessor | GLM4V9BProcessor:
    """By the model's configuration. Raises ModelUnusable where the tokenizer does not fit."""
    if isinstance(model.config, GLM4V9BConfig):
        return GLM4V9BProcessor(tokenizer, model.config)
    if isinstance(model.config, CogAgentConfig):
        return CogAgentProcessor(tokenizer, model.config)
    return CogVLMProcessor(tokenizer, model.config)
