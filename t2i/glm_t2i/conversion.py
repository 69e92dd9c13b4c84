"""Official checkpoints of CogView and CogView2, rewritten once as safetensors and a config.json.

They are pickles: read with `weights_only`, so that nothing in them runs, and never again after
this. Keys stay the official ones. Sizes come from the shapes; what shapes do not say (heads,
layouts of the super-resolutions) is the released value, or a `model_config.json` beside the file.
The result is loaded as a check before it gets its name; the destination is never overwritten.
"""

from __future__ import annotations

import json
import pickle
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from glm_protocol.errors import BadRequest, ModelUnusable, Unsupported
from glm_t2i.models.convolution_stack import StackConfig
from glm_t2i.models.hvqvae import released_config
from glm_t2i.models.loading import TELLING_KEYS, Kind, kind_of, load_model
from glm_t2i.models.weights_file import WRAPPER, WeightsFile, open_weights

WEIGHTS, CONFIG = "model.safetensors", "config.json"
SIZES = "model_config.json"  # what SwissArmyTransformer writes beside its checkpoints
_LATEST = "latest_checkpointed_iteration.txt"
_FIRST_RANK = "mp_rank_00_model_states.pt"
_HEAD_WIDTH = 64
_LAYOUTS: dict[str, list[int]] = {"direct_sr": [96, 496, 4096], "iterative_sr": [16, 3616]}


def convert_checkpoint(source: Path, destination: Path) -> Kind:
    """Make the folder `destination` from a `.pt` file or a checkpoint's folder; says what it is.

    Raises BadRequest when the destination is there, ModelUnusable on a source that cannot be
    read or is no model of this family, Unsupported on weights split over several ranks. Needs
    the memory of the mapped file; leaves nothing behind when it fails.
    """
    if destination.exists():
        raise BadRequest(f"{destination} is there already.", remedy="Name a new folder.")
    file = checkpoint_file(source)
    tensors = read_pickled(file)
    destination.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))
    try:
        save_file(tensors, unfinished / WEIGHTS)
        stored = open_weights([unfinished / WEIGHTS])
        kind = kind_of(stored)
        config = derived_config(kind, stored) | _sizes_beside(file)
        text = json.dumps(config, indent=2) + "\n"
        (unfinished / CONFIG).write_text(text, encoding="utf-8")
        load_model(unfinished / WEIGHTS, unfinished / CONFIG)
        unfinished.rename(destination)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return kind


def picture_kind(source: Path) -> Kind | None:
    """What a checkpoint holds by its keys, None for no picture model. Raises as it is read."""
    keys = read_pickled(checkpoint_file(source)).keys()
    return next((kind for key, kind in TELLING_KEYS if key in keys), None)


def checkpoint_file(source: Path) -> Path:
    """The `.pt` file of a source; a folder is followed to its latest iteration."""
    if not source.is_dir():
        return source
    latest = source / _LATEST
    folder = source / latest.read_text().strip() if latest.is_file() else source
    ranks = sorted(folder.glob("mp_rank_*_model_states.pt"))
    if len(ranks) > 1:
        raise Unsupported(
            f"{folder} holds weights split over {len(ranks)} ranks.",
            remedy="Merge them to one rank with the tool that they came with.",
        )
    return folder / _FIRST_RANK


def read_pickled(file: Path) -> dict[str, torch.Tensor]:
    """The weights of a `.pt` file by their official keys. Runs nothing that is in the file."""
    try:
        content: Any = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except OSError as error:
        raise ModelUnusable(f"{file} cannot be read ({error.strerror}).") from error
    except (RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise ModelUnusable(
            f"{file} is no checkpoint of plain weights.",
            remedy="Fetch it again, or keep away from it: it may hold code.",
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("module"), Mapping):
        content = content["module"]
    if not isinstance(content, Mapping) or not content:
        raise ModelUnusable(f"{file} holds no weights.")
    found = {str(key).removeprefix(WRAPPER): value for key, value in content.items()}
    if not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise ModelUnusable(f"{file} holds more than weights under their keys.")
    return {key: value.contiguous() for key, value in found.items()}


def derived_config(kind: Kind, stored: WeightsFile) -> dict[str, Any]:
    """The fields of config.json that belong to weights of released sizes."""
    if kind == "vqvae":
        return _vqvae_config(stored)
    if kind == "hvqvae":
        return _hvqvae_config()
    prefix = "" if kind == "cogview" else "transformer."
    vocabulary, width = _shape(stored, f"{prefix}word_embeddings.weight")
    positions = _shape(stored, "transformer.position_embeddings.weight")[0]
    layer = "transformer.layers.{}.attention.dense.weight"
    config: dict[str, Any] = {
        "num_layers": _count(stored, layer),
        "hidden_size": width,
        "num_attention_heads": max(width // _HEAD_WIDTH, 1),
        "vocab_size": vocabulary,
        "max_sequence_length": positions,
        "num_image_tokens": 8192 if kind == "cogview" else 20_000,
    }
    if kind in _LAYOUTS:
        extra = _shape(stored, "mixins.extra_position_embedding.position_embeddings.weight")[0]
        config |= {"layout": _LAYOUTS[kind], "new_sequence_length": positions + extra}
    return config


def _vqvae_config(stored: WeightsFile) -> dict[str, Any]:
    width, codes = _shape(stored, "quantize_t.embed")
    blocks = sum(f"enc_b.blocks.{place}.conv.1.weight" in stored.tensors for place in range(64))
    first = _shape(stored, "enc_b.blocks.0.weight")[0]
    channel = _shape(stored, "enc_b.blocks.4.weight")[0]
    config = {
        "channel": channel,
        "n_res_block": blocks,
        "embed_dim": width,
        "n_embed": codes,
        "stride": 6,
        "simple": first == channel,
    }
    if blocks:
        config["n_res_channel"] = _shape(stored, "enc_b.blocks.5.conv.1.weight")[0]
    return config


def _hvqvae_config() -> dict[str, Any]:
    released = released_config()

    def stack(config: StackConfig | None) -> dict[str, Any]:
        assert config is not None, "the released tokenizer has all decoders"
        return {
            "params": {
                "channels": config.channels,
                "channels_mult": list(config.channels_mult),
                "num_res_blocks": config.num_res_blocks,
                "attn_resolutions": list(config.attn_resolutions),
                "z_channels": config.z_channels,
                "resolution": config.resolution,
            }
        }

    book = {"embedding_dim": released.embedding_dim, "n_embed": released.n_embed}
    return {
        "enc_config": stack(released.encoder),
        "dec_configs": [stack(decoder) for decoder in released.decoders],
        "quantize_config": {"params": book},
    }


def _sizes_beside(file: Path) -> dict[str, Any]:
    """Fields of a `model_config.json` in the checkpoint's folder or above it."""
    for folder in (file.parent, file.parent.parent):
        if (folder / SIZES).is_file():
            try:
                fields = json.loads((folder / SIZES).read_bytes())
            except (OSError, ValueError, RecursionError) as error:
                raise ModelUnusable(f"{folder / SIZES} is not valid JSON.") from error
            return fields if isinstance(fields, dict) else {}
    return {}


def _shape(stored: WeightsFile, key: str) -> tuple[int, ...]:
    shape = stored.shape(key)
    if shape is None or len(shape) < 2:
        raise ModelUnusable(f"The checkpoint lacks {key}.")
    return shape


def _count(stored: WeightsFile, pattern: str) -> int:
    layer = 0
    while pattern.format(layer) in stored.tensors:
        layer += 1
    return layer
