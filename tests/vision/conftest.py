"""The two miniature models and their reference cases, read once a run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from glm_vision import load_model
from glm_vision.models.cogvlm import CogVLMForCausalLM

DATA = Path(__file__).parent.parent / "data" / "cogvlm"
VERSIONS = ("cogvlm", "cogvlm2")
CASES = (
    "image_text",
    "text_only",
    "two_images",
    "adjacent_images",
    "batch_left_pad",
    "batch_right_pad",
)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One miniature: its folder, the stored tensors, which images each case uses."""

    folder: Path
    tensors: dict[str, torch.Tensor]
    cases: dict[str, Any]

    def inputs(self, case: str) -> dict[str, Any]:
        names = ("input_ids", "token_type_ids", "attention_mask")
        return {name: self.tensors[f"{case}.{name}"] for name in names} | {
            "images": [
                [self.tensors[f"preprocess.pixel_{name}"] for name in row]
                for row in self.cases[case]["images"]
            ]
        }


@lru_cache
def read_reference(version: str) -> Reference:
    folder = DATA / version
    cases = json.loads((folder / "cases.json").read_text())["cases"]
    return Reference(folder=folder, tensors=load_file(folder / "cases.safetensors"), cases=cases)


@lru_cache
def read_model(version: str, attention: str = "sdpa") -> CogVLMForCausalLM:
    """Shared: a test that changes weights or hooks loads its own."""
    model = load_model(DATA / version, attn_implementation=attention)
    assert isinstance(model, CogVLMForCausalLM)
    return model


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def reference(version: str) -> Reference:
    return read_reference(version)


@pytest.fixture
def model(version: str) -> CogVLMForCausalLM:
    return read_model(version)
