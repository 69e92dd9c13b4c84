"""Model folders with random weights, of shapes whose speed is worth knowing. No torch.

S and M are the shapes of the notes on speed (46 and 494 million parameters, tied output layer);
the larger ones are those of edge devices. The weights say nothing, so neither does the text.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

# (hidden, layers, heads, key heads, forward, vocabulary)
SHAPES = {
    "S": (512, 10, 8, 2, 1536, 32_000),
    "M": (896, 24, 14, 2, 4864, 151_936),
    "1.5B": (1536, 28, 12, 2, 8960, 151_936),
    "3B": (2048, 36, 16, 2, 11_008, 151_936),
}
_GROUPS = {8: 64, 4: 32}


def write_random_model(folder: Path, shape: str, *, bits: int = 8) -> Path:
    """A Llama of a shape of `SHAPES`, quantised; the embedding int8 groups of 64 for either."""
    from safetensors.numpy import save_file

    hidden, layers, heads, key_heads, forward, vocabulary = SHAPES[shape]
    size, group = hidden // heads, _GROUPS[bits]
    config = {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": hidden,
        "num_hidden_layers": layers, "num_attention_heads": heads, "head_dim": size,
        "num_key_value_heads": key_heads, "intermediate_size": forward,
        "vocab_size": vocabulary, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
        "rope_theta": 10_000.0, "tie_word_embeddings": True, "hidden_act": "silu",
        "glm_quantization": {"bits": bits, "group_size": group},
    }  # fmt: skip
    random = np.random.default_rng(0)
    tensors: dict[str, Any] = {}

    def matrix(name: str, rows: int, columns: int) -> None:
        if bits == 8:
            tensors[name] = random.integers(-127, 128, (rows, columns), np.int8)
        else:
            low, high = (random.integers(1, 16, (rows, columns // 2), np.uint8) for _ in range(2))
            tensors[name] = low | (high << 4)
        scale = np.float16(0.04 / (127 if bits == 8 else 7))
        tensors[name + "_scale"] = np.full((rows, columns // group), scale, np.float16)

    matrix("model.embed_tokens.weight", vocabulary, hidden)
    tensors["model.norm.weight"] = np.ones(hidden, np.float32)
    for layer in range(layers):
        name = f"model.layers.{layer}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{name}{norm}.weight"] = np.ones(hidden, np.float32)
        matrix(f"{name}self_attn.q_proj.weight", heads * size, hidden)
        for one in "kv":
            matrix(f"{name}self_attn.{one}_proj.weight", key_heads * size, hidden)
        matrix(f"{name}self_attn.o_proj.weight", hidden, heads * size)
        for one in ("gate", "up"):
            matrix(f"{name}mlp.{one}_proj.weight", forward, hidden)
        matrix(f"{name}mlp.down_proj.weight", hidden, forward)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(tensors, folder / "model.safetensors")
    return folder
