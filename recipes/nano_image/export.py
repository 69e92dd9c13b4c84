"""From the recipe's checkpoints to `models/nano-image`: 8-bit GPT, 16-bit tokenizer, configs.

    python -m recipes.nano_image.export

Matrices of the GPT are rounded to 8 bits in groups of 64 columns; the tokenizer, whose error is
seen, stays in fp16. Nothing is measured here (`glm-lsp eval image` does).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file

from glm_runtime.quantized_weight import quantize
from recipes.nano_code.checkpoint import load
from recipes.nano_image.captions import MODEL, PIECES
from recipes.nano_image.gpt_training import CONFIG, LAYOUT, RUN
from recipes.nano_image.tokenizer_training import CONFIG as TOKENIZER_CONFIG
from recipes.nano_image.tokenizer_training import RUN as TOKENIZER_RUN

GROUP = 64
# What drawing uses where a request does not say.
HABITS = {"best_of": 2, "guidance_percent": 100, "top_k": 50, "temperature_percent": 60}


def gpt_tensors(model: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What the file holds: matrices as integers and scales, the rest in fp16."""
    stored: dict[str, torch.Tensor] = {}
    for name, tensor in model.items():
        if tensor.ndim == 2 and tensor.shape[1] % GROUP == 0:
            stored |= quantize(tensor, bits=8, group_size=GROUP).to_tensors(name)
        else:
            stored[name] = tensor.half()
    return stored


def write(folder: Path, tensors: dict[str, torch.Tensor], config: dict[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    plain = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(plain, folder / "model.safetensors", metadata={"format": "pt"})
    text = json.dumps(config, indent=1, sort_keys=True) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")


def main() -> None:
    """Write both models; print their sizes."""
    vqvae, _ = load(TOKENIZER_RUN / "checkpoint.safetensors")
    sums = ("quantize_t.cluster_size", "quantize_t.embed_avg")
    kept = {name: tensor.half() for name, tensor in vqvae.items() if name not in sums}
    vqvae_config = {k: v for k, v in asdict(TOKENIZER_CONFIG).items() if k != "decoder_channel"}
    write(MODEL / "vqvae", kept, vqvae_config)
    tensors, progress = load(RUN / "checkpoint.safetensors")
    gpt = {name: tensor for name, tensor in tensors.items() if not name.startswith("muon.")}
    config = {
        **asdict(CONFIG),
        "family": "image",
        "model_type": "nano_image",
        "architectures": ["CogView"],
        "text_tokens": PIECES,
        "edge": LAYOUT.edge,
        "image_position": LAYOUT.image_position,
        "drawing": HABITS,
    }
    write(MODEL, gpt_tensors(gpt), config)
    for file in sorted(MODEL.rglob("*.*")):
        print(f"{file.stat().st_size:>9} {file.relative_to(MODEL)}")
    print(f"after {progress.step} steps, {progress.elapsed_s:.0f} s")


if __name__ == "__main__":
    main()
