"""The sizes of nano-vision: CogVLM's architecture at four million parameters."""

from __future__ import annotations

import math

import torch

from glm_vision.models.cogvlm import CogVLMForCausalLM
from glm_vision.models.cogvlm_config import CogVLMConfig
from glm_vision.reading_view import CELL, GRID, SIDE
from recipes.nano_vision.tokenizer import BOS, EOS, PAD, VOCABULARY

WIDTH, HEADS = 160, 5


def config() -> CogVLMConfig:
    """Patches of one character cell; a short rotary base, since answers are short."""
    return CogVLMConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=448,
        num_hidden_layers=4,
        num_attention_heads=HEADS,
        max_position_embeddings=1024,
        rms_norm_eps=1e-5,
        rope_theta=1000.0,
        template_version="chat",
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
        tie_word_embeddings=True,
        vision_config={
            "hidden_size": WIDTH,
            "intermediate_size": 640,
            "num_hidden_layers": 4,
            "num_heads": HEADS,
            "in_channels": 3,
            "patch_size": CELL,
            "image_size": SIDE,
            "num_positions": GRID * GRID + 1,
        },
    )


def build() -> CogVLMForCausalLM:
    """Random weights. Patch positions start as sines of their place, along the reading order and
    along both sides, so that "the next patch" need not be discovered."""
    model = CogVLMForCausalLM(config())
    model.tie_weights()
    place = torch.arange(GRID * GRID).float()
    axes = (place, place % GRID, torch.div(place, GRID, rounding_mode="floor"))
    counts = (WIDTH // 4, WIDTH // 8, WIDTH // 8)  # frequencies of each axis
    waves = []
    for axis, count, longest in zip(axes, counts, (600.0, 40.0, 40.0), strict=True):
        steps = torch.arange(count).float() / max(1, count - 1)
        angle = axis[:, None] * torch.exp(-steps * math.log(longest))[None, :]
        waves += [angle.sin(), angle.cos()]
    with torch.no_grad():
        positions = model.model.vision.patch_embedding.position_embedding.weight
        positions[1:] = torch.cat(waves, dim=1)
        for name, parameter in model.named_parameters():
            if name.endswith(("dense.weight", "down_proj.weight")) and "layers" in name:
                parameter.mul_(0.5)
    return model
