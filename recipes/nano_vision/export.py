"""From a checkpoint to the model folder that ships: 8-bit matrices in groups of 32.

`python -m recipes.nano_vision.export [--to FOLDER]` writes config.json, generation_config.json
and model.safetensors beside the frozen tokenizer. Every matrix is rounded, the embedding too;
the patch convolution, norms and biases are kept in fp16. The output matrix is the embedding.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from torch import Tensor

from glm_runtime.quantized_weight import CONFIG_KEY, QuantizationScheme, quantize
from recipes.nano_code import checkpoint
from recipes.nano_code.export import write_json, write_weights
from recipes.nano_vision.network import config
from recipes.nano_vision.tokenizer import MODEL
from recipes.nano_vision.train import RUN

SCHEME = QuantizationScheme(bits=8, group_size=32)
QUESTIONS = "nano-vision-1"
_KEPT = (
    *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers"),
    *("num_attention_heads", "hidden_act", "max_position_embeddings", "rms_norm_eps"),
    *("rope_theta", "template_version", "pad_token_id", "bos_token_id", "eos_token_id"),
    *("tie_word_embeddings", "vision_config"),
)


def rounded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of model.safetensors."""
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if tensor.ndim == 2 and tensor.shape[1] % SCHEME.group_size == 0 and tensor.shape[0] > 1:
            weight = quantize(tensor, bits=SCHEME.bits, group_size=SCHEME.group_size)
            found |= weight.to_tensors(name)
        else:
            found[name] = tensor.half()
    return {name: tensor.contiguous() for name, tensor in found.items()}


def config_json() -> dict[str, Any]:
    """Contents of config.json, in the words of the released CogVLM."""
    sizes = config()
    return {
        "architectures": ["CogVLMForCausalLM"],
        "model_type": "cogvlm",
        **{name: getattr(sizes, name) for name in _KEPT},
        "dtype": "float16",
        "glm_questions": QUESTIONS,
        CONFIG_KEY: SCHEME.to_config(),
    }


def export(state: dict[str, Tensor], folder: Path) -> None:
    """Write the folder; the weights appear last and whole."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "tokenizer.json").exists():
        shutil.copy(MODEL / "tokenizer.json", folder / "tokenizer.json")
    words = config_json()
    write_json(folder / "config.json", words)
    ids = {name: words[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    write_json(folder / "generation_config.json", {**ids, "do_sample": False})
    write_weights(rounded(state), folder)


def main() -> None:
    """Export the newest checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=MODEL)
    arguments = parser.parse_args()
    tensors, progress = checkpoint.load(RUN / "checkpoint.safetensors")
    export({n: t for n, t in tensors.items() if n.startswith("model.")}, arguments.to)
    size = (arguments.to / "model.safetensors").stat().st_size
    print(f"exported step {progress.step}, {progress.rows} pictures, {size} bytes")


if __name__ == "__main__":
    main()
