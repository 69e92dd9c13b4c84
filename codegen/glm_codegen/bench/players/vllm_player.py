"""vLLM on the CPU, bfloat16, without compiling and without its cache of prefixes."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

os.environ |= {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}


class Player:
    def __init__(self, model: str, threads: int) -> None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
        os.environ["VLLM_CPU_OMP_THREADS_BIND"] = f"0-{threads - 1}" if threads > 1 else "0"
        from vllm import LLM  # type: ignore[import-not-found, unused-ignore]

        self._engine: Any = LLM(
            model, dtype="bfloat16", enforce_eager=True, skip_tokenizer_init=True,
            enable_prefix_caching=False, max_model_len=2048, max_num_batched_tokens=4096,
        )  # fmt: skip
        self.weight_bytes = 0
        self._prompt: list[int] = []
        self._prefilled = 0.0

    def _generate(self, prompts: Sequence[Sequence[int]], count: int) -> tuple[float, Any]:
        from vllm import SamplingParams  # type: ignore[import-not-found, unused-ignore]

        asked = SamplingParams(
            temperature=0.0, max_tokens=count, min_tokens=count, ignore_eos=True, detokenize=False
        )
        began = time.perf_counter()
        answers = self._engine.generate(
            [{"prompt_token_ids": list(prompt)} for prompt in prompts], asked, use_tqdm=False
        )
        return time.perf_counter() - began, answers

    def prefill(self, tokens: Sequence[int]) -> float:
        self._prompt = list(tokens)
        self._prefilled = self._generate([tokens], 1)[0]
        return self._prefilled

    def steps(self, count: int) -> float:
        return self._generate([self._prompt], count + 1)[0] - self._prefilled

    def wide(self, width: int) -> None:  # noqa: ARG002
        return None

    def keystroke(self, prompt: Sequence[int], more: Sequence[int]) -> None:  # noqa: ARG002
        return None

    def rows(self, prompts: Sequence[Sequence[int]], count: int) -> float:
        return self._generate(prompts, count + 1)[0] - self._generate(prompts, 1)[0]

    def best(self, tokens: Sequence[int]) -> int:
        return int(self._generate([tokens], 1)[1][0].outputs[0].token_ids[0])
