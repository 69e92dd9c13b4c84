"""Conversations beside each other: each is found again, none sees another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glm_runtime.decode import Decoder
from glm_runtime.native.engine_build import NoCompiler
from glm_runtime.native.engine_library import load_library
from glm_runtime.native.native_placement import NativePlacement
from tests.runtime.test_native_engine import BASE, native, stored

try:
    load_library()
except NoCompiler as missing:
    pytest.skip(f"no native engine here: {missing}", allow_module_level=True)


def prefilled(decoder: Decoder, prompt: list[int]) -> tuple[int, Any]:
    reused = decoder.begin(prompt)
    while (logits := decoder.prefill()) is None:
        pass
    return reused, logits


def test_editors_that_take_turns_find_their_own(tmp_path: Path) -> None:
    model: Any = native(stored(tmp_path, BASE))
    decoder = Decoder(model, NativePlacement(dtype_name="int8", kernels=""))
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
    decoder = Decoder(model, NativePlacement(dtype_name="int8", kernels=""))
    for first in range(4):
        prefilled(decoder, [first, *range(100)])
    held = [model.pool.take() for _ in range(model.pool.free - 1)]
    prompt = [9, *range(50, 150)]
    reused, logits = prefilled(decoder, prompt)
    assert reused == 0
    for page in held:
        model.pool.release(page)
    assert np.array_equal(logits, model.forward(prompt, model.new_store()))
