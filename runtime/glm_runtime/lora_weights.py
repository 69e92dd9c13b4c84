"""The matrices of one adapter, checked and ready to be added to a model's linear layers.

y = W x + B (A x), with B scaled once at load: the base weights are never touched, so nothing has
to be undone after a request, after an error or after a cancel. A KV store is made for one
`LoraWeights` or for none (`CausalModel.new_store`) and every forward on it uses just that: rows
of several adapters and of the base can stand beside each other, and keys and values computed
with one adapter can never be met by another.

The matrices are read as numpy's, which is what the native engine takes; torch gets them on its
device and is imported for that alone.

Legend: I inputs, O outputs, R rank.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glm_protocol.errors import ModelUnusable
from glm_runtime.adapter import CONFIG, WEIGHTS, Adapter, read_json
from glm_runtime.safetensors_header import StoredTensor, read_header

if TYPE_CHECKING:
    import torch

MAX_RANK = 256
MAX_BYTES = 4 << 30
_KEY = re.compile(r"base_model\.model\.(?P<layer>[\w.]+)\.lora_(?P<side>[AB])\.weight")
# Kinds of adapter that peft writes and that are more than two matrices a layer.
_FLOATS = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}
_PLAIN = {"use_dora": False, "use_rslora": False, "bias": "none", "modules_to_save": None}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LoraPair:
    """`a_RI` and `b_OR`, the scale in `b_OR` already: arrays of numpy, or tensors of torch."""

    a_RI: Any
    b_OR: Any

    def add_to(self, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """y + B A x, for x of any leading dimensions. Of tensors."""
        import torch

        linear = torch.nn.functional.linear
        a_RI, b_OR = self.a_RI.to(x.device, x.dtype), self.b_OR.to(x.device, x.dtype)  # mostly so
        return y + linear(linear(x, a_RI), b_OR)


@dataclass(frozen=True, kw_only=True, eq=False)  # no slots: weak references are taken
class LoraWeights:
    """`pairs` by the name of the linear layer, e.g. `model.layers.0.self_attn.q_proj`."""

    name: str
    pairs: Mapping[str, LoraPair]

    @property
    def memory_bytes(self) -> int:
        return sum(pair.a_RI.nbytes + pair.b_OR.nbytes for pair in self.pairs.values())

    def check_fits(self, shapes: Mapping[str, tuple[int, int]]) -> None:
        """`shapes`: [O, I] of each linear layer of the model. Raises ModelUnusable."""
        for layer, pair in self.pairs.items():
            found = (pair.b_OR.shape[0], pair.a_RI.shape[1])
            if shapes.get(layer) != found:
                wanted = shapes.get(layer, "absent")
                raise ModelUnusable(
                    f"The adapter {self.name} is for another model: {layer} is {found} there and"
                    f" {wanted} here.",
                    remedy="Make it anew for this model with `glm-lsp finetune`.",
                )


def load_lora(
    adapter: Adapter, device: torch.device | None = None, dtype: torch.dtype | None = None
) -> LoraWeights:
    """Read and check an adapter's matrices: numpy's in float32, or, with a device, tensors there.

    Raises ModelUnusable.
    """
    config, file = read_json(adapter.folder / CONFIG), adapter.folder / WEIGHTS
    scale = _scale(adapter, config)
    if file.stat().st_size > MAX_BYTES:
        raise ModelUnusable(f"{file} is larger than an adapter can be.")
    stored = read_header(file)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelUnusable(f"The adapter {file} cannot be read ({error}).") from error
    begin = 8 + int.from_bytes(data[:8], "little")
    sides: dict[str, dict[str, NDArray[np.float32]]] = {}
    for tensor in stored:
        key = tensor.name
        match = _KEY.fullmatch(key)
        if match is None or len(tensor.shape) != 2 or tensor.dtype not in _FLOATS:
            raise ModelUnusable(f"The adapter {file} holds {key!r}, which is no LoRA matrix.")
        matrix = _matrix(data[begin + tensor.begin : begin + tensor.end], tensor)
        if not np.isfinite(matrix).all():
            raise ModelUnusable(f"The adapter {file}: {key} holds values that are not finite.")
        sides.setdefault(match["layer"], {})[match["side"]] = matrix
    pairs = {}
    for layer, pair in sides.items():
        if set(pair) != {"A", "B"} or pair["A"].shape[0] != pair["B"].shape[1]:
            raise ModelUnusable(f"The adapter {file}: the matrices of {layer} do not fit.")
        if pair["A"].shape[0] > MAX_RANK:
            raise ModelUnusable(f"The adapter {file}: a rank over {MAX_RANK} is not served.")
        pairs[layer] = _placed(pair["A"], pair["B"] * np.float32(scale), device, dtype)
    return LoraWeights(name=adapter.name, pairs=pairs)


def _matrix(data: bytes, stored: StoredTensor) -> NDArray[np.float32]:
    values = np.frombuffer(data, _FLOATS[stored.dtype]).reshape(stored.shape)
    if stored.dtype == "BF16":  # numpy has no such type: the upper half of a float32
        return (values.astype(np.uint32) << 16).view(np.float32)
    return np.asarray(values, np.float32)


def _placed(
    a_RI: NDArray[np.float32],
    b_OR: NDArray[np.float32],
    device: torch.device | None,
    dtype: torch.dtype | None,
) -> LoraPair:
    if device is None:
        return LoraPair(a_RI=a_RI, b_OR=b_OR)
    import torch

    a, b = torch.tensor(a_RI), torch.tensor(b_OR)
    return LoraPair(a_RI=a.to(device, dtype), b_OR=b.to(device, dtype))


def _scale(adapter: Adapter, config: Mapping[str, Any]) -> float:
    """alpha / r. Raises ModelUnusable for kinds of adapter that are not two plain matrices."""
    file = adapter.folder / CONFIG
    if config.get("peft_type") != "LORA":
        raise ModelUnusable(f"{file}: only LoRA adapters are served.")
    for key, plain in _PLAIN.items():
        if config.get(key, plain) not in (plain, None):
            raise ModelUnusable(f"{file}: {key} = {config[key]!r} is not supported.")
    if config.get("rank_pattern") or config.get("alpha_pattern"):
        raise ModelUnusable(f"{file}: ranks that differ by layer are not supported.")
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if not isinstance(rank, int) or not isinstance(alpha, int | float) or rank < 1:
        raise ModelUnusable(f"{file}: r and lora_alpha must be numbers.")
    return float(alpha) / rank
