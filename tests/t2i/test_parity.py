"""Every network against tensors that the public reference code gave for small random weights.

`python tests/t2i/test_parity.py FOLDER` prints the table for a whole folder of reference files;
under pytest the subset in tests/data/cogview is used (see its README). A subset keeps only some
positions of a large tensor and says which in a `kept_...` tensor beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from glm_t2i import load_model
from glm_t2i.models.attention import dense_attention, pb_relax_softmax
from glm_t2i.models.key_value_cache import KeyValueCache
from glm_t2i.models.layer_norm import SandwichLayerNorm
from glm_t2i.models.local_attention import similar, weighting
from glm_t2i.models.sparse_attention import SparseStep, SparseTraining
from glm_t2i.pipelines import caption_score, coglm_training, nine_windows
from glm_t2i.pipelines.coglm_drawing import draw_codes, fill_sequence
from glm_t2i.pipelines.coglm_sequence import drawing_sequence, infill_sequence
from glm_t2i.pipelines.cogview_drawing import complete
from glm_t2i.pipelines.filling import HOLE
from glm_t2i.pipelines.refinement import direct_mask, enlarge_directly
from glm_t2i.pipelines.sampling import ClusterDraw, greedy, keep_top_k
from glm_t2i.pipelines.vocabulary import CogViewIds, IcetkIds

SUBSET = Path(__file__).parent.parent / "data" / "cogview"
COGVIEW_IDS = CogViewIds(image_tokens=512, text_tokens=61)
ICETK_IDS = IcetkIds(
    image_tokens=512, pad=515, start_of_image=592, start_of_english=593, start_of_chinese=594
)
Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Check:
    """`difference`: the largest absolute one, or the count of unequal ids where `exact`."""

    name: str
    difference: float
    allowed: float
    exact: bool = False


def near(name: str, ours: torch.Tensor, theirs: torch.Tensor, allowed: float) -> Check:
    assert ours.shape == theirs.shape, f"{name}: {ours.shape} against {theirs.shape}"
    return Check(name, float((ours - theirs).abs().max()), allowed)


def same(name: str, ours: torch.Tensor, theirs: torch.Tensor) -> Check:
    assert ours.shape == theirs.shape, f"{name}: {ours.shape} against {theirs.shape}"
    return Check(name, int((ours != theirs).sum()), 0, exact=True)


@lru_cache(maxsize=32)
def tensors(folder: Path, name: str) -> Tensors:
    return load_file(folder / f"{name}.safetensors")


@lru_cache(maxsize=16)
def network(folder: Path, name: str, *weights: str) -> Any:
    files = [folder / f"{each}.safetensors" for each in weights or (f"{name}_model",)]
    return load_model(files, folder / f"{name}.json")


def kept(logits: torch.Tensor, io: Tensors, key: str = "kept_positions") -> torch.Tensor:
    return logits[:, io[key]] if key in io else logits


def vqvae(folder: Path) -> Iterator[Check]:
    io, model = tensors(folder, "vqvae_io"), network(folder, "vqvae")
    yield near("features", model.features(io["image"]), io["enc_out"], 1e-4)
    yield same("codes", model.encode(io["image"]), io["codes_hw"])
    normalised = model.decode(io["codes_hw"])
    yield near("decoded", normalised, io["decoded_normalised"], 1e-4)
    if "code2img" in io:
        yield near("pixels", model.decode_pixels(io["codes"]), io["code2img"], 1e-4)


def hvqvae(folder: Path) -> Iterator[Check]:
    others = "hvqvae_model_other_decoders"
    more = (others,) if (folder / f"{others}.safetensors").exists() else ()
    io, model = tensors(folder, "hvqvae_io"), network(folder, "hvqvae", "hvqvae_model", *more)
    yield near("features", model.features(io["image"], level=0), io["enc_out"], 2e-4)
    for level in range(3):
        codes = io[f"codes_l{level}"]
        yield same(f"codes of level {level}", model.encode(io["image"], level), codes)
        if f"decoded_l{level}" in io:
            decoded = model.decode(codes, level)
            yield near(f"decoded level {level}", decoded, io[f"decoded_l{level}"], 2e-4)


def cogview_whole(folder: Path) -> Iterator[Check]:
    io, model = tensors(folder, "cogview1_io"), network(folder, "cogview1")
    ids = io["full_ids"]
    whole = model(
        input_ids=ids,
        position_ids=io["full_position_ids"],
        attention_mask=torch.ones(128, 128).tril(),
        keep_hidden=True,
    )
    yield near("logits", kept(whole.logits, io), io["full_logits"], 1e-4)
    embedded, last = whole.hidden_states[0][:, :8], whole.hidden_states[-1][:, :8]
    yield near("embedding", embedded, io["full_hidden_after_embed"], 1e-4)
    yield near("last layer", last, io["full_hidden_last_layer"], 1e-4)
    alone = kept(model(ids[:1]).logits, io)
    yield near("first row alone", alone, io["full_logits_row0_alone"], 1e-4)
    prefix = kept(model(ids[:1, :32], attention_mask=12).logits, io, "kept_prefix12")
    yield near("open prefix of 12", prefix, io["prefix12_logits"], 1e-4)


def cogview_cached_and_sparse(folder: Path) -> Iterator[Check]:
    io, model = tensors(folder, "cogview1_io"), network(folder, "cogview1")
    ids = io["full_ids"]
    cache = KeyValueCache(2)
    model(ids[:1, :64], cache=cache)
    step = model(ids[:1, 64:65], cache=cache).logits
    yield near("cached step", step, io["cached_step_logits"], 5e-4)
    pivots = SparseTraining(pivots_LBP=io["sparse1_pivot_idx"], window=16, window_times=2)
    sparse = kept(model(ids, sparse=pivots).logits, io)
    yield near("sparse training", sparse, io["sparse1_logits"], 1e-4)
    cache = KeyValueCache(2)
    model(ids[:1, :127], cache=cache)
    keys = SparseStep(keys_LBK=io["sparse2_pivot_window_idx"])
    step = model(ids[:1, 127:], cache=cache, sparse=keys).logits
    yield near("sparse step", step, io["sparse2_step_logits"], 5e-4)


def cogview_greedy(folder: Path) -> Iterator[Check]:
    io, model = tensors(folder, "cogview1_io"), network(folder, "cogview1")
    for name, count, legal in (
        ("greedy", 40, COGVIEW_IDS.codes),
        ("greedy_text", 12, COGVIEW_IDS.text),
    ):
        sequence = io[f"{name}_context"].tolist() + [HOLE] * count
        found = complete(model, sequence, choose=greedy, legal=legal)
        yield same(name, found, io[f"{name}_tokens"])


def formulas(folder: Path) -> Iterator[Check]:
    io, pb = tensors(folder, "cogview1_io"), tensors(folder, "pbrelax_softmax")
    yield near("PB-relax softmax", pb_relax_softmax(pb["scores"]), pb["pbrelax_fp32"], 1e-6)
    plain = pb_relax_softmax(pb["scores"], alpha=1.0)
    yield near("plain softmax", plain, pb["softmax_fp32"], 1e-6)
    qkv = (io["attn_q"], io["attn_k"], io["attn_v"], torch.ones(16, 16).tril())
    yield near("PB-relax attention", dense_attention(*qkv), io["attn_pbrelax_out"], 1e-5)
    yield near("plain attention", dense_attention(*qkv, alpha=1), io["attn_standard_out"], 1e-5)
    norm = SandwichLayerNorm(64, eps=1e-5, prescaled=True)
    yield near("scaled LayerNorm", norm(io["pbln_in"]), io["pbln_out"], 1e-5)
    filtered = keep_top_k(io["topk_in"], 20)
    yield same("top-k", filtered, io["topk_out_k20"])


def cogview_super_resolution(folder: Path) -> Iterator[Check]:
    io, model = tensors(folder, "cogview1_sr_io"), network(folder, "cogview1_sr")
    scores = caption_score.score_sequences(model, COGVIEW_IDS, io["caps_ids"])
    yield near("caption scores", scores, io["caps_scores"], 1e-4)
    codes, text = io["magnify_code"].view(1, 32, 32), io["magnify_text"][1:-2].tolist()
    larger = nine_windows.enlarge(model, COGVIEW_IDS, text, codes, choose=greedy)
    yield same("nine windows", larger.flatten(1), io["magnify_out"])


def coglm(folder: Path) -> Iterator[Check]:
    io, model = tensors(folder, "cogview2_coglm_io"), network(folder, "cogview2_coglm")
    inputs = (io["t2i_tokens"], io["t2i_position_ids"], io["t2i_mask"])
    text = io["t2i_tokens"][0, :7].tolist()
    plain = model(input_ids=inputs[0], position_ids=inputs[1], attention_mask=inputs[2]).logits
    yield near("logits", kept(plain, io), io["t2i_logits_plain"], 1e-4)
    sequence = drawing_sequence(ICETK_IDS, text, edge=6)
    yield same("positions", sequence.positions_T[None], io["t2i_position_ids"])
    yield same("mask", sequence.mask_QK[None, None].float(), io["t2i_mask"])
    boosted = kept(model(*inputs, boost=sequence.boost(44)).logits, io)
    yield near("boosted logits", boosted, io["t2i_logits_attnplus"], 1e-4)
    filled = fill_sequence(model, sequence, choose=greedy)
    yield same("greedy", filled, io["greedy_tokens"])
    drawn = draw_codes(model, ICETK_IDS, text, choose=greedy, edge=6, samples=2)
    yield same("two samples", drawn.flatten(1), io["greedy_tokens"][:, 8:].expand(2, -1))


def coglm_infill(folder: Path) -> Iterator[Check]:
    io, model = tensors(folder, "cogview2_coglm_io"), network(folder, "cogview2_coglm")
    text = io["t2i_tokens"][0, :7].tolist()
    sequence = infill_sequence(ICETK_IDS, text, io["comp_image"], io["comp_region"])
    yield same("ids", sequence.ids_T, io["comp_seq"])
    yield same("positions", sequence.positions_T, io["comp_position_ids"])
    yield same("mask", sequence.mask_QK[None, None].float(), io["comp_mask"])
    yield same("context", torch.tensor([sequence.context]), io["comp_context_length"])
    yield same("greedy", fill_sequence(model, sequence, choose=greedy), io["comp_greedy"])
    logits = model(
        io["comp_greedy"], io["comp_position_ids"], io["comp_mask"], boost=sequence.boost(44)
    ).logits
    yield near("logits", kept(logits, io), io["comp_logits_on_greedy"], 1e-4)


def cluster_draw(folder: Path) -> Iterator[Check]:
    io = tensors(folder, "cogview2_coglm_io")
    choose = ClusterDraw(labels_V=io["strat_cluster_labels"], pick=greedy, cluster_temperature=0.89)
    weights, clusters = choose.cluster_weights(io["strat_logits"])
    yield near("clusters", weights, io["strat_cluster_probs"], 1e-5)
    inside = choose.code_weights(io["strat_logits"], clusters[:, 0])
    yield near("codes inside", inside, io["strat_token_probs"], 1e-5)
    yield same("choice", choose(io["strat_logits"])[:, None], io["strat_tokens"])


def training_rows(folder: Path) -> Iterator[Check]:
    io, ids = tensors(folder, "cogview2_train_masks"), IcetkIds()
    corners = [divmod(int(corner), 16) for corner in io["und_corners"]]
    for name, row in (
        ("gen", coglm_training.generation_row(ids, io["sample"], text=1)),
        ("und", coglm_training.understanding_row(ids, io["sample"], corners)),
    ):
        yield same(f"{name} ids", row.ids_T, io[f"{name}_token"])
        yield same(f"{name} positions", row.positions_T, io[f"{name}_pos"])
        yield same(f"{name} labels", row.labels_T, io[f"{name}_label"])
        yield same(f"{name} loss", row.loss_T.to(torch.uint8), io[f"{name}_loss_mask"])
        mask = row.mask_QK[io["kept_rows"]] if "kept_rows" in io else row.mask_QK
        yield same(f"{name} mask", mask.to(torch.uint8), io[f"{name}_mask"])


def direct_super_resolution(folder: Path) -> Iterator[Check]:
    io, model = tensors(folder, "cogview2_dsr_io"), network(folder, "cogview2_dsr")
    logits = model(
        input_ids=io["tokens"], position_ids=io["position_ids"], attention_mask=io["mask"]
    ).logits
    yield near("logits", kept(logits, io), io["logits"], 1e-4)
    yield same("mask", direct_mask(8, 17, hidden=2).float(), io["mask"])
    for row in range(2):
        text, coarse = io["tokens"][row, 2:8].tolist(), io["tokens"][row, 8:17].view(1, 3, 3)
        fine = enlarge_directly(
            model, ICETK_IDS, text, coarse, choose=greedy, first_position=8
        ).flatten(1)
        yield same(f"codes of row {row}", fine, logits[row : row + 1, 17:].argmax(dim=-1))
    q, k = io["similar_q"], io["similar_k"]
    yield near("cross window", similar(q, k, (5, 5)), io["similar_cross_5x5"], 1e-5)
    # the reference keys of this one are the queries upside down
    yield near("own window", similar(q, q.flip(2), (9, 5)), io["similar_self_9x5"], 1e-5)
    weights = io["similar_cross_5x5"].softmax(dim=-1)
    yield near("weighting", weighting(k, weights, (5, 5)), io["weighting_cross_5x5"], 1e-5)


def iterative_super_resolution(folder: Path) -> Iterator[Check]:
    io, model = tensors(folder, "cogview2_itersr_io"), network(folder, "cogview2_itersr")
    logits = model(
        input_ids=io["tokens"], position_ids=io["position_ids"], attention_mask=io["mask"]
    ).logits
    yield near("logits", kept(logits, io), io["logits"], 1e-4)


CASES: tuple[Callable[[Path], Iterator[Check]], ...] = (
    vqvae,
    hvqvae,
    cogview_whole,
    cogview_cached_and_sparse,
    cogview_greedy,
    formulas,
    cogview_super_resolution,
    coglm,
    coglm_infill,
    cluster_draw,
    training_rows,
    direct_super_resolution,
    iterative_super_resolution,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@torch.inference_mode()
def test_networks_give_the_reference_numbers(
    case: Callable[[Path], Iterator[Check]],
) -> None:
    checks = list(case(SUBSET))
    assert checks
    assert [check for check in checks if not check.difference <= check.allowed] == []


@torch.inference_mode()
def print_table(folder: Path) -> int:
    """The table of all checks; returns how many are not within what is allowed."""
    torch.set_num_threads(1)
    bad = 0
    for case in CASES:
        for check in case(folder):
            ok = check.difference <= check.allowed
            bad += not ok
            unit = f"{check.difference:.0f} unequal" if check.exact else f"{check.difference:.2e}"
            limit = "exact" if check.exact else f"{check.allowed:.0e}"
            print(f"{case.__name__:27} {check.name:22} {unit:>12} {limit:>6} {'' if ok else 'BAD'}")
    return bad


if __name__ == "__main__":
    sys.exit(print_table(Path(sys.argv[1])))
