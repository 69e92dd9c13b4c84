"""Quantised matrices: error bounds, packing, storage names, refusals."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glm_runtime.quantized_weight import QuantizationScheme, QuantizedWeight, quantize


@settings(max_examples=60, deadline=None)
@given(
    bits=st.sampled_from((4, 8)),
    rows=st.integers(1, 7),
    groups=st.integers(1, 4),
    group_size=st.sampled_from((2, 8, 32)),
    whole_row=st.booleans(),
    magnitude=st.floats(1e-6, 1e4),
    seed=st.integers(0, 2**31),
)
def test_error_is_at_most_half_a_scale(
    bits: int, rows: int, groups: int, group_size: int, whole_row: bool, magnitude: float, seed: int
) -> None:
    columns = groups * group_size
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, columns, generator=generator) * magnitude
    packed = quantize(weight, bits=bits, group_size=0 if whole_row else group_size)
    error = (packed.dequantize(torch.float32) - weight).abs()
    scale = packed.scale_OG.float().repeat_interleave(columns // packed.scale_OG.shape[1], dim=1)
    assert bool((error <= scale / 2 * (1 + 1e-5) + 1e-30).all())
    assert packed.shape == (rows, columns)
    wanted = weight.abs().view(rows, packed.scale_OG.shape[1], -1).amax(-1)
    wanted = wanted / packed.scheme.largest
    assert bool((packed.scale_OG.float() >= wanted).all())
    assert bool((packed.scale_OG.float() <= wanted * 1.002 + 6e-8).all())


@pytest.mark.parametrize("bits", [4, 8])
def test_storage_round_trip(bits: int) -> None:
    weight = torch.linspace(-1, 1, 6 * 64).view(6, 64)
    packed = quantize(weight, bits=bits, group_size=32)
    stored = packed.to_tensors("a.weight")
    assert set(stored) == {"a.weight", "a.weight_scale"}
    assert stored["a.weight"].dtype == (torch.int8 if bits == 8 else torch.uint8)
    assert stored["a.weight"].shape == (6, 64 if bits == 8 else 32)
    assert stored["a.weight_scale"].dtype == torch.float16
    scheme = QuantizationScheme.from_config(packed.scheme.to_config())
    back = QuantizedWeight.from_tensors(stored, "a.weight", scheme)
    assert torch.equal(back.dequantize(torch.float32), packed.dequantize(torch.float32))


@pytest.mark.parametrize("bits", [4, 8])
def test_zero_rows_stay_zero_and_extremes_are_kept(bits: int) -> None:
    weight = torch.zeros(2, 8)
    weight[1, 3] = -0.5
    dequantized = quantize(weight, bits=bits).dequantize(torch.float32)
    assert bool((dequantized[0] == 0).all())
    assert dequantized[1, 3] == pytest.approx(-0.5, rel=1e-3)


@pytest.mark.parametrize(
    ("weight", "bits", "group_size"),
    [
        (torch.ones(4), 8, 0),
        (torch.ones(2, 6), 8, 4),
        (torch.ones(2, 5), 4, 0),
        (torch.full((2, 4), float("nan")), 8, 0),
        (torch.full((2, 4), 1e30), 8, 0),
        (torch.ones(2, 4), 3, 0),
    ],
)
def test_refusals(weight: torch.Tensor, bits: int, group_size: int) -> None:
    with pytest.raises(ValueError):
        quantize(weight, bits=bits, group_size=group_size)


def test_stored_shapes_are_checked() -> None:
    stored = quantize(torch.ones(4, 8), bits=8).to_tensors("w")
    stored["w_scale"] = stored["w_scale"][:2]
    with pytest.raises(ValueError, match="scales must have shape"):
        QuantizedWeight.from_tensors(stored, "w", QuantizationScheme(bits=8))


@pytest.mark.parametrize(
    "raw", [{}, {"bits": 8, "x": 1}, {"bits": "8"}, {"bits": 8, "group_size": -1}]
)
def test_scheme_of_a_config_is_checked(raw: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        QuantizationScheme.from_config(raw)
