"""pass@k without bias: the chance that one of k samples passes, from n samples of which c did.

Source: Chen et al. 2021, "Evaluating Large Language Models Trained on Code", section 2.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

KS = (1, 10, 100)


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """1 - C(n-c, k) / C(n, k). Raises ValueError unless 0 <= c <= n and 1 <= k <= n."""
    if not 0 <= passed <= samples or not 1 <= k <= samples:
        raise ValueError(f"no pass@{k} of {passed} in {samples} samples")
    return 1.0 - comb(samples - passed, k) / comb(samples, k)


def mean_pass_at_k(counts: Sequence[tuple[int, int]], ks: Sequence[int] = KS) -> dict[int, float]:
    """The mean over problems, given as (samples, passed), for each k that all of them allow."""
    if not counts:
        return {}
    least = min(samples for samples, _ in counts)
    return {
        k: sum(pass_at_k(samples, passed, k) for samples, passed in counts) / len(counts)
        for k in ks
        if k <= least
    }
