"""A base model with trainable LoRA matrices on all its linear layers, by peft.

The base is frozen, in the number format it is served in, or packed to four or eight bits where
it would not fit (then the matrices learn on top of the packed layers: QLoRA). Embeddings and the
output layer are left alone, so that every server can load the result.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from peft.tuners.lora import Linear as PeftLinear
from torch import nn

from glm_codegen.finetune.packing import Batch
from glm_codegen.finetune.run_files import write_json, write_tensors
from glm_codegen.finetune.train_plan import TrainPlan
from glm_protocol.errors import ModelUnusable
from glm_runtime.adapter import CONFIG, WEIGHTS
from glm_runtime.checkpoint import Checkpoint
from glm_runtime.device import Placement
from glm_runtime.quantized_linear import QuantizedLinear
from glm_runtime.transformers_model import load_transformers_model

OUTPUT_LAYERS = ("lm_head", "output_layer", "embed_out", "score")


class LoraOnPacked(PeftLinear):
    """LoRA beside a layer whose weight stays packed; it can be trained, not merged."""

    def merge(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError("matrices on a packed layer are not merged in place")


class Trainable:
    """`network` is peft's; `parameters` are the only ones that learn, in a fixed order."""

    def __init__(self, network: Any, device: torch.device, config: LoraConfig) -> None:
        self.network = network
        self.device = device
        self._config = config

    @property
    def parameters(self) -> list[tuple[str, nn.Parameter]]:
        """By name; anew at each call, since sharding replaces them."""
        found = [(n, p) for n, p in self.network.named_parameters() if p.requires_grad]
        return sorted(found)

    def loss_sum(self, batch: Batch) -> torch.Tensor:
        """Sum over the targets of weight times cross-entropy in nats."""
        logits_NV, targets_N, weights_N = self.logits(batch)
        losses_N = nn.functional.cross_entropy(logits_NV.float(), targets_N, reduction="none")
        return (losses_N * weights_N).sum()

    def logits(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """logits_NV, targets_N, weights_N of the N positions whose target counts."""
        where_BT = (batch.weights_BT > 0).to(self.device)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            answer = self.network(
                input_ids=batch.ids_BT.to(self.device),
                attention_mask=batch.sees_B1TT.to(self.device),
                position_ids=batch.positions_BT.to(self.device),
                use_cache=False,
            )
        targets_BT, weights_BT = batch.targets_BT.to(self.device), batch.weights_BT.to(self.device)
        return answer.logits[where_BT], targets_BT[where_BT], weights_BT[where_BT]

    def matrices(self) -> dict[str, torch.Tensor]:
        """The adapter by peft's names on disk, whole and on the CPU."""
        # Not "auto", which asks the network whether the vocabulary has grown.
        state = get_peft_model_state_dict(self.network, save_embedding_layers=False)
        return {name: whole(tensor).detach().cpu().clone() for name, tensor in state.items()}

    def load_matrices(self, matrices: dict[str, torch.Tensor]) -> None:
        """Inverse of `matrices`, for a network that is not sharded."""
        set_peft_model_state_dict(self.network, matrices)

    def write(self, folder: Path, matrices: dict[str, torch.Tensor], base: str) -> None:
        """An adapter folder in peft's format."""
        words: Any = self._config
        config = {key: _plain(value) for key, value in words.to_dict().items()}
        config |= {"base_model_name_or_path": base, "inference_mode": True}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_json(folder / CONFIG, config)
        write_tensors(folder / WEIGHTS, matrices, {"format": "pt"})


def build_trainable(checkpoint: Checkpoint, placement: Placement, plan: TrainPlan) -> Trainable:
    """Load the base and put fresh matrices on it. Raises ModelUnusable."""
    dense = checkpoint.parameters * placement.dtype.itemsize
    packed = checkpoint.config.scheme is not None and dense > placement.memory_budget_bytes // 2
    if not packed and dense > placement.memory_budget_bytes:
        raise ModelUnusable(
            f"{checkpoint.folder} needs {dense / 1e9:.1f} GB;"
            f" {placement.memory_budget_bytes / 1e9:.1f} GB may be used.",
            remedy="Convert it to 4 bits and train on that: `glm-lsp models convert … --bits 4`.",
        )
    model: Any = load_transformers_model(checkpoint, placement, packed=packed)[0].model
    names = linear_names(model)
    torch.manual_seed(plan.seed)  # of the fresh A matrices
    config = LoraConfig(
        r=plan.rank,
        lora_alpha=plan.alpha,
        lora_dropout=plan.dropout,
        target_modules=sorted(names),
        bias="none",
        task_type="CAUSAL_LM",
    )
    config._register_custom_module({QuantizedLinear: LoraOnPacked})
    if plan.checkpoint_gradients:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    with warnings.catch_warnings():
        # peft asks transformers for an attribute it calls deprecated, and doubts packed layers.
        warnings.simplefilter("ignore")
        network = get_peft_model(model, config)
    network.train()
    return Trainable(network, placement.device, config)


def linear_names(model: nn.Module) -> set[str]:
    """Last parts of the names of all linear layers but the output's."""
    names = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | QuantizedLinear)
    }
    return names - set(OUTPUT_LAYERS)


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor of which each process may hold a part, gathered."""
    gathered: torch.Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return gathered


def _plain(value: Any) -> Any:
    """A configuration's value as JSON has it."""
    if isinstance(value, set | frozenset | list | tuple):
        return sorted(map(_plain, value)) if isinstance(value, set | frozenset) else list(value)
    if isinstance(value, dict | str | int | float | bool) or value is None:
        return json.loads(json.dumps(value))
    return str(getattr(value, "value", value))
