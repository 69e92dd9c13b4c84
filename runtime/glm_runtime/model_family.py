"""Which engine runs a model: told from its folder's own files, never from its name.

Families: "code" (text to text), "vision" (pictures and text to text), "image" (text to picture).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CODE, VISION, IMAGE = "code", "vision", "image"
FAMILIES = (CODE, VISION, IMAGE)
_IMAGE_TYPES = frozenset({"cogview", "cogview2", "coglm", "vqvae", "nano_image"})
_VISION_KEYS = ("vision_config", "image_token_id", "image_token_index")


def family_of(folder: Path) -> str:
    """The family of the model in `folder`; "code" where nothing says otherwise.

    Read: diffusers' `model_index.json` (image), and of transformers' `config.json` the key
    `family` (ours), `model_type`, and what only models that see have.
    """
    if (folder / "model_index.json").is_file():
        return IMAGE
    config = _read(folder / "config.json")
    if config.get("family") in FAMILIES:
        return str(config["family"])
    if config.get("model_type") in _IMAGE_TYPES:
        return IMAGE
    return VISION if any(config.get(key) is not None for key in _VISION_KEYS) else CODE


def _read(file: Path) -> dict[str, Any]:
    try:
        config = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}
