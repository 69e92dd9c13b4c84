"""A model folder as nano-image's, of a few thousand random weights, GPT in 8 bits."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from glm_runtime.quantized_weight import quantize
from glm_t2i.models.cogview import CogView
from glm_t2i.models.transformer import TransformerConfig
from glm_t2i.models.vqvae import VqVae, VqVaeConfig
from tests.t2i.tiny_networks import ready

WORDS = ("a", "red", "blue", "circle", "square", "two", "three", "four", "at", "the", "top", "left")
CODES = 24
EDGE = 8
SIDE = 8 * EDGE


def write_tiny_folder(folder: Path, *, bits: int = 8) -> Path:
    """`bits` 8 stores matrices as integers, 16 as they are."""
    vqvae_config = VqVaeConfig(channel=8, embed_dim=8, n_embed=CODES)
    sums = ("quantize_t.cluster_size", "quantize_t.embed_avg")
    vqvae = ready(VqVae(vqvae_config)).state_dict()
    fields = {k: v for k, v in asdict(vqvae_config).items() if k != "decoder_channel"}
    _write(folder / "vqvae", {k: v for k, v in vqvae.items() if k not in sums}, fields)
    config = TransformerConfig(
        num_layers=2, hidden_size=32, num_attention_heads=2, vocab_size=96,
        max_sequence_length=16 + EDGE**2 + 1, num_image_tokens=CODES,
    )  # fmt: skip
    tensors: dict[str, torch.Tensor] = {}
    for name, tensor in ready(CogView(config)).state_dict().items():
        if bits == 8 and tensor.ndim == 2:
            tensors |= quantize(tensor, bits=8, group_size=16).to_tensors(name)
        else:
            tensors[name] = tensor
    fields = {
        **asdict(config), "family": "image", "model_type": "nano_image",
        "text_tokens": len(WORDS) + 1, "edge": EDGE, "image_position": 16,
        "drawing": {"guidance_percent": 150, "best_of": 2, "top_k": 8},
    }  # fmt: skip
    _write(folder, tensors, fields)
    vocabulary = {word: index for index, word in enumerate((*WORDS, "[UNK]"))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def _write(folder: Path, tensors: dict[str, torch.Tensor], config: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
