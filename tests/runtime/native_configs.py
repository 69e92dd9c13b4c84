"""Tiny configs of every architecture that our own code computes."""

from __future__ import annotations

from typing import Any

from tests.runtime.tiny_models import GLM

BASE: dict[str, Any] = {
    **GLM,
    "hidden_size": 64,
    "intermediate_size": 96,
    "head_dim": 16,
    "max_position_embeddings": 256,
    "initializer_range": 0.15,
}
PLAIN = {key: value for key, value in BASE.items() if key != "attention_bias"}


def family(model_type: str, architecture: str, **fields: Any) -> dict[str, Any]:
    return {**PLAIN, "model_type": model_type, "architectures": [architecture],
            "rms_norm_eps": 1e-5, "rope_theta": 10_000.0, **fields}  # fmt: skip


LLAMA3 = {
    "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64, "rope_theta": 10_000.0,
}  # fmt: skip
CONFIGS = {
    "glm": BASE,
    "glm4": family("glm4", "Glm4ForCausalLM", attention_bias=True, partial_rotary_factor=0.5),
    "llama": family("llama", "LlamaForCausalLM", tie_word_embeddings=False),
    "llama with biases": family("llama", "LlamaForCausalLM", attention_bias=True),
    "llama 3": family("llama", "LlamaForCausalLM", rope_parameters=LLAMA3),
    "mistral": family("mistral", "MistralForCausalLM", sliding_window=24),
    "qwen2": family("qwen2", "Qwen2ForCausalLM", use_sliding_window=False),
    "qwen3": family("qwen3", "Qwen3ForCausalLM", head_dim=32),
    "granite": family(
        *("granite", "GraniteForCausalLM"), embedding_multiplier=3.0, residual_multiplier=0.5,
        attention_multiplier=0.2, logits_scaling=2.0,
    ),
    "smollm": family("llama", "LlamaForCausalLM", hidden_size=96, num_attention_heads=6),
    "smollm3": family("smollm3", "SmolLM3ForCausalLM", no_rope_layers=[1, 0], pad_token_id=0),
}  # fmt: skip
