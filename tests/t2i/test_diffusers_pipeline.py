"""CogView4 of random weights through the real diffusers, where it is installed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("diffusers")

from tokenizers import Tokenizer, models, pre_tokenizers, processors

from glm_runtime.model_family import family_of
from glm_t2i.painter_loading import load_painter
from glm_t2i.painting import Painted, Painter, Painting, Step


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return written(tmp_path_factory.mktemp("pipeline"))


def written(folder: Path) -> Path:
    """A whole pipeline of some ten thousand weights."""
    from diffusers import (
        AutoencoderKL,
        CogView4Pipeline,
        CogView4Transformer2DModel,
        FlowMatchEulerDiscreteScheduler,
    )
    from transformers import GlmConfig, GlmModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    vocabulary = {word: index for index, word in enumerate(("<pad>", "<unk>", "a", "cat"))}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.post_processor = processors.TemplateProcessing(
        single="<unk> $A", special_tokens=[("<unk>", 1)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", unk_token="<unk>", padding_side="left"
    )
    text = GlmConfig(
        hidden_size=32, intermediate_size=8, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, vocab_size=8, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    drawing = CogView4Transformer2DModel(
        patch_size=2, in_channels=4, num_layers=2, attention_head_dim=4, num_attention_heads=4,
        out_channels=4, text_embed_dim=32, time_embed_dim=8, condition_dim=4,
    )  # fmt: skip
    pixels = AutoencoderKL(
        block_out_channels=[32, 64], latent_channels=4, sample_size=128,
        down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2,
    )  # fmt: skip
    steps = FlowMatchEulerDiscreteScheduler(
        base_shift=0.25, max_shift=0.75, base_image_seq_len=256, use_dynamic_shifting=True,
        time_shift_type="linear",
    )  # fmt: skip
    pipeline: Any = CogView4Pipeline(
        tokenizer=tokenizer, text_encoder=GlmModel(text), vae=pixels, transformer=drawing,
        scheduler=steps,
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    return folder


def drawn(painter: Painter, seed: int) -> tuple[list[Step | Painted], bytes]:
    asked = Painting(prompt="a cat", width=64, height=64, seed=seed, options={"steps": "2"})
    strokes = list(painter.paint(asked))
    assert isinstance(strokes[-1], Painted)
    return strokes, strokes[-1].picture.tobytes()


@pytest.mark.filterwarnings("ignore")
def test_steps_sizes_and_seeds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glm_t2i.diffusers_painter._SIZES", {"CogView4Pipeline": (32, 32, 1 << 21)})
    assert family_of(folder) == "image"
    painter = load_painter(folder, device="cpu", dtype="float32")
    assert painter.architecture == "CogView4Pipeline"
    assert painter.memory_bytes > 10_000
    strokes, first = drawn(painter, 1)
    assert strokes[:-1] == [Step(step=1, steps=2), Step(step=2, steps=2)]
    assert isinstance(strokes[-1], Painted)
    assert strokes[-1].picture.size == (64, 64)
    assert drawn(painter, 1)[1] == first
    assert drawn(painter, 2)[1] != first
