"""Training of a VQ-VAE's code book by running averages, with dead codes brought back to life.

A code is the mean of the features that chose it, over time (decay 0.99; van den Oord et al. 2017,
appendix A.1). A code that is hardly chosen is moved onto a random feature of the batch, or
collapse to a few codes would be final. Gradients pass the choice unchanged (straight-through).

Legend of the suffixes: M features of a batch, N codes, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor

from glm_t2i.models.nearest_code import nearest_code
from glm_t2i.models.vqvae import CodeBook

DECAY = 0.99
DEAD_BELOW = 0.3  # choices a batch, running average
EPS = 1e-5


class CodeBookTraining:
    """Reads and writes the buffers of one `CodeBook`."""

    def __init__(self, book: CodeBook, generator: torch.Generator) -> None:
        self.book, self._generator = book, generator
        self.revived = 0

    @torch.no_grad()
    def start(self, features_MD: Tensor) -> None:
        """Put every code onto a feature, drawn so that common ones do not crowd out the rest."""
        rows_ND = self._spread(features_MD, self.book.embed.shape[1])
        self._place(torch.arange(len(rows_ND)), rows_ND)

    def quantise(self, features_MD: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(chosen codes [M], their vectors with the features' gradient [M, D], commitment)."""
        codes_M = nearest_code(features_MD.detach(), self.book.embed.t())
        chosen_MD = self.book.embed.t()[codes_M]
        commitment = (features_MD - chosen_MD).square().mean()
        return codes_M, features_MD + (chosen_MD - features_MD).detach(), commitment

    @torch.no_grad()
    def update(self, features_MD: Tensor, codes_M: Tensor) -> None:
        """One step of the averages."""
        book, count = self.book, self.book.embed.shape[1]
        chosen_N = torch.bincount(codes_M, minlength=count).float()
        sums_ND = torch.zeros(count, features_MD.shape[1]).index_add_(0, codes_M, features_MD)
        book.cluster_size.lerp_(chosen_N, 1 - DECAY)
        book.embed_avg.lerp_(sums_ND.t(), 1 - DECAY)
        total = book.cluster_size.sum()
        sizes_N = (book.cluster_size + EPS) / (total + count * EPS) * total
        book.embed.copy_(book.embed_avg / sizes_N)

    @torch.no_grad()
    def revive(self, features_MD: Tensor) -> int:
        """Move dead codes onto features that lie far from their own code; how many."""
        dead = (self.book.cluster_size < DEAD_BELOW).nonzero()[:, 0]
        if len(dead):
            dead = dead[: len(features_MD) // 4]
            self._place(dead, self._spread(features_MD, len(dead)))
            self.revived += len(dead)
        return len(dead)

    def _spread(self, features_MD: Tensor, wanted: int) -> Tensor:
        """Features drawn by their squared distance to the nearest code, or at random at first."""
        book_ND = self.book.embed.t()
        nearest_M = nearest_code(features_MD, book_ND)
        far_M = (features_MD - book_ND[nearest_M]).square().sum(dim=1) + 1e-6
        again = wanted > int((far_M > 1e-5).sum())
        drawn = torch.multinomial(far_M, wanted, replacement=again, generator=self._generator)
        noise = torch.randn(wanted, features_MD.shape[1], generator=self._generator)
        return features_MD[drawn] + 0.01 * features_MD.std() * noise

    def _place(self, codes: Tensor, rows_ND: Tensor) -> None:
        start = max(1.0, DEAD_BELOW * 3)
        self.book.embed[:, codes] = rows_ND.t()
        self.book.cluster_size[codes] = start
        self.book.embed_avg[:, codes] = rows_ND.t() * start
