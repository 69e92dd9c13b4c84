"""Tiny random CogAgent and GLM-4V-9B in the released layout, with all that released files hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from glm_vision.models.cogagent import CogAgentConfig, CogAgentForCausalLM
from glm_vision.models.glm4v_9b import GLM4V9BConfig, GLM4V9BForCausalLM
from tests.vision.plain_forward import Weights
from tests.vision.scripted_model import character_tokenizer

TOWER: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_heads": 2,
    "in_channels": 3,
    "patch_size": 4,
    "image_size": 12,
    "num_positions": 10,
    "layer_norm_eps": 1e-6,
}
COGAGENT: dict[str, Any] = {
    "architectures": ["CogAgentForCausalLM"],
    "auto_map": {"AutoModelForCausalLM": "modeling_cogagent.CogAgentForCausalLM"},
    "template_version": "chat",
    "vocab_size": 110,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-5,
    "initializer_range": 0.3,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "cross_hidden_size": 16,
    "cross_compute_hidden_size": 16,
    "cross_image_size": 20,
    "cross_vision_config": {
        "intermediate_size": 20,
        "num_hidden_layers": 3,
        "num_heads": 2,
        "patch_size": 4,
        "rotary_grid": 3,
    },
    "vision_config": TOWER,
}
GLM4V: dict[str, Any] = {
    "architectures": ["ChatGLMModel"],
    "model_type": "chatglm",
    "auto_map": {"AutoConfig": "configuration_chatglm.ChatGLMConfig"},
    "padded_vocab_size": 110,
    "hidden_size": 32,
    "ffn_hidden_size": 40,
    "kv_channels": 8,
    "num_layers": 2,
    "num_attention_heads": 4,
    "multi_query_attention": True,
    "multi_query_group_num": 2,
    "seq_length": 256,
    "layernorm_epsilon": 1e-5,
    "rope_ratio": 2,
    "add_qkv_bias": True,
    "rmsnorm": True,
    "original_rope": True,
    "initializer_range": 0.3,
    "boi_token_id": 104,
    "eoi_token_id": 105,
    "pad_token_id": 99,
    "eos_token_id": [99, 101, 103],
    "vision_config": {**TOWER, "image_size": 16, "num_positions": 17, "scaling_factor": 8.0},
}
GLM4V_SPECIALS = (
    *("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"),
    *("<|begin_of_image|>", "<|end_of_image|>", "<|endoftext|>"),
)


def write_cogagent(folder: Path) -> Weights:
    """With the layer, norm, head and buffers that released files have and nobody runs."""
    folder.mkdir(parents=True)
    words = {key: value for key, value in COGAGENT.items() if not key.startswith("a")}
    torch.manual_seed(3)
    model = CogAgentForCausalLM(CogAgentConfig(**words))
    _disturb(model)
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    trunk = "model.cross_vision.vit.model"
    dead = {
        name.replace("blocks.1.", "blocks.2."): torch.zeros_like(weight)
        for name, weight in weights.items()
        if f"{trunk}.blocks.1." in name
    }
    dead |= {f"{trunk}.{name}": torch.zeros(2) for name in ("norm.weight", "head.bias")}
    dead |= {f"{trunk}.rope.freqs_cos": torch.zeros(2)}
    dead |= {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.zeros(4)}
    save_file(weights | dead, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(COGAGENT))
    character_tokenizer().save(str(folder / "tokenizer.json"))
    return weights


def write_glm4v(folder: Path) -> Weights:
    folder.mkdir(parents=True)
    words = {key: value for key, value in GLM4V.items() if not key.startswith(("a", "model"))}
    torch.manual_seed(4)
    model = GLM4V9BForCausalLM(GLM4V9BConfig(**words, add_qkv_bias=True))
    _disturb(model)
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    extra = {"transformer.rotary_pos_emb.inv_freq": torch.zeros(2)}
    save_file(weights | extra, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(GLM4V))
    tokenizer = character_tokenizer()
    tokenizer.add_special_tokens(list(GLM4V_SPECIALS))
    tokenizer.save(str(folder / "tokenizer.json"))
    return weights


@torch.no_grad()
def _disturb(model: torch.nn.Module) -> None:
    """Norms and biases too, which begin as ones and zeros, so that each of them matters."""
    for weight in model.parameters():
        if weight.ndim == 1:
            weight.add_(0.3 * torch.randn_like(weight))
