"""From a weights file and its config.json to a model, told apart by the keys of the weights.

    key that tells                              model
    enc_b.blocks.0.weight                       VqVae, CogView's tokenizer
    enc.conv_in.weight                          HvqVae, icetk's three-level tokenizer
    word_embeddings.weight                      CogView
    mixins.attention_plus.dense.0.weight        DirectSuperResolution of CogView2
    mixins.extra_position_embedding.…           IterativeSuperResolution of CogView2
    transformer.word_embeddings.weight          CogLM of CogView2

The file's name says nothing. Rows are tried from above.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Literal

import torch

from glm_protocol.errors import ModelUnusable
from glm_t2i.models.coglm import CogLM
from glm_t2i.models.cogview import CogView
from glm_t2i.models.config_file import ConfigFile, read_config_file
from glm_t2i.models.convolution_stack import StackConfig
from glm_t2i.models.empty_weights import empty_weights
from glm_t2i.models.hvqvae import LEVELS, HvqVae, HvqVaeConfig
from glm_t2i.models.super_resolution import (
    DirectSuperResolution,
    IterativeSuperResolution,
    SuperResolutionConfig,
)
from glm_t2i.models.transformer import TransformerConfig
from glm_t2i.models.vqvae import VqVae, VqVaeConfig
from glm_t2i.models.weights_file import WeightsFile, open_weights

PictureModel = VqVae | HvqVae | CogView | CogLM | DirectSuperResolution | IterativeSuperResolution
Kind = Literal["vqvae", "hvqvae", "cogview", "coglm", "direct_sr", "iterative_sr"]
Place = str | PathLike[str]

TELLING_KEYS: tuple[tuple[str, Kind], ...] = (
    ("enc_b.blocks.0.weight", "vqvae"),
    ("enc.conv_in.weight", "hvqvae"),
    ("word_embeddings.weight", "cogview"),
    ("mixins.attention_plus.dense.0.weight", "direct_sr"),
    ("mixins.extra_position_embedding.position_embeddings.weight", "iterative_sr"),
    ("transformer.word_embeddings.weight", "coglm"),
)
# Running sums of training; inference does without them.
_OPTIONAL = (
    "quantize_t.cluster_size",
    "quantize_t.embed_avg",
    "quantize.cluster_size",
    "quantize.embed_avg",
)


def load_model(
    weights: Place | Sequence[Place],
    config: Place,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> PictureModel:
    """A model ready for inference: in eval mode, without gradients.

    `weights`: a safetensors file, or several that hold one model together; `config`: its
    config.json. `dtype` None computes in the stored one. Raises ModelUnusable when a file is
    missing, cut short or not valid, when no kind is recognised, and when keys, shapes and config
    do not fit each other.
    """
    files = [weights] if isinstance(weights, str | PathLike) else list(weights)
    stored = open_weights(Path(file) for file in files)
    fields = read_config_file(Path(config))
    build = _BUILDERS[kind_of(stored)]
    try:
        with empty_weights():
            model = build(fields, stored)
    except ValueError as error:
        raise ModelUnusable(f"{fields.name}: {error}.") from error
    stored.load_into(model, device=torch.device(device), dtype=dtype, optional=_OPTIONAL)
    return model.eval().requires_grad_(False)


def kind_of(stored: WeightsFile) -> Kind:
    """Raises ModelUnusable when no key tells."""
    for key, kind in TELLING_KEYS:
        if key in stored.tensors:
            return kind
    raise ModelUnusable(f"{stored.name} holds no picture model that is known.")


def _vqvae(fields: ConfigFile, stored: WeightsFile) -> VqVae:
    blocks, simple = fields.integer("n_res_block", 0, least=0), fields.flag("simple", True)
    # the released code leaves the inner width to the file where it is not simple
    inner = None if simple else stored.shape(f"dec.blocks.{blocks + 2}.weight")
    return VqVae(
        VqVaeConfig(
            channel=fields.integer("channel", 512),
            n_res_block=blocks,
            n_res_channel=fields.integer("n_res_channel", 32),
            embed_dim=fields.integer("embed_dim", 256),
            n_embed=fields.integer("n_embed", 8192),
            stride=fields.integer("stride", 6),
            simple=simple,
            decoder_channel=inner[1] if inner is not None and len(inner) == 4 else 0,
        )
    )


def _hvqvae(fields: ConfigFile, stored: WeightsFile) -> HvqVae:
    whole = fields.part("config") if "config" in fields else fields
    params = whole.part("params") if "params" in whole else whole
    book = params.part("quantize_config").part("params")
    decoders = params.parts("dec_configs")
    if len(decoders) != LEVELS:
        raise params.wrong("dec_configs", f"{LEVELS} decoders")
    first, second, third = (
        _stack(decoder.part("params"), stored, f"decs.{index}.up.0.block")
        if any(key.startswith(f"decs.{index}.") for key in stored.tensors)
        else None
        for index, decoder in enumerate(decoders)
    )
    return HvqVae(
        HvqVaeConfig(
            encoder=_stack(params.part("enc_config").part("params"), stored, "enc.down.0.block"),
            decoders=(first, second, third),
            embedding_dim=book.integer("embedding_dim"),
            n_embed=book.integer("n_embed"),
        )
    )


def _stack(fields: ConfigFile, stored: WeightsFile, blocks_at: str) -> StackConfig:
    found = sum(f"{blocks_at}.{index}.conv1.weight" in stored.tensors for index in range(16))
    return StackConfig(
        channels=fields.integer("channels"),
        channels_mult=fields.integers("channels_mult"),
        num_res_blocks=fields.integer("num_res_blocks", max(found, 1)),
        attn_resolutions=fields.integers("attn_resolutions", (16,)),
        z_channels=fields.integer("z_channels"),
        resolution=fields.integer("resolution", 256),
    )


def _transformer(fields: ConfigFile, *, image_tokens: int) -> TransformerConfig:
    order = "layernorm_order"
    if order in fields and fields.text(order) != "sandwich":
        raise fields.wrong(order, '"sandwich", which CogView2 needs')
    return TransformerConfig(
        num_layers=fields.integer("num_layers"),
        hidden_size=fields.integer("hidden_size"),
        num_attention_heads=fields.integer("num_attention_heads"),
        vocab_size=fields.integer("vocab_size"),
        max_sequence_length=fields.integer("max_sequence_length"),
        num_image_tokens=fields.integer("num_image_tokens", image_tokens),
        layernorm_eps=fields.number("layernorm_eps", 1e-5),
    )


def _cogview(fields: ConfigFile, _: WeightsFile) -> CogView:
    return CogView(_transformer(fields, image_tokens=8192))


def _coglm(fields: ConfigFile, _: WeightsFile) -> CogLM:
    return CogLM(_transformer(fields, image_tokens=20_000))


def _super_resolution(fields: ConfigFile, *, parts: int) -> SuperResolutionConfig:
    base = _transformer(fields, image_tokens=20_000)
    layout = fields.integers("layout")
    if len(layout) != parts:
        raise fields.wrong("layout", f"{parts} ends of parts")
    all_positions = fields.integer(
        "new_sequence_length", base.max_sequence_length + layout[-1] - layout[-2]
    )
    if all_positions <= base.max_sequence_length:
        raise fields.wrong("new_sequence_length", "more than max_sequence_length")
    return SuperResolutionConfig(
        base=base,
        layout=layout,
        fine_positions=all_positions - base.max_sequence_length,
        kernel_size=fields.integer("kernel_size", 5),
        kernel_size2=fields.integer("kernel_size2", 5),
    )


def _direct(fields: ConfigFile, _: WeightsFile) -> DirectSuperResolution:
    return DirectSuperResolution(_super_resolution(fields, parts=3))


def _iterative(fields: ConfigFile, _: WeightsFile) -> IterativeSuperResolution:
    return IterativeSuperResolution(_super_resolution(fields, parts=2))


_BUILDERS: dict[Kind, Callable[[ConfigFile, WeightsFile], PictureModel]] = {
    "vqvae": _vqvae,
    "hvqvae": _hvqvae,
    "cogview": _cogview,
    "coglm": _coglm,
    "direct_sr": _direct,
    "iterative_sr": _iterative,
}
