"""Local attention against a plain loop over cells."""

from __future__ import annotations

import pytest
import torch

from glm_t2i.models.local_attention import similar, weighting


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("kernel", [(5, 5), (9, 5), (1, 3), (2, 4)])
def test_scores_and_sums_cell_by_cell(
    scale: int, kernel: tuple[int, int], seeded: torch.Generator
) -> None:
    rows, columns = 4, 3
    q = torch.randn(2, 5, rows * scale, columns * scale, generator=seeded)
    k, v = (torch.randn(2, 5, rows, columns, generator=seeded) for _ in range(2))
    scores = similar(q, k, kernel)
    weights = scores.softmax(dim=-1)
    sums = weighting(v, weights, kernel)
    for y in range(rows * scale):
        for x in range(columns * scale):
            wanted = torch.zeros(2, 5)
            for offset in range(kernel[0] * kernel[1]):
                row = y // scale + offset // kernel[1] - kernel[0] // 2
                column = x // scale + offset % kernel[1] - kernel[1] // 2
                if 0 <= row < rows and 0 <= column < columns:
                    score = (q[:, :, y, x] * k[:, :, row, column]).sum(dim=1)
                    assert torch.allclose(scores[:, y, x, offset], score, atol=1e-5)
                    wanted += weights[:, y, x, offset, None] * v[:, :, row, column]
                else:
                    assert scores[:, y, x, offset].tolist() == [-10000.0] * 2
            assert torch.allclose(sums[:, :, y, x], wanted, atol=1e-5)


def test_causal_form_ends_with_the_cell_itself(seeded: torch.Generator) -> None:
    q = torch.randn(1, 4, 6, 6, generator=seeded)
    causal = similar(q, q, (3, 5), causal=True)
    assert torch.equal(causal, similar(q, q, (3, 5))[..., :8])
    assert torch.allclose(causal[..., -1], q.square().sum(dim=1), atol=1e-5)
    assert weighting(q, causal.softmax(dim=-1), (3, 5)).shape == q.shape


def test_grids_and_kernels_that_do_not_fit() -> None:
    q = torch.zeros(1, 4, 6, 6)
    with pytest.raises(ValueError, match="must be odd"):
        similar(q, q, (2, 5), causal=True)
    with pytest.raises(ValueError, match="no multiple"):
        similar(q, torch.zeros(1, 4, 4, 4), (3, 3))
    with pytest.raises(ValueError, match="no multiple"):
        similar(torch.zeros(1, 4, 2, 2), q, (3, 3))
