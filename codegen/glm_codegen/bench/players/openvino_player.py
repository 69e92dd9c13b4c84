"""OpenVINO GenAI, which reads the GGUF file; times are its own (time to first token, per token).

Its cache of prefixes would skip the prefill of a prompt that it has seen: it is off but for
`keystroke`, whose prompt is the last one and some more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov  # type: ignore[import-not-found, unused-ignore]
import openvino_genai as genai  # type: ignore[import-not-found, unused-ignore]

_TOKENS = 33  # of each answer that steps are timed on


class Player:
    def __init__(self, model: str, threads: int) -> None:
        self._file, self._threads = model, threads
        self.weight_bytes = Path(model).stat().st_size
        self._pipeline = self._load(caching=False)
        self._caching: Any = None
        self._step = 0.0

    def _load(self, *, caching: bool) -> Any:
        scheduler = genai.SchedulerConfig()
        scheduler.enable_prefix_caching = caching
        scheduler.cache_size = 1
        scheduler.max_num_batched_tokens = 4096
        return genai.LLMPipeline(
            self._file, "CPU", scheduler_config=scheduler, INFERENCE_NUM_THREADS=self._threads
        )

    def _generate(self, pipeline: Any, prompts: Sequence[Sequence[int]], count: int) -> Any:
        asked = genai.GenerationConfig(
            max_new_tokens=count, min_new_tokens=count, ignore_eos=True, do_sample=False,
            apply_chat_template=False,
        )  # fmt: skip
        ids = np.array(prompts, np.int64)
        inputs = genai.TokenizedInputs(ov.Tensor(ids), ov.Tensor(np.ones_like(ids)))
        return pipeline.generate(inputs, asked)

    def prefill(self, tokens: Sequence[int]) -> float:
        metrics = self._generate(self._pipeline, [tokens], _TOKENS).perf_metrics
        self._step = metrics.get_tpot().mean / 1e3
        return float(metrics.get_ttft().mean / 1e3)

    def steps(self, count: int) -> float:
        return self._step * count

    def wide(self, width: int) -> None:  # noqa: ARG002
        return None

    def keystroke(self, prompt: Sequence[int], more: Sequence[int]) -> float:
        if self._caching is None:
            self._caching = self._load(caching=True)
        self._generate(self._caching, [prompt], 1)
        return float(
            self._generate(self._caching, [[*prompt, *more]], 1).perf_metrics.get_ttft().mean / 1e3
        )

    def rows(self, prompts: Sequence[Sequence[int]], count: int) -> float:
        began = time.perf_counter()
        self._generate(self._pipeline, prompts, 1)
        first = time.perf_counter() - began
        began = time.perf_counter()
        self._generate(self._pipeline, prompts, count + 1)
        return time.perf_counter() - began - first

    def best(self, tokens: Sequence[int]) -> int:
        return int(self._generate(self._pipeline, [tokens], 1).tokens[0][0])
