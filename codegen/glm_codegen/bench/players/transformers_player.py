"""transformers' own generate, bfloat16."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForCausalLM


class Player:
    def __init__(self, model: str, threads: int) -> None:
        torch.set_num_threads(threads)
        loader: Any = AutoModelForCausalLM
        self._model = loader.from_pretrained(model, dtype=torch.bfloat16, local_files_only=True)
        self._model.eval()
        tensors = {one.data_ptr(): one.nbytes for one in self._model.parameters()}
        self.weight_bytes = sum(tensors.values())
        self._prompt: list[int] = []

    def _generate(self, prompts: Sequence[Sequence[int]], count: int) -> float:
        began = time.perf_counter()
        with torch.inference_mode():
            self._model.generate(
                torch.tensor(prompts),
                attention_mask=torch.ones(len(prompts), len(prompts[0]), dtype=torch.int64),
                min_new_tokens=count,
                max_new_tokens=count,
                do_sample=False,
                pad_token_id=0,
            )
        return time.perf_counter() - began

    def prefill(self, tokens: Sequence[int]) -> float:
        self._prompt = list(tokens)
        self._prefilled = self._generate([tokens], 1)
        return self._prefilled

    def steps(self, count: int) -> float:
        return self._generate([self._prompt], count + 1) - self._prefilled

    def wide(self, width: int) -> None:  # noqa: ARG002
        return None

    def keystroke(self, prompt: Sequence[int], more: Sequence[int]) -> float:
        """generate keeps nothing from one call to the next."""
        return self._generate([[*prompt, *more]], 1)

    def rows(self, prompts: Sequence[Sequence[int]], count: int) -> float:
        return self._generate(prompts, count + 1) - self._generate(prompts, 1)

    def best(self, tokens: Sequence[int]) -> int:
        with torch.inference_mode():
            return int(self._model(torch.tensor([tokens])).logits[0, -1].argmax())
