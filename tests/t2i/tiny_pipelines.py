"""Diffusers pipelines of random weights, small enough to draw a picture in a tenth of a second.

CogView3-Plus, CogView4, its control form and GLM-Image, built from components as the released
ones are. Import it only where diffusers is installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    CogVideoXDDIMScheduler,
    CogView3PlusPipeline,
    CogView3PlusTransformer2DModel,
    CogView4ControlPipeline,
    CogView4Pipeline,
    CogView4Transformer2DModel,
    FlowMatchEulerDiscreteScheduler,
    GlmImagePipeline,
    GlmImageTransformer2DModel,
)
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BatchFeature,
    ByT5Tokenizer,
    GlmConfig,
    GlmImageConfig,
    GlmImageForConditionalGeneration,
    GlmModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
)

WIDTH = 32  # of text


def words() -> PreTrainedTokenizerFast:
    vocabulary = {word: index for index, word in enumerate(("<pad>", "<unk>", "a", "cat"))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<unk> $A", special_tokens=[("<unk>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", padding_side="left"
    )


def autoencoder(**more: Any) -> Any:
    """Eight pixels a cell, as the released ones."""
    return AutoencoderKL(
        block_out_channels=(4, 8, 16, 16), latent_channels=4, sample_size=128, norm_num_groups=4,
        down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
        **more,
    )  # fmt: skip


def cogview4(*, control: bool = False) -> Any:
    torch.manual_seed(0)
    text = GlmConfig(
        hidden_size=WIDTH, intermediate_size=8, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, vocab_size=8, pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    drawing = CogView4Transformer2DModel(
        patch_size=2, in_channels=8 if control else 4, num_layers=2, attention_head_dim=4,
        num_attention_heads=4, out_channels=4, text_embed_dim=WIDTH, time_embed_dim=8,
        condition_dim=4,
    )  # fmt: skip
    steps = FlowMatchEulerDiscreteScheduler(
        base_shift=0.25, max_shift=0.75, base_image_seq_len=256, use_dynamic_shifting=True,
        time_shift_type="linear",
    )  # fmt: skip
    kind: Any = CogView4ControlPipeline if control else CogView4Pipeline
    return quiet(
        kind(
            tokenizer=words(), text_encoder=GlmModel(text), vae=autoencoder(),
            transformer=drawing, scheduler=steps,
        )
    )  # fmt: skip


def cogview3_plus() -> Any:
    torch.manual_seed(0)
    drawing = CogView3PlusTransformer2DModel(
        patch_size=2, in_channels=4, num_layers=2, attention_head_dim=4, num_attention_heads=2,
        out_channels=4, text_embed_dim=WIDTH, time_embed_dim=8, condition_dim=2,
        pos_embed_max_size=32, sample_size=8,
    )  # fmt: skip
    kind: Any = CogView3PlusPipeline
    return quiet(
        kind(
            tokenizer=words(), text_encoder=t5(WIDTH), vae=autoencoder(), transformer=drawing,
            scheduler=CogVideoXDDIMScheduler(),
        )
    )  # fmt: skip


def glm_image() -> Any:
    """Its processor needs the released tokenizer; one of ours gives what it would."""
    torch.manual_seed(0)
    text = {
        "vocab_size": 256, "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 512,
        "vision_vocab_size": 128, "rope_parameters": {"mrope_section": (4, 2, 2)},
        "pad_token_id": 0, "eos_token_id": 127,
    }  # fmt: skip
    sight = {
        "depth": 1, "hidden_size": 32, "num_heads": 2, "image_size": 32, "patch_size": 8,
        "intermediate_size": 32,
    }  # fmt: skip
    config = GlmImageConfig(
        text_config=text, vision_config=sight, image_token_id=200, image_start_token_id=126,
        image_end_token_id=127,
        vq_config={"embed_dim": 32, "num_embeddings": 128, "latent_channels": 32},
    )  # fmt: skip
    drawing = GlmImageTransformer2DModel(
        patch_size=2, in_channels=4, out_channels=4, num_layers=2, attention_head_dim=8,
        num_attention_heads=2, text_embed_dim=16, time_embed_dim=16, condition_dim=8,
        prior_vq_quantizer_codebook_size=128,
    )  # fmt: skip
    kind: Any = GlmImagePipeline
    return quiet(
        kind(
            tokenizer=ByT5Tokenizer(), processor=GridProcessor(), text_encoder=t5(16),
            vision_language_encoder=GlmImageForConditionalGeneration(config),
            vae=autoencoder(latents_mean=[0.0] * 4, latents_std=[1.0] * 4),
            transformer=drawing, scheduler=FlowMatchEulerDiscreteScheduler(),
        )
    )  # fmt: skip


class GridProcessor:
    """Four ids of a prompt, the grid that is asked for, and a preview of 2 x 2 cells."""

    def apply_chat_template(self, *_: Any, target_h: int, target_w: int, **__: Any) -> Any:
        return BatchFeature(
            {
                "input_ids": torch.tensor([[130, 131, 132, 126]]),
                "attention_mask": torch.ones(1, 4, dtype=torch.int64),
                "image_grid_thw": torch.tensor([[1, target_h // 32, target_w // 32], [1, 2, 2]]),
                "images_per_sample": torch.tensor([2]),
            }
        )


def t5(width: int) -> Any:
    return T5EncoderModel(
        T5Config(vocab_size=400, d_model=width, d_kv=4, d_ff=16, num_layers=1, num_heads=2)
    )


def quiet(pipeline: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def write_lora(pipeline: Any, folder: Path) -> Path:
    """An adapter of rank 2 for the queries, in the released key layout."""
    folder.mkdir(parents=True)
    tensors = {}
    for name, part in pipeline.transformer.named_modules():
        if name.endswith("attn1.to_q"):
            key = f"transformer.{name}"
            tensors[f"{key}.lora_A.weight"] = torch.randn(2, part.in_features)
            tensors[f"{key}.lora_B.weight"] = torch.randn(part.out_features, 2)
    save_file(tensors, folder / "pytorch_lora_weights.safetensors")
    return folder
