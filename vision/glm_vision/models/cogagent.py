"""CogAgent-18B: CogVLM at 224 pixels, and a fine encoder at 1,120 that every layer looks at.

Between attention and MLP each layer attends to the fine patches of its row's pictures. Their keys
and values are computed with the prompt and handed from step to step (`cross_states`), as
`generate` does by itself. Text without pictures skips that step, where the released code fails.
Source: CogAgent (arXiv 2312.08914) and its released code, whose weights load by their keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from transformers import Cache
from transformers import initialization as init
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.utils.generic import can_return_tuple

from glm_vision.models.cogvlm import CogVLMForCausalLM, CogVLMModel
from glm_vision.models.cogvlm_config import CogVLMConfig
from glm_vision.models.cross_attention import CrossAttention, CrossStates, FinePatches
from glm_vision.models.cross_vision import CrossVision, CrossVisionConfig, FineAttention, FineTrunk
from glm_vision.models.decoder_layer import VisualExpertLayer
from glm_vision.models.image_slots import Images
from glm_vision.models.rms_norm import RMSNorm


@strict
class CogAgentConfig(CogVLMConfig):  # type: ignore[no-untyped-call]
    """Defaults are CogAgent-18B's; `cross_vision_config` is ours, for other sizes of the trunk."""

    model_type = "cogagent"
    patch_positions: ClassVar[bool] = True
    default_vision_config: ClassVar[dict[str, Any]] = {"image_size": 224, "num_positions": 257}
    sizes: ClassVar[tuple[str, ...]] = (*CogVLMConfig.sizes, "cross_compute_hidden_size")

    cross_hidden_size: int = 1024
    cross_compute_hidden_size: int = 1024
    cross_image_size: int = 1120
    cross_vision_config: dict[str, Any] | None = None

    def validate_architecture(self) -> None:
        super().validate_architecture()
        if self.cross_compute_hidden_size % self.num_attention_heads:
            raise ValueError("cross_compute_hidden_size does not split into heads")
        assert self.fine is not None

    @property
    def fine(self) -> CrossVisionConfig:
        """Sizes of the fine encoder. Raises ValueError where they clash."""
        given = {"hidden_size": self.cross_hidden_size, "image_size": self.cross_image_size}
        return CrossVisionConfig.read({**(self.cross_vision_config or {}), **given})


class CogAgentLayer(VisualExpertLayer):  # type: ignore[no-untyped-call]
    def __init__(self, config: CogAgentConfig, layer_idx: int) -> None:
        super().__init__(config, layer_idx)
        self.layer_idx = layer_idx
        self.cross_attn = CrossAttention(
            config,
            hidden=config.hidden_size,
            fine=config.cross_hidden_size,
            inner=config.cross_compute_hidden_size,
            heads=config.num_attention_heads,
        )
        self.post_cross_attention_layernorm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def look_closer(self, x_BLD: torch.Tensor, cross: CrossStates | None) -> torch.Tensor:
        if cross is None:
            return x_BLD
        normed_BLD = self.post_cross_attention_layernorm(x_BLD)
        seen_BLD: torch.Tensor = self.cross_attn(
            normed_BLD, cross.layers[self.layer_idx], cross.mask_B11S
        )
        return x_BLD + (seen_BLD if cross.seen_B11 is None else seen_BLD * cross.seen_B11)


class CogAgentModel(CogVLMModel):  # type: ignore[no-untyped-call]
    config_class = CogAgentConfig
    layer_class = CogAgentLayer

    def __init__(self, config: CogAgentConfig) -> None:
        super().__init__(config)
        self.cross_vision = CrossVision(config.fine, config)
        self.post_init()  # type: ignore[no-untyped-call]

    def look(self, images: Images) -> CrossStates | None:
        """What the layers attend to, from fine pixels, one list a row; None without pictures."""
        counts = [len(row) for row in images]
        if not any(counts):
            return None
        tower: CrossVision = self.cross_vision
        weight = tower.pos_embed
        pixels = torch.stack([picture for row in images for picture in row])
        fine = FinePatches.of_rows(counts, tower(pixels.to(weight.device, weight.dtype)))
        layers = cast("Iterable[CogAgentLayer]", self.layers)
        return CrossStates(
            layers=tuple(layer.cross_attn.project(fine.features_BSC) for layer in layers),
            mask_B11S=fine.mask_B11S,
            seen_B11=fine.seen_B11,
        )


@dataclass
class CogAgentOutput(CausalLMOutputWithPast):
    cross_states: CrossStates | None = None


class CogAgentForCausalLM(CogVLMForCausalLM):  # type: ignore[no-untyped-call]
    config_class = CogAgentConfig
    model_class = CogAgentModel
    picture_inputs = ("images", "cross_images")

    def __init__(self, config: CogAgentConfig) -> None:
        super().__init__(config)
        last = config.fine.num_hidden_layers - 1
        unused = rf"cross_vision\.vit\.model\.(blocks\.{last}\.|norm\.|head\.|.*rope\.freqs_)"
        self._keys_to_ignore_on_load_unexpected = {
            *self._keys_to_ignore_on_load_unexpected,
            unused,
        }

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        std = self.config.initializer_range
        if isinstance(module, FineTrunk):
            init.normal_(module.cls_token, mean=0.0, std=std)
            init.normal_(module.pos_embed, mean=0.0, std=std)
        elif isinstance(module, CrossVision):
            init.normal_(module.pos_embed, mean=0.0, std=std)
        elif isinstance(module, FineAttention):
            init.zeros_(module.q_bias)
            init.zeros_(module.v_bias)

    def vision_pieces(self) -> Iterator[nn.Module]:
        """Queries and outputs of the cross attention are left out: steps after a picture need
        them."""
        yield from super().vision_pieces()
        yield from self.model.cross_vision.pieces()
        for layer in self.model.layers:
            yield layer.cross_attn.key_value

    @can_return_tuple  # type: ignore[untyped-decorator]
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        images: Images | None = None,
        cross_images: Images | None = None,
        token_type_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        cross_states: CrossStates | None = None,
        **kwargs: Any,
    ) -> CogAgentOutput:
        """As `CogVLMForCausalLM.forward`; `cross_images` are the same pictures at the fine size.

        `cross_states` of an earlier output goes with its cache: a call that continues one gives
        either them or no pictures at all. Raises ValueError where the two kinds of pictures do
        not match, so that none is looked at with one eye.
        """
        coarse = [len(row) for row in images or ()]
        fine = [len(row) for row in cross_images or ()]
        if coarse != fine and (any(coarse) or any(fine)):
            raise ValueError(
                f"images and cross_images must be the same pictures; rows have {coarse} and {fine}."
            )
        if any(fine):
            if cross_states is not None:
                raise ValueError("New pictures cannot join those of an earlier call.")
            assert cross_images is not None
            cross_states = self.model.look(cross_images)
        out = super().forward(
            input_ids=input_ids,
            images=images,
            token_type_ids=token_type_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            labels=labels,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
            cross=cross_states,
            **kwargs,
        )
        return CogAgentOutput(**out, cross_states=cross_states)

    def _update_model_kwargs_for_generation(
        self, outputs: Any, model_kwargs: dict[str, Any], *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        """The fine patches stay what they were."""
        updated = super()._update_model_kwargs_for_generation(
            outputs, model_kwargs, *args, **kwargs
        )
        if model_kwargs.get("use_cache", True):
            updated["cross_states"] = outputs.cross_states
        return updated
