"""A linear layer that keeps its weight packed and dequantises it in every forward.

For models whose dequantised weights would not fit or would be wasteful; simple and correct, not
fast. Smaller ones are dequantised once, at load. Suffixes as in `quantized_weight`, and
... any leading dimensions.
"""

from __future__ import annotations

import torch
from torch import nn

from glm_runtime.quantized_weight import QuantizationScheme, QuantizedWeight


class QuantizedLinear(nn.Module):
    """y_...O = x_...I · weight_OIᵀ + bias_O, the weight dequantised to x's dtype."""

    values_OP: torch.Tensor
    scale_OG: torch.Tensor

    def __init__(self, weight: QuantizedWeight, bias_O: nn.Parameter | None) -> None:
        super().__init__()
        self.scheme: QuantizationScheme = weight.scheme
        self.out_features, self.in_features = weight.shape
        self.register_buffer("values_OP", weight.values_OP)
        self.register_buffer("scale_OG", weight.scale_OG)
        self.bias = bias_O

    @property
    def qweight(self) -> torch.Tensor:
        """The packed values, by the name under which peft looks for a packed layer's device."""
        return self.values_OP

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = QuantizedWeight(
            scheme=self.scheme, values_OP=self.values_OP, scale_OG=self.scale_OG
        )
        return nn.functional.linear(x, weight.dequantize(x.dtype), self.bias)


def holds_linear(model: nn.Module, weight_name: str) -> bool:
    """True where `weight_name` is the weight of a plain linear layer that ties nothing."""
    layer_name, _, leaf = weight_name.rpartition(".")
    modules = dict(model.named_modules())
    return leaf == "weight" and type(modules.get(layer_name)) is nn.Linear


def replace_linear(model: nn.Module, weight_name: str, weight: QuantizedWeight) -> None:
    """Put a QuantizedLinear where the linear layer of `weight_name` stands, bias kept."""
    layer_name = weight_name.removesuffix(".weight")
    parent_name, _, attribute = layer_name.rpartition(".")
    parent = model.get_submodule(parent_name)
    bias = getattr(parent, attribute).bias
    setattr(parent, attribute, QuantizedLinear(weight, bias))
