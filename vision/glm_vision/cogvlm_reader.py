"""Our CogVLM family behind the engine's interface."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from glm_protocol.errors import BadRequest
from glm_vision.cell_reading import ModelCells
from glm_vision.models.cogvlm import CogVLMForCausalLM
from glm_vision.processor import CogVLMProcessor, Prompt
from glm_vision.prompt_templates import Turn as Past
from glm_vision.text_tokenizer import TokenizerFile
from glm_vision.token_stream import Sampling, TokenStream
from glm_vision.vision_model import CellReader, Started, Turn


class CogVLMReader:
    """Has no system role: a system turn's text goes before the question."""

    sees = True

    def __init__(self, folder: Path, model: CogVLMForCausalLM, *, taught: str = "") -> None:
        """Raises ModelUnusable where there is no tokenizer."""
        self.model = model
        self.tokenizer = TokenizerFile(folder)
        self.processor = CogVLMProcessor(self.tokenizer, model.config)
        self.taught = taught

    @property
    def cell_reader(self) -> CellReader | None:
        if not self.taught:
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
        inputs["images"] = [[p.to(device, dtype) for p in row] for row in batch["images"]]
        return Started(
            tokens=TokenStream(self.model, inputs, sampling),
            rows=len(prompts),
            prompt_tokens=sum(len(prompt.input_ids) for prompt in prompts),
            image_tokens=sum(prompt.image_tokens for prompt in prompts),
        )

    def decode(self, token_ids: Sequence[int]) -> str:
        return self.tokenizer.decode(list(token_ids))

    def _prompt(self, turns: Sequence[Turn]) -> Prompt:
        """Every picture of the chat comes first, as the architecture wants it."""
        if not turns or turns[-1].role != "user":
            raise BadRequest("The last turn must be the user's.")
        pictures = [picture for turn in turns for picture in turn.pictures]
        system = "".join(f"{turn.text}\n" for turn in turns if turn.role == "system")
        spoken = [turn for turn in turns if turn.role != "system"]
        pairs = zip(spoken[:-1:2], spoken[1:-1:2], strict=False)
        past = [Past(question=asked.text, answer=said.text) for asked, said in pairs]
        return self.processor.prompt(system + spoken[-1].text, history=past, images=pictures)
