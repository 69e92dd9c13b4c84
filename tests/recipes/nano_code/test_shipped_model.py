"""The weights that ship: size, agreement with the tokenizer, and that they answer."""

from __future__ import annotations

import json

import pytest
import torch

from glm_protocol.completion import CodeContext, CompletionMode
from recipes.nano_code.completer import Completer
from recipes.nano_code.model import NanoConfig, NanoGlm
from recipes.nano_code.tokenizer import MODEL
from recipes.nano_code.weights import read_weights


@pytest.fixture(scope="module")
def completer() -> Completer:
    return Completer()


def test_two_such_models_fit_in_sixteen_megabytes() -> None:
    assert sum(path.stat().st_size for path in MODEL.glob("*.[sj]*")) < 8.2 * 2**20


def test_configuration_and_tokenizer_agree(completer: Completer) -> None:
    config = json.loads((MODEL / "config.json").read_text(encoding="utf-8"))
    assert config["vocab_size"] == completer.tokenizer.vocabulary_size
    assert config["eos_token_id"] == completer.tokenizer.control_id("<|endoftext|>")
    assert config["glm_trained_length"] == 512
    assert config["glm_quantization"] == {"bits": 8, "group_size": 64}


def test_a_batch_answers_each_of_its_contexts(completer: Completer) -> None:
    contexts = [
        CodeContext(path="a.py", language="python", prefix=prefix, suffix="\n")
        for prefix in ("import os\n\n\ndef main(argument):\n    return ", "x = 1\nfor value in ")
    ]
    together = completer.complete_many(contexts, CompletionMode.LINE)
    assert len(together) == len(contexts)
    assert all("\n" not in text for text in together)


def test_training_can_start_from_the_shipped_weights(completer: Completer) -> None:
    network = NanoGlm(NanoConfig())
    network.load_state_dict(read_weights(MODEL))
    tokens = torch.tensor([completer.tokenizer.encode("def main():\n    return 0\n")])
    with torch.no_grad():
        own, theirs = network(tokens), completer.network(tokens).logits.float()
    assert (own - theirs).abs().mean() < 0.1  # theirs is computed in bf16
