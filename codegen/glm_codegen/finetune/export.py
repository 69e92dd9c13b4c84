"""An adapter for other servers: the folder that vLLM and peft load, or the merged model.

Merging happens into a copy read from disk, in float32, once: a model in memory is never merged
and unmerged, which in bfloat16 was measured to wear its weights out.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from glm_protocol.errors import BadRequest, ModelUnusable
from glm_protocol.folders import user_folders
from glm_runtime.adapter import CONFIG, WEIGHTS, Adapter, fingerprint
from glm_runtime.checkpoint import open_checkpoint
from glm_runtime.hub_cache import cached_folder
from glm_runtime.lora_weights import load_lora
from glm_runtime.model_registry import ModelRegistry
from glm_runtime.quantized_weight import CONFIG_KEY
from glm_runtime.weight_files import INDEX

SHARD_BYTES = 4 << 30
COPIED = ("tokenizer.json", "tokenizer_config.json", "generation_config.json", "tokenizer.model")


def export_adapter(adapter: Adapter, folder: Path) -> None:
    """The two files of peft's format, checked. Raises ModelUnusable, BadRequest."""
    load_lora(adapter, torch.device("cpu"), torch.float32)
    _make(folder)
    for name in (CONFIG, WEIGHTS):
        shutil.copyfile(adapter.folder / name, folder / name)


def export_merged(adapter: Adapter, folder: Path) -> None:
    """The base model with the adapter in its weights, in float16, nothing quantised.

    Raises ModelUnknown, ModelUnusable where the base is not the adapter's, BadRequest.
    """
    spec = ModelRegistry(user_folders().registry).resolve(adapter.base)
    base = spec.folder or cached_folder(spec.source)
    if adapter.fingerprint and adapter.fingerprint != fingerprint(base):
        raise ModelUnusable(f"The adapter {adapter.name} was made for another {adapter.base}.")
    checkpoint = open_checkpoint(base)
    lora = load_lora(adapter, torch.device("cpu"), torch.float32)
    left = set(lora.pairs)
    _make(folder)
    shard, size, shards = dict[str, torch.Tensor](), 0, list[dict[str, torch.Tensor]]()
    for name, weight in checkpoint.weights():
        tensor = weight if isinstance(weight, torch.Tensor) else weight.dequantize(torch.float32)
        layer = name.removesuffix(".weight")
        if layer in lora.pairs:
            pair = lora.pairs[layer]
            tensor = tensor.float() + pair.b_OR @ pair.a_RI
            left.discard(layer)
        if tensor.is_floating_point():
            tensor = tensor.to(torch.float16)
        if size + tensor.nbytes > SHARD_BYTES and shard:
            shards.append(shard)
            shard, size = {}, 0
        shard[name] = tensor.contiguous()
        size += tensor.nbytes
    shards.append(shard)
    if left:
        raise ModelUnusable(f"The base has no layer {min(left)}, which the adapter changes.")
    _write(folder, shards)
    config = json.loads((base / "config.json").read_bytes())
    config.pop(CONFIG_KEY, None)
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    for file in COPIED:
        if (base / file).is_file():
            shutil.copyfile(base / file, folder / file)


def _write(folder: Path, shards: list[dict[str, torch.Tensor]]) -> None:
    if len(shards) == 1:
        save_file(shards[0], folder / "model.safetensors", metadata={"format": "pt"})
        return
    names: dict[str, str] = {}
    for number, shard in enumerate(shards):
        file = f"model-{number + 1:05}-of-{len(shards):05}.safetensors"
        save_file(shard, folder / file, metadata={"format": "pt"})
        names |= dict.fromkeys(shard, file)
    text = json.dumps({"metadata": {}, "weight_map": names}, indent=1)
    (folder / INDEX).write_text(text + "\n", encoding="utf-8")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise BadRequest(f"{folder} is there already.", remedy="Name a new folder.") from error
