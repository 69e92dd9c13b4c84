"""From a checkpoint to models/nano-translate: 8-bit weights in groups of 64, as nano-code has them.

`python -m recipes.nano_translate.export [--to FOLDER]`. The tokenizer is nano-code's: the folder
holds links to its two files, which git and wheels keep as links or as copies.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from torch import Tensor

from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_codegen.translation_kind import OUTLINE
from recipes.nano_code import checkpoint
from recipes.nano_code.export import config_json, rounded, write_json, write_weights
from recipes.nano_code.model import NanoConfig
from recipes.nano_code.tokenizer import MODEL as NANO_CODE
from recipes.nano_translate.train import RUN

MODEL = NANO_CODE.parent / "nano-translate"
LENGTH = 512  # tokens of the longest rows it was trained at, or near them
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


def link_tokenizer(folder: Path) -> None:
    """Links to nano-code's tokenizer, relative where the folders are neighbours."""
    for name in TOKENIZER_FILES:
        link = folder / name
        if link.exists() or link.is_symlink():
            continue
        beside = folder.resolve().parent == NANO_CODE.resolve().parent
        link.symlink_to(Path("..") / NANO_CODE.name / name if beside else NANO_CODE / name)


def export(state: dict[str, Tensor], folder: Path) -> None:
    """Write the model folder; the weights appear last and whole."""
    folder.mkdir(parents=True, exist_ok=True)
    link_tokenizer(folder)
    tokenizer = TextTokenizer.from_folder(folder)
    config = config_json(NanoConfig(), tokenizer) | {
        "glm_trained_length": LENGTH,
        "glm_translation": OUTLINE,
    }
    write_json(folder / "config.json", config)
    generation = {key: config[key] for key in ("eos_token_id", "pad_token_id")}
    write_json(folder / "generation_config.json", generation | {"do_sample": False})
    write_weights(rounded(state), folder)


def main() -> None:
    """Export the newest checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=MODEL)
    arguments = parser.parse_args()
    tensors, progress = checkpoint.load(RUN / "checkpoint.safetensors")
    export({n: t for n, t in tensors.items() if n.startswith("model.")}, arguments.to)
    print(f"exported step {progress.step}, {progress.tokens} tokens, {progress.elapsed_s:.0f} s")


if __name__ == "__main__":
    main()
