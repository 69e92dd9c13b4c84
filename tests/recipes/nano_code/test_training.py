"""Network, optimiser, schedule, checkpoints, rounding: the parts of the loop on tiny sizes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import GlmConfig, GlmForCausalLM

from recipes.nano_code import checkpoint
from recipes.nano_code.checkpoint import Progress
from recipes.nano_code.export import rounded
from recipes.nano_code.model import NanoConfig, NanoGlm, weighted_loss
from recipes.nano_code.muon import Muon, orthogonalise
from recipes.nano_code.samples import LENGTH
from recipes.nano_code.schedule import Horizon, rate_factor
from recipes.nano_code.team import Order
from recipes.nano_code.trainer import StepSize, Trainer

TINY = NanoConfig(
    vocab_size=96, hidden_size=128, layers=2, heads=2, key_value_heads=1, intermediate_size=64
)


def test_the_default_network_has_the_agreed_size() -> None:
    sizes = sum(parameter.numel() for parameter in NanoGlm(NanoConfig()).parameters())
    assert sizes == 7_610_624


def test_logits_equal_those_of_transformers() -> None:
    torch.manual_seed(0)
    own = NanoGlm(TINY)
    for parameter in own.parameters():
        torch.nn.init.normal_(parameter, std=0.3 if parameter.ndim == 1 else 0.05)
    keys = {
        key: value
        for key, value in TINY.as_transformers().items()
        if key not in ("architectures", "model_type")
    }
    theirs = GlmForCausalLM(GlmConfig(pad_token_id=1, eos_token_id=0, **keys))
    missing = theirs.load_state_dict(own.state_dict(), strict=False)
    assert missing.missing_keys == ["lm_head.weight"]
    theirs.tie_weights()
    tokens = torch.randint(0, 96, (2, 33))
    with torch.no_grad():
        torch.testing.assert_close(own(tokens), theirs(tokens).logits, atol=1e-5, rtol=1e-5)


def test_targets_without_weight_do_not_count() -> None:
    logits, targets = torch.randn(1, 4, 9), torch.randint(0, 9, (1, 4))
    weights = torch.tensor([[1.0, 0.0, 0.0, 0.0]])
    alone = torch.nn.functional.cross_entropy(logits[0, :1], targets[0, :1])
    torch.testing.assert_close(weighted_loss(logits, targets, weights), alone)


@pytest.mark.parametrize("shape", [(3, 16, 48), (2, 48, 16), (1, 32, 32)])
def test_orthogonalised_matrices_have_even_singular_values(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(1)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)).float())
    assert values.min() > 0.3
    assert values.max() < 1.6


def test_muon_state_round_trips() -> None:
    weight = torch.nn.Parameter(torch.randn(8, 8))
    weight.grad = torch.randn(8, 8)
    muon, other = Muon([("w", weight)]), Muon([("w", weight)])
    muon.step(0.01)
    other.load(muon.state())
    torch.testing.assert_close(other.state(), muon.state())


def test_the_rate_warms_up_stays_and_falls() -> None:
    def at(step: int, elapsed: float) -> float:
        return rate_factor(step=step, elapsed_s=elapsed, total_s=100.0)

    assert at(0, 0.0) < 0.05
    assert at(500, 50.0) == 1.0
    assert at(800, 80.0) == pytest.approx(0.5)
    assert at(999, 100.0) == pytest.approx(0.02)


def test_the_horizon_may_be_moved(tmp_path: Path) -> None:
    horizon = Horizon(path=tmp_path / "run" / "minutes")
    horizon.set(2)
    assert horizon.seconds() == 120.0


def test_a_step_must_fall_into_items() -> None:
    with pytest.raises(ValueError, match="item rows"):
        StepSize(rows=8, item_rows=3)
    assert StepSize(rows=8, item_rows=2).items == 4


class OneBatch:
    """Stands in for the shards: always the same rows."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(2)
        self.ids = torch.randint(0, 96, (64, 17), generator=generator)

    def batch(self, first_row: int, rows: int, device: torch.device) -> tuple[torch.Tensor, ...]:
        chosen = self.ids[first_row : first_row + rows].to(device)
        return chosen[:, :-1], chosen[:, 1:], torch.ones(rows, 16)


def run_steps(trainer: Trainer, count: int, first: int = 0) -> list[float]:
    losses, size = [], StepSize(rows=4, item_rows=2, length=16)
    trainer.join(0)
    for _ in range(count):
        trainer.team.give(Order(stop=False, first_row=first, factor=1.0))
        trainer.share_of_step(0, OneBatch(), trainer.team.take(), size)  # type: ignore[arg-type]
        losses.append(sum(trainer.team.losses[:]))
    return losses


def test_training_learns_and_resumes_exactly(tmp_path: Path) -> None:
    torch.manual_seed(3)
    trainer = Trainer(NanoGlm(TINY), 1)
    losses = run_steps(trainer, 6)
    assert losses[-1] < losses[0] - 0.3
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.save(path, trainer.tensors(), Progress(step=6, tokens=384, rows=24, elapsed_s=1.5))
    tensors, progress = checkpoint.load(path)
    assert progress == Progress(step=6, tokens=384, rows=24, elapsed_s=1.5, length=LENGTH)
    assert not list(tmp_path.glob("*.part"))
    resumed = Trainer(NanoGlm(TINY), 1)
    resumed.load(tensors)
    assert run_steps(resumed, 3) == run_steps(trainer, 3)


def test_every_matrix_is_rounded_to_groups() -> None:
    state = dict(NanoGlm(TINY).state_dict())
    stored = rounded(state)
    for name, tensor in state.items():
        if tensor.ndim == 2:
            assert stored[name].dtype == torch.int8
            outs, inputs = tensor.shape
            assert stored[name + "_scale"].shape == (outs, inputs // 64)
            assert stored[name + "_scale"].dtype == torch.float16
        else:
            assert stored[name].dtype == torch.float16
