"""From a checkpoint to the model folder that ships: 8-bit weights in groups of 64.

`python -m recipes.nano_code.export [--to FOLDER] [--check]` writes config.json,
generation_config.json and model.safetensors beside the frozen tokenizer. `--check` measures the
held-out loss before and after rounding. Every matrix is rounded, the embedding too; norms and
biases are kept in fp16.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_runtime.quantized_weight import CONFIG_KEY, QuantizationScheme, quantize
from recipes.nano_code import checkpoint
from recipes.nano_code.model import NanoConfig, NanoGlm
from recipes.nano_code.samples import LENGTH
from recipes.nano_code.tokenizer import MODEL
from recipes.nano_code.train import RUN
from recipes.nano_code.trainer import validation_loss
from recipes.nano_code.weights import read_weights

SCHEME = QuantizationScheme(bits=8, group_size=64)
ALLOWED_LOSS_GAIN = 0.005


def rounded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of model.safetensors: int8 matrices with fp16 scales, the rest fp16."""
    found: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if tensor.ndim == 2:
            weight = quantize(tensor, bits=SCHEME.bits, group_size=SCHEME.group_size)
            found |= weight.to_tensors(name)
        else:
            found[name] = tensor.to(torch.float16)
    return {name: tensor.contiguous() for name, tensor in found.items()}


def config_json(config: NanoConfig, tokenizer: TextTokenizer) -> dict[str, Any]:
    """Contents of config.json."""
    return config.as_transformers() | {
        "eos_token_id": tokenizer.control_id("<|endoftext|>"),
        "pad_token_id": tokenizer.control_id("<|pad|>"),
        "dtype": "float16",
        "glm_trained_length": LENGTH,
        CONFIG_KEY: SCHEME.to_config(),
    }


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write readable JSON with a newline at the end."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_weights(tensors: dict[str, Tensor], folder: Path) -> None:
    """Write `model.safetensors`; it appears last and whole."""
    part = folder / "model.safetensors.part"
    save_file(tensors, part, metadata={"format": "pt"})
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    part.chmod(0o644)
    part.replace(folder / "model.safetensors")


def export(state: dict[str, Tensor], folder: Path) -> None:
    """Write the model folder; the weights appear last and whole."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if not (folder / name).exists():
            shutil.copy(MODEL / name, folder / name)
    tokenizer = TextTokenizer.from_folder(folder)
    config = config_json(NanoConfig(), tokenizer)
    write_json(folder / "config.json", config)
    write_json(
        folder / "generation_config.json",
        {
            "eos_token_id": config["eos_token_id"],
            "pad_token_id": config["pad_token_id"],
            "do_sample": False,
        },
    )
    write_weights(rounded(state), folder)


def loss_of(state: dict[str, Tensor], rows: int = 512) -> float:
    """Weighted held-out loss in nats of a set of weights."""
    model = NanoGlm(NanoConfig())
    model.load_state_dict(state)
    return validation_loss(model.eval(), torch.device("cpu"), rows)


def main() -> None:
    """Export the newest checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=MODEL)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    tensors, progress = checkpoint.load(RUN / "checkpoint.safetensors")
    state = {name: tensor for name, tensor in tensors.items() if name.startswith("model.")}
    export(state, arguments.to)
    print(f"exported step {progress.step}, {progress.tokens} tokens, {progress.elapsed_s:.0f} s")
    if arguments.check:
        before, after = loss_of(state), loss_of(read_weights(arguments.to))
        print(f"held-out loss {before:.4f} before rounding, {after:.4f} after")
        write_json(RUN / "rounding.json", {"before": before, "after": after})
        if after > before * (1 + ALLOWED_LOSS_GAIN):
            raise SystemExit("rounding costs more than 0.5 % of the loss")


if __name__ == "__main__":
    main()
