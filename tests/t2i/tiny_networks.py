"""Networks of a few thousand random weights, for tests that are about behaviour, not numbers."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from glm_t2i.models.coglm import CogLM
from glm_t2i.models.cogview import CogView
from glm_t2i.models.convolution_stack import StackConfig
from glm_t2i.models.hvqvae import HvqVae, HvqVaeConfig
from glm_t2i.models.super_resolution import (
    DirectSuperResolution,
    IterativeSuperResolution,
    SuperResolutionConfig,
)
from glm_t2i.models.transformer import TransformerConfig
from glm_t2i.pipelines.cogview2 import CogView2
from glm_t2i.pipelines.vocabulary import CogViewIds, IcetkIds

CODES = 40
COGVIEW_IDS = CogViewIds(image_tokens=CODES, text_tokens=20)
ICETK_IDS = IcetkIds(
    image_tokens=CODES,
    pad=41,
    english_end=50,
    start_of_image=60,
    start_of_english=61,
    start_of_chinese=62,
)
Network = TypeVar("Network", bound=nn.Module)


def ready(network: Network, seed: int = 3) -> Network:
    """Random weights large enough that no two choices tie."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2, generator=generator)
    return network.eval().requires_grad_(False)


def sizes(*, positions: int, vocabulary: int, layers: int = 2) -> TransformerConfig:
    return TransformerConfig(
        num_layers=layers, hidden_size=16, num_attention_heads=2, vocab_size=vocabulary,
        max_sequence_length=positions, num_image_tokens=CODES,
    )  # fmt: skip


def cogview(*, layers: int = 2) -> CogView:
    return ready(CogView(sizes(positions=600, vocabulary=96, layers=layers)))


def coglm() -> CogLM:
    return ready(CogLM(sizes(positions=600, vocabulary=64)))


def direct(*, edge: int = 4) -> DirectSuperResolution:
    text, coarse = 8, edge * edge
    return ready(
        DirectSuperResolution(
            SuperResolutionConfig(
                base=sizes(positions=600, vocabulary=64),
                layout=(text, text + coarse, text + 10 * coarse),
                fine_positions=9 * coarse,
            )
        )
    )


def iterative(*, edge: int = 12) -> IterativeSuperResolution:
    text = 4
    return ready(
        IterativeSuperResolution(
            SuperResolutionConfig(
                base=sizes(positions=600, vocabulary=64),
                layout=(text, text + edge * edge),
                fine_positions=edge * edge,
            )
        )
    )


def hvqvae() -> HvqVae:
    def stack(*channels_mult: int) -> StackConfig:
        return StackConfig(
            channels=32, channels_mult=channels_mult, num_res_blocks=1,
            attn_resolutions=(16,), z_channels=8, resolution=256,
        )  # fmt: skip

    config = HvqVaeConfig(
        encoder=stack(1, 1, 1), decoders=(None, stack(1, 1, 1, 1), None),
        embedding_dim=8, n_embed=CODES,
    )  # fmt: skip
    return ready(HvqVae(config))


def cogview2() -> CogView2:
    """4 x 4 codes, 12 x 12 after super-resolution, 96 x 96 pixels."""
    return CogView2(
        base=coglm(), direct=direct(), iterative=iterative(), tokenizer=hvqvae(), ids=ICETK_IDS
    )
