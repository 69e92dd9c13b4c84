"""The reference data of the CodeGeeX family: tiny checkpoints and what they must compute."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

DATA = Path(__file__).parents[2] / "data" / "codegeex"
TOKENIZERS = DATA / "tokenizers"
VERSIONS = ("v1", "v2", "v4")
TOLERANCE = {"v1": 2e-4, "v2": 1e-4, "v4": 1e-4}  # largest absolute difference of a logit, fp32
PROMPTS = range(5)


@dataclass(frozen=True, kw_only=True)
class ReferenceCases:
    """`tensors` as in the data's README."""

    version: str
    tensors: dict[str, torch.Tensor]

    def prompt(self, index: int) -> torch.Tensor:
        """Ids [1, T]."""
        return self.tensors[f"input_ids_{index}"][None]

    def logits(self, index: int) -> torch.Tensor:
        """[T, V]."""
        return self.tensors[f"logits_{index}"]

    def greedy(self, index: int) -> list[int]:
        return [int(token) for token in self.tensors[f"greedy_{index}"]]


def reference_cases(version: str) -> ReferenceCases:
    return ReferenceCases(version=version, tensors=load_file(DATA / version / "cases.safetensors"))


def published_weights(version: str) -> dict[str, torch.Tensor]:
    """The checkpoint under its published names."""
    return load_file(DATA / version / "model.safetensors")


def published_config(version: str) -> dict[str, Any]:
    """Its config.json; for v1 the `config` object of meta.json."""
    if version == "v1":
        meta: dict[str, Any] = json.loads((DATA / "v1/meta.json").read_text())["config"]
        return meta
    config: dict[str, Any] = json.loads((DATA / version / "config.json").read_text())
    return config


def greedy_continuation(model: Any, ids: torch.Tensor, count: int) -> list[int]:
    """`count` tokens by the cached loop of `generate`; no token ends it."""
    out = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=count,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    return [int(token) for token in out[0, ids.shape[1] :]]


def gpt2_files(folder: Path) -> None:
    """Write vocab.json and merges.txt as GPT-2 has them, unused entries replaced by fillers."""
    subset = json.loads((TOKENIZERS / "gpt2_subset.json").read_text())
    vocabulary: dict[str, int] = subset["vocab"]
    taken = set(vocabulary.values())
    fillers = {f"\u0000{i}": i for i in range(50257) if i not in taken}
    (folder / "vocab.json").write_text(json.dumps(vocabulary | fillers))
    lines = ["#version: 0.2", *subset["merges"], ""]
    (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
