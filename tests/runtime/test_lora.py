"""Adapters at serving: the numbers of peft, no trace after a request, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glm_protocol.errors import AdapterUnknown, ModelUnusable
from glm_runtime.adapter import CONFIG, MANIFEST, WEIGHTS, AdapterShelf, fingerprint
from glm_runtime.adapter_rack import AdapterRack
from glm_runtime.checkpoint import open_checkpoint
from glm_runtime.device import TorchAccelerator, choose_placement
from glm_runtime.lora_weights import LoraPair, LoraWeights, load_lora
from glm_runtime.model_loading import load_model
from tests.runtime.native_configs import BASE
from tests.runtime.one_row import OneRow
from tests.runtime.test_native_engine import native as native_engine
from tests.runtime.test_native_engine import stored
from tests.runtime.tiny_adapters import random_adapter, write_adapter
from tests.runtime.tiny_models import write_model

PLACEMENT = choose_placement(device="cpu", dtype="float32", accelerator=TorchAccelerator())
CPU = torch.device("cpu")
PROMPT = [5, 9, 200, 31, 77, 8, 120]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("tiny"))


def rack(home: Path, marks: str = "") -> AdapterRack:
    return AdapterRack(
        AdapterShelf(home), base="tiny", fingerprint=marks, device=CPU, dtype=torch.float32
    )


def choose(home: Path, name: str) -> LoraWeights:
    lora = rack(home).choose(name)
    assert lora is not None
    return lora


def answer(model: Any, lora: LoraWeights | None) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = model.forward(PROMPT, model.new_store(lora))
    return logits


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
@pytest.mark.parametrize("native", [True, False])
def test_it_computes_what_peft_computes(folder: Path, tmp_path: Path, native: bool) -> None:
    from peft import PeftModel

    write_adapter(tmp_path / "adapters" / "one")
    lora = choose(tmp_path, "one")
    checkpoint = open_checkpoint(folder)
    ours, _ = load_model(checkpoint, PLACEMENT, native=native)
    theirs: Any = load_model(checkpoint, PLACEMENT, native=False)[0]
    peft = PeftModel.from_pretrained(theirs.model, str(tmp_path / "adapters" / "one"))
    with torch.inference_mode():
        expected = peft(input_ids=torch.tensor([PROMPT])).logits[0, -1]
    assert (expected - answer(ours, None)).abs().max() > 0.1
    torch.testing.assert_close(answer(ours, lora), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("native", [True, False])
def test_rows_of_two_adapters_and_the_base_side_by_side(
    folder: Path, tmp_path: Path, native: bool
) -> None:
    for seed, name in enumerate(("one", "two")):
        write_adapter(tmp_path / "adapters" / name, random_adapter(seed))
    loras = [None, choose(tmp_path, "one"), choose(tmp_path, "two")]
    model, _ = load_model(open_checkpoint(folder), PLACEMENT, native=native)
    alone = [answer(model, lora) for lora in loras]
    assert not torch.equal(alone[0], alone[1])
    assert not torch.equal(alone[1], alone[2])
    stores = [model.new_store(lora) for lora in loras]
    with torch.inference_mode():
        mixed = [torch.empty(0)] * len(stores)
        for token in PROMPT:  # a step of each row in turn
            mixed = [model.forward([token], store) for store in stores]
    for row, one in zip(mixed, alone, strict=True):
        torch.testing.assert_close(row, one, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("native", [True, False])
def test_nothing_stays_after_a_forward_that_raised(
    folder: Path, tmp_path: Path, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_adapter(tmp_path / "adapters" / "one")
    lora = choose(tmp_path, "one")
    model, _ = load_model(open_checkpoint(folder), PLACEMENT, native=native)
    plain = answer(model, None)
    calls = iter(range(100))
    kept = torch.nn.functional.scaled_dot_product_attention

    def break_down(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == 1:  # in the second layer
            raise torch.OutOfMemoryError("out of memory")
        return kept(*args, **kwargs)

    for where in ("torch.nn.functional", "glm_runtime.glm_model"):
        monkeypatch.setattr(f"{where}.scaled_dot_product_attention", break_down)
    with pytest.raises(torch.OutOfMemoryError):
        answer(model, lora)
    monkeypatch.undo()
    assert torch.equal(answer(model, None), plain)


def test_a_cache_is_never_met_by_another_adapter(folder: Path, tmp_path: Path) -> None:
    write_adapter(tmp_path / "adapters" / "one")
    lora = choose(tmp_path, "one")
    decoder = OneRow(load_model(open_checkpoint(folder), PLACEMENT)[0], PLACEMENT)
    fresh = OneRow(load_model(open_checkpoint(folder), PLACEMENT)[0], PLACEMENT)
    for wanted in (None, lora, None, lora):
        assert decoder.begin(PROMPT, wanted) == 0
        logits = decoder.prefill()
        fresh.begin([PROMPT[0] + 1])
        fresh.begin(PROMPT, wanted)
        expected = fresh.prefill()
        assert logits is not None
        assert expected is not None
        assert torch.equal(logits, expected)
    assert decoder.begin(PROMPT, lora) == len(PROMPT) - 1  # the same adapter: kept


def broken(folder: Path, how: str) -> None:
    matrices = random_adapter()
    first = next(iter(matrices))
    if how == "nan":
        matrices[first][0, 0] = float("nan")
    elif how == "shape":
        matrices[first] = torch.zeros(4, 31)
    elif how == "foreign":
        matrices["base_model.model.model.layers.9.mlp.down_proj.lora_A.weight"] = torch.zeros(4, 48)
        matrices["base_model.model.model.layers.9.mlp.down_proj.lora_B.weight"] = torch.zeros(32, 4)
    elif how == "embeddings":
        matrices["base_model.model.model.embed_tokens.weight"] = torch.zeros(265, 32)
    elif how == "half":
        del matrices[first]
    write_adapter(folder, matrices)
    weights, config = folder / WEIGHTS, json.loads((folder / CONFIG).read_text())
    if how == "torn":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif how == "pickled":
        weights.rename(folder / "adapter_model.bin")
    elif how == "dora":
        (folder / CONFIG).write_text(json.dumps({**config, "use_dora": True}))
    elif how == "no json":
        (folder / CONFIG).write_text("{")
    elif how == "huge json":
        (folder / MANIFEST).write_text(" " * (5 << 20))


@pytest.mark.parametrize(
    "how",
    [
        *("nan", "shape", "foreign", "embeddings", "half", "torn", "pickled", "dora"),
        *("no json", "huge json"),
    ],
)
def test_a_damaged_adapter_is_refused_before_any_forward(
    folder: Path, tmp_path: Path, how: str
) -> None:
    broken(tmp_path / "adapters" / "bad", how)
    model, _ = load_model(open_checkpoint(folder), PLACEMENT)
    with pytest.raises(ModelUnusable):
        model.new_store(choose(tmp_path, "bad"))


@pytest.mark.parametrize("name", ["", "absent", "..", "../one", ".part-x", "a/b", "a\0b", "x" * 65])
def test_names_never_reach_outside(tmp_path: Path, name: str) -> None:
    write_adapter(tmp_path / "one")
    (tmp_path / "adapters").mkdir()
    if not name:
        assert rack(tmp_path).choose(name) is None
        return
    with pytest.raises(AdapterUnknown):
        rack(tmp_path).choose(name)


def test_an_adapter_of_an_older_base_is_refused(folder: Path, tmp_path: Path) -> None:
    marks = fingerprint(folder)
    write_adapter(tmp_path / "adapters" / "old", fingerprint="0" * 64)
    write_adapter(tmp_path / "adapters" / "new", fingerprint=marks)
    assert rack(tmp_path, marks).choose("new") is not None
    with pytest.raises(ModelUnusable, match="not for this version"):
        rack(tmp_path, marks).choose("old")


def test_a_repository_gets_its_published_adapter_or_the_base(tmp_path: Path) -> None:
    shelf = tmp_path / "adapters"
    write_adapter(shelf / "a", remote="host/me/code", published=True, created=1.0)
    write_adapter(shelf / "b", remote="host/me/code", published=True, created=2.0)
    write_adapter(shelf / "c", remote="host/me/code", published=False, created=3.0)
    write_adapter(shelf / "d", remote="host/you/code", published=True, created=4.0)
    chosen = rack(tmp_path).choose("@host/me/code")
    assert chosen is not None
    assert chosen.name == "b"
    assert rack(tmp_path).choose("@host/nobody/code") is None


def test_an_adapter_made_anew_is_read_anew(tmp_path: Path) -> None:
    write_adapter(tmp_path / "adapters" / "one")
    one = rack(tmp_path)
    first = one.choose("one")
    assert one.choose("one") is first
    write_adapter(tmp_path / "adapters" / "next", random_adapter(7))
    shelf = AdapterShelf(tmp_path)
    shelf.place("one", tmp_path / "adapters" / "next", shelf.get("next"))
    assert one.choose("one") is not first
    shelf.remove("one")
    with pytest.raises(AdapterUnknown):
        one.choose("one")
    assert [path.name for path in shelf.folder.iterdir()] == ["next"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_numpy_reads_what_torch_reads(tmp_path: Path, dtype: torch.dtype) -> None:
    matrices = {name: matrix.to(dtype) for name, matrix in random_adapter().items()}
    write_adapter(tmp_path / "adapters" / "one", matrices)
    adapter = AdapterShelf(tmp_path).get("one")
    read = load_lora(adapter)
    head = "base_model.model."
    for layer, pair in read.pairs.items():
        wanted = matrices[f"{head}{layer}.lora_A.weight"].float()
        assert np.array_equal(pair.a_RI, wanted.numpy())
        wanted = 2 * matrices[f"{head}{layer}.lora_B.weight"].float()
        assert np.array_equal(pair.b_OR, wanted.numpy())
    placed = load_lora(adapter, CPU, torch.float32)
    assert all(torch.equal(placed.pairs[name].a_RI, torch.tensor(pair.a_RI))
               for name, pair in read.pairs.items())  # fmt: skip


def test_an_adapter_that_nobody_uses_any_more_is_freed(tmp_path: Path) -> None:
    """Its number in the engine is the next one's."""
    model: Any = native_engine(stored(tmp_path / "model", BASE))
    numbers = [model.new_store(_pair(seed)).adapter for seed in range(3)]
    assert numbers == [0, 0, 0]
    held = [_pair(seed) for seed in range(2)]
    assert [model.new_store(lora).adapter for lora in held] == [0, 1]


def _pair(seed: int) -> LoraWeights:
    generator = np.random.default_rng(seed)
    a_RI, b_OR = (generator.normal(size=size).astype(np.float32) for size in ((4, 64), (64, 4)))
    pair = LoraPair(a_RI=a_RI, b_OR=b_OR)
    return LoraWeights(name="x", pairs={"model.layers.0.self_attn.o_proj": pair})
