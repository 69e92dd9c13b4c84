"""Tiny random models and a byte-level tokenizer, written as folders that `load_engine` takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from glm_runtime.quantized_weight import quantize

CONTROL = (
    *("<|endoftext|>", "[gMASK]", "<sop>", "<|user|>", "<|assistant|>", "<|observation|>"),
    *("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),
)
VOCABULARY = 256 + len(CONTROL)
END = 256  # id of <|endoftext|>

GLM: dict[str, Any] = {
    "model_type": "glm",
    "architectures": ["GlmForCausalLM"],
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": True,
    "attention_bias": True,
    "pad_token_id": END,
    "eos_token_id": [END],
    "initializer_range": 0.3,
}
LLAMA: dict[str, Any] = {
    **{key: GLM[key] for key in GLM if key not in ("attention_bias", "head_dim")},
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "tie_word_embeddings": False,
}
GPT2: dict[str, Any] = {
    "model_type": "gpt2",
    "architectures": ["GPT2LMHeadModel"],
    "vocab_size": VOCABULARY,
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 1024,
    "bos_token_id": END,
    "eos_token_id": END,
    "initializer_range": 0.3,
}
MISTRAL: dict[str, Any] = {
    **LLAMA,
    "model_type": "mistral",
    "architectures": ["MistralForCausalLM"],
    "sliding_window": 16,
}


def byte_tokenizer(control: tuple[str, ...] = CONTROL) -> Tokenizer:
    """Every byte is a token, id = the byte's place in the byte-level alphabet."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in control])
    return tokenizer


def random_weights(config: dict[str, Any], seed: int = 0) -> dict[str, torch.Tensor]:
    """A state dict as `save_pretrained` would write it: contiguous, tied weights once."""
    import transformers
    import transformers.models.auto.modeling_auto  # first: other model code leans on it

    fields = {key: value for key, value in config.items() if not key.startswith("glm_")}
    fields.pop("model_type"), fields.pop("architectures")
    model_class = getattr(transformers, config["architectures"][0])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = model_class(model_class.config_class(**fields))
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    if config.get("tie_word_embeddings", True):
        del weights["lm_head.weight"]
    return weights


def write_model(
    folder: Path,
    config: dict[str, Any] = GLM,
    *,
    weights: dict[str, torch.Tensor] | None = None,
    control: tuple[str, ...] = CONTROL,
    shards: int = 1,
) -> Path:
    """A whole model folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    byte_tokenizer(control).save(str(folder / "tokenizer.json"))
    weights = random_weights(config) if weights is None else weights
    if shards == 1:
        save_file(weights, folder / "model.safetensors")
        return folder
    names = sorted(weights)
    weight_map = {}
    for number in range(shards):
        part = {name: weights[name] for name in names[number::shards]}
        file = f"model-{number + 1:05}-of-{shards:05}.safetensors"
        save_file(part, folder / file)
        weight_map.update(dict.fromkeys(part, file))
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


def quantized(weights: dict[str, torch.Tensor], bits: int, group_size: int) -> dict[str, Any]:
    """Every matrix quantised, as an export writes it."""
    stored: dict[str, torch.Tensor] = {}
    for name, tensor in weights.items():
        if tensor.ndim == 2:
            packed = quantize(tensor, bits=bits, group_size=group_size)
            stored |= packed.to_tensors(name)
        else:
            stored[name] = tensor
    return stored
