"""The code of a book that lies nearest to each vector.

Legend of the suffixes: M vectors in a chunk, N codes, D width.
"""

from __future__ import annotations

import torch

_SCORES_AT_ONCE = 1 << 24  # elements of the distance table: 64 MB in float32


def nearest_code(features: torch.Tensor, book_ND: torch.Tensor) -> torch.Tensor:
    """int64 indices of shape `features.shape[:-1]`, by squared distance, the first of equals."""
    flat, book_ND = features.reshape(-1, features.shape[-1]).float(), book_ND.float()
    squares_N = book_ND.square().sum(dim=1)
    rows = max(1, _SCORES_AT_ONCE // book_ND.shape[0])
    chunks = (flat[start : start + rows] for start in range(0, flat.shape[0], rows))
    found = [
        torch.argmin(
            chunk_MD.square().sum(dim=1, keepdim=True) - 2 * chunk_MD @ book_ND.t() + squares_N,
            dim=1,
        )
        for chunk_MD in chunks
    ]
    return torch.cat(found).view(features.shape[:-1])
