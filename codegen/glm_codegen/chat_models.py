"""Which chat model to add to a machine that has none: the largest known one that fits in memory.

The sizes are computed: parameters times bytes. The list is advice, nothing is fetched.
"""

from __future__ import annotations

from dataclasses import dataclass

from glm_runtime.free_memory import free_cpu_bytes

SHARE = 0.8  # of the free memory; the rest is for the KV cache and the editor


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownModel:
    """`gigabytes`: memory of the weights as said in `form`."""

    name: str
    form: str
    gigabytes: float


KNOWN = (
    KnownModel(name="CodeGeeX4-ALL-9B", form="bfloat16", gigabytes=18.8),
    KnownModel(name="CodeGeeX4-ALL-9B", form="int8", gigabytes=10.6),
    KnownModel(name="CodeGeeX4-ALL-9B", form="int4", gigabytes=7.1),
    KnownModel(name="Qwen2.5-Coder-1.5B-Instruct", form="bfloat16", gigabytes=3.1),
    KnownModel(name="Qwen2.5-Coder-0.5B-Instruct", form="bfloat16", gigabytes=1.0),
)


def advice(free_bytes: int | None = None) -> str:
    """One sentence: how to add a model that can chat, with its need and what this machine has."""
    free = (free_cpu_bytes() if free_bytes is None else free_bytes) / 1e9
    fitting = next((model for model in KNOWN if model.gigabytes <= SHARE * free), None)
    if fitting is None:
        least = KNOWN[-1]
        return (
            f"The smallest known that can, {least.name}, needs {least.gigabytes:.1f} GB of memory,"
            f" and {free:.1f} GB are free: free some, then `glm-lsp models add NAME PATH`."
        )
    return (
        f"Add one that can: `glm-lsp models add NAME PATH`; {fitting.name} in {fitting.form} needs"
        f" {fitting.gigabytes:.1f} GB of memory, and {free:.1f} GB are free here."
    )
