"""Model folders with random weights, of shapes whose speed is worth knowing. No torch.

S and M are 46 and 494 million parameters with a tied output layer; the larger ones are those of
edge devices. The weights say nothing, so neither does the text. They are made straight in their
quantised form, a tensor at a time, and kept in the bench's folder for the next time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glm_codegen.bench.tensor_file import LazyTensor, write_tensors

# (hidden, layers, heads, key heads, forward, vocabulary)
SHAPES = {
    "S": (512, 10, 8, 2, 1536, 32_000),
    "M": (896, 24, 14, 2, 4864, 151_936),
    "1.5B": (1536, 28, 12, 2, 8960, 151_936),
    "3B": (2048, 36, 16, 2, 11_008, 151_936),
}
_GROUPS = {8: 64, 4: 32}
_LARGEST = {8: 127, 4: 7}
_SPREAD = 0.04  # of a weight, at most
_EMBEDDING = "model.embed_tokens.weight"


def random_model(room: Path, shape: str, *, bits: int = 8) -> Path:
    """The folder of a shape of `SHAPES` in `room`, written unless it is there."""
    folder = room / f"{shape}-int{bits}"
    if not (folder / "config.json").is_file():  # which is written last
        folder.mkdir(parents=True, exist_ok=True)
        write_tensors(folder / "model.safetensors", list(_tensors(shape, bits)))
        (folder / "config.json").write_text(json.dumps(_config(shape, bits)), encoding="utf-8")
    return folder


def _config(shape: str, bits: int) -> dict[str, Any]:
    hidden, layers, heads, key_heads, forward, vocabulary = SHAPES[shape]
    return {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": hidden,
        "num_hidden_layers": layers, "num_attention_heads": heads, "head_dim": hidden // heads,
        "num_key_value_heads": key_heads, "intermediate_size": forward,
        "vocab_size": vocabulary, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
        "rope_theta": 10_000.0, "tie_word_embeddings": True, "hidden_act": "silu",
        "glm_quantization": {"bits": bits, "group_size": _GROUPS[bits]},
    }  # fmt: skip


def _tensors(shape: str, bits: int) -> Iterator[LazyTensor]:
    """Linear layers in `bits`; the embedding int8, as quantised checkpoints of others have it."""
    hidden, layers, heads, key_heads, forward, vocabulary = SHAPES[shape]
    size = hidden // heads
    random = np.random.default_rng(0)

    def matrix(name: str, rows: int, columns: int, width: int = bits) -> Iterator[LazyTensor]:
        stored = (rows, columns * width // 8)
        scale = np.float16(_SPREAD / _LARGEST[width])
        groups = (rows, columns // _GROUPS[bits])
        kind = "I8" if width == 8 else "U8"
        yield LazyTensor(
            name=name, kind=kind, shape=stored, make=lambda: _integers(random, stored, width)
        )
        yield LazyTensor(
            name=f"{name}_scale", kind="F16", shape=groups,
            make=lambda: np.full(groups, scale, np.float16),
        )  # fmt: skip

    def norm(name: str) -> LazyTensor:
        return LazyTensor(
            name=name, kind="F32", shape=(hidden,), make=lambda: np.ones(hidden, np.float32)
        )

    yield from matrix(_EMBEDDING, vocabulary, hidden, 8)
    yield norm("model.norm.weight")
    for layer in range(layers):
        name = f"model.layers.{layer}."
        yield norm(f"{name}input_layernorm.weight")
        yield norm(f"{name}post_attention_layernorm.weight")
        yield from matrix(f"{name}self_attn.q_proj.weight", heads * size, hidden)
        for one in "kv":
            yield from matrix(f"{name}self_attn.{one}_proj.weight", key_heads * size, hidden)
        yield from matrix(f"{name}self_attn.o_proj.weight", hidden, heads * size)
        for one in ("gate", "up"):
            yield from matrix(f"{name}mlp.{one}_proj.weight", forward, hidden)
        yield from matrix(f"{name}mlp.down_proj.weight", hidden, forward)


def _integers(random: np.random.Generator, shape: tuple[int, int], bits: int) -> NDArray[Any]:
    """Every integer but the one that has no negative: -128, or 0 for the -8 of a half byte."""
    drawn = np.frombuffer(bytearray(random.bytes(shape[0] * shape[1])), np.uint8)
    if bits == 8:
        return np.maximum(drawn.view(np.int8), np.int8(-127)).reshape(shape)
    drawn |= ((drawn & 0x0F) == 0).view(np.uint8) << 3
    drawn |= ((drawn & 0xF0) == 0).view(np.uint8) << 7
    return drawn.reshape(shape)
