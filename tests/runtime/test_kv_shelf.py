"""Conversations beside each other: each is found again, none sees another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glm_runtime.kv_cache import common_length
from glm_runtime.native.engine_build import NoCompiler
from glm_runtime.native.engine_library import load_library
from glm_runtime.native.native_placement import NativePlacement
from tests.runtime.native_configs import BASE
from tests.runtime.one_row import OneRow
from tests.runtime.test_native_engine import native, stored

try:
    load_library()
except NoCompiler as missing:
    pytest.skip(f"no native engine here: {missing}", allow_module_level=True)


def prefilled(decoder: OneRow, prompt: list[int], tenant: str = "") -> tuple[int, Any]:
    reused = decoder.begin(prompt, tenant=tenant)
    while (logits := decoder.prefill()) is None:
        pass
    return reused, logits


def test_editors_that_take_turns_find_their_own(tmp_path: Path) -> None:
    model: Any = native(stored(tmp_path, BASE))
    decoder = OneRow(model, NativePlacement(dtype_name="int8", kernels=""))
    head = list(range(40))
    texts = [[*head, *range(first, first + 60)] for first in (60, 120, 180)]
    free = model.pool.free
    for number, text in enumerate(texts):
        reused, logits = prefilled(decoder, text)
        assert reused == (0 if number == 0 else len(head)), "the common beginning is shared"
        assert np.array_equal(logits, model.forward(text, model.new_store()))
    for text in texts:
        longer = [*text, 7, 8]
        reused, logits = prefilled(decoder, longer)
        assert reused == len(text)
        assert np.array_equal(logits, model.forward(longer, model.new_store()))
    assert model.pool.free > free - 3 * 7, "shared pages are held once"


def test_when_pages_run_out_others_are_forgotten(tmp_path: Path) -> None:
    model: Any = native(stored(tmp_path, BASE))
    decoder = OneRow(model, NativePlacement(dtype_name="int8", kernels=""))
    for first in range(4):
        prefilled(decoder, [first, *range(100)])
    held = [model.pool.take() for _ in range(model.pool.free - 1)]
    prompt = [9, *range(50, 150)]
    reused, logits = prefilled(decoder, prompt)
    assert reused == 0
    for page in held:
        model.pool.release(page)
    assert np.array_equal(logits, model.forward(prompt, model.new_store()))


def test_a_stranger_meets_nothing_of_anothers_prompt(tmp_path: Path) -> None:
    model: Any = native(stored(tmp_path, BASE))
    decoder = OneRow(model, NativePlacement(dtype_name="int8", kernels=""))
    prompt = list(range(100))
    assert prefilled(decoder, prompt, "tcp:a")[0] == 0
    for tenant in ("tcp:b", ""):
        reused, logits = prefilled(decoder, prompt, tenant)
        assert reused == 0, "a stranger could time it"
        assert np.array_equal(logits, model.forward(prompt, model.new_store()))
    for tenant in ("tcp:a", "tcp:b", ""):
        assert prefilled(decoder, prompt, tenant)[0] == len(prompt) - 1


@pytest.mark.parametrize(
    ("tokens", "prompt", "wanted"),
    [([], [1], 0), ([1, 2], [1, 2], 2), ([1, 2, 3], [1, 2], 2), ([1, 9, 3], [1, 2, 3], 1),
     ([5], [6], 0), (list(range(99)), [*range(63), 7], 63)],
)  # fmt: skip
def test_what_two_begin_with(tokens: list[int], prompt: list[int], wanted: int) -> None:
    assert common_length(tokens, prompt) == wanted
