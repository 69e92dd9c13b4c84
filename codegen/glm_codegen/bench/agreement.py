"""How near the native engine is to torch in float32, step by step on real code, teacher-forced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glm_codegen.bench.bench_row import BenchRow, row
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_runtime.causal_model import RowTokens
from glm_runtime.checkpoint import open_checkpoint
from glm_runtime.native.native_loading import load_native_model, shape_of

WINDOW = 500  # tokens of each stretch of text


def agreement_rows(folder: Path, shape: str, *, steps: int) -> list[BenchRow]:
    """Share of equal best tokens, and the ratio of losses, over `steps` steps."""
    import torch

    from glm_runtime.device import TorchAccelerator, choose_placement
    from glm_runtime.model_loading import load_model

    checkpoint = open_checkpoint(folder)
    native_shape = shape_of(checkpoint)
    if native_shape is None:
        raise ValueError("the native engine does not compute this architecture")
    ours = load_native_model(checkpoint, native_shape)
    placement = choose_placement(device="cpu", dtype="float32", accelerator=TorchAccelerator())
    theirs = load_model(checkpoint, placement, native=False)[0]
    whole_model = getattr(theirs, "model")  # noqa: B009 (transformers' own, for all positions)
    equal = seen = 0
    loss = np.zeros(2)
    for tokens in _texts(TextTokenizer.from_folder(folder), steps):
        got = ours.forward_rows(
            [RowTokens(store=ours.new_store(), tokens=tokens, wanted=len(tokens))]
        )[0]
        with torch.inference_mode():
            wanted = whole_model(input_ids=torch.tensor([tokens])).logits[0].float().numpy()
        equal += int((got.argmax(-1) == wanted.argmax(-1)).sum())
        seen += len(tokens)
        loss += [_loss(got, tokens), _loss(wanted, tokens)]
    return [
        row("native / float32", shape, f"equal best tokens of {seen}", [equal / seen]),
        row("native / float32", shape, "ratio of losses", [float(loss[0] / loss[1])]),
    ]


def _texts(tokenizer: TextTokenizer, steps: int) -> list[list[int]]:
    """Stretches of Python's standard library: real code that no recipe here trains on."""
    found: list[list[int]] = []
    for file in sorted(Path(np.__file__).parent.glob("lib/*.py")):
        tokens = tokenizer.encode(file.read_text(encoding="utf-8"))[:WINDOW]
        found.append(tokens[: steps - sum(map(len, found))])
        if sum(map(len, found)) >= steps:
            break
    return [tokens for tokens in found if len(tokens) > 1]


def _loss(logits_NV: NDArray[np.float32], tokens: list[int]) -> float:
    """Sum of -log p of each next token."""
    top = logits_NV.max(-1, keepdims=True)
    log_NV = logits_NV - top - np.log(np.exp(logits_NV - top).sum(-1, keepdims=True))
    return -float(log_NV[np.arange(len(tokens) - 1), tokens[1:]].sum())
