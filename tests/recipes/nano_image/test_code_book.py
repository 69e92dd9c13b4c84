"""The code book's training: averages, dead codes, gradients; names of icons."""

from __future__ import annotations

import random

import torch

from glm_t2i.models.vqvae import CodeBook, VqVaeConfig
from recipes.nano_image.code_book import CodeBookTraining
from recipes.nano_image.drawings import drawing
from recipes.nano_image.icons import is_held_out, packages, words_of


def clusters(generator: torch.Generator) -> torch.Tensor:
    """256 features around 16 far places."""
    places = 10 * torch.randn(16, 4, generator=generator)
    return places.repeat(16, 1) + 0.05 * torch.randn(256, 4, generator=generator)


def test_codes_come_to_lie_on_what_chooses_them_and_dead_ones_live_again() -> None:
    generator = torch.Generator().manual_seed(2)
    book = CodeBook(VqVaeConfig(embed_dim=4, n_embed=64))
    book.embed.mul_(0).add_(50)  # all codes in one place, far from everything
    book.embed_avg.copy_(book.embed)
    training = CodeBookTraining(book, generator)
    features = clusters(generator)
    for _ in range(300):
        codes, _, _ = training.quantise(features)
        training.update(features, codes)
        training.revive(features)
    codes, through, _ = training.quantise(features)
    assert len(codes.unique()) >= 14
    assert training.revived >= 14
    # two places may share a code for ever; nearly all have their own
    near = (through - features).square().mean(dim=1) < 0.05
    assert float(near.float().mean()) > 0.8


def test_gradient_passes_the_choice_unchanged() -> None:
    book = CodeBook(VqVaeConfig(embed_dim=4, n_embed=8))
    features = torch.randn(5, 4, requires_grad=True)
    _, through, _ = CodeBookTraining(book, torch.Generator()).quantise(features)
    (through * torch.arange(4.0)).sum().backward()
    assert features.grad is not None
    assert torch.equal(features.grad, torch.arange(4.0).expand(5, 4))


def test_names_lose_their_style_and_stay_together_when_held_out() -> None:
    assert words_of("arrow-up_circle-fill", ("fill",)) == "arrow up circle"
    assert words_of("fill", ("fill",)) == "fill"
    assert is_held_out("home plus") == is_held_out("home")


def test_every_package_says_its_licence() -> None:
    assert {package.licence for package in packages()} <= {"MIT", "ISC", "Apache-2.0"}


def test_same_seed_same_drawings() -> None:
    first = [drawing(random.Random(9)) for _ in range(3)]
    again = [drawing(random.Random(9)) for _ in range(3)]
    assert [caption for caption, _ in first] == [caption for caption, _ in again]
    assert all(a.tobytes() == b.tobytes() for (_, a), (_, b) in zip(first, again, strict=True))
