"""CogVLM-17B: a language model with a visual expert in every layer, as a transformers model.

Weights load by the keys of the released checkpoints. A text-only step never touches the weights
of the vision expert. Source: CogVLM (arXiv 2311.03079).

Not done here: prompts (`prompt_templates`, `processor`) and pixels (`pixels`).

Shapes: B rows, L new tokens, F tokens of the whole history, D hidden, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from transformers import Cache, DynamicCache, GenerationMixin, PreTrainedModel
from transformers import initialization as init
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from glm_vision.models.cogvlm_config import CogVLMConfig
from glm_vision.models.cross_attention import CrossStates
from glm_vision.models.decoder_layer import VisualExpertLayer
from glm_vision.models.eva_clip import PatchEmbedding
from glm_vision.models.expert_route import ExpertRoute, vision_expert_mask
from glm_vision.models.image_generation import ImageGeneration, positions_of
from glm_vision.models.image_slots import Images, fill_slots, history_types, refuse_unknown
from glm_vision.models.rms_norm import RMSNorm
from glm_vision.models.rotary import rotation
from glm_vision.models.vision_tower import VisionTower
from glm_vision.models.visual_expert import VisualExpertAttention


class CogVLMPreTrainedModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    config: CogVLMConfig
    config_class = CogVLMConfig
    base_model_prefix = "model"
    input_modalities = ["image", "text"]  # noqa: RUF012
    supports_gradient_checkpointing = True
    _no_split_modules = ["VisualExpertLayer", "EvaLayer"]  # noqa: RUF012
    _skip_keys_device_placement = ["past_key_values"]  # noqa: RUF012
    _keys_to_ignore_on_load_unexpected = {r"rotary_emb\.inv_freq$"}  # noqa: RUF012
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_attention_backend = True
    _can_record_outputs = {  # noqa: RUF012
        "hidden_states": VisualExpertLayer,
        "attentions": VisualExpertAttention,
    }

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)  # type: ignore[no-untyped-call]
        std = self.config.initializer_range
        if isinstance(module, PatchEmbedding):
            init.normal_(module.cls_embedding, mean=0.0, std=std)
        elif isinstance(module, VisionTower):
            init.normal_(module.boi, mean=0.0, std=std)
            init.normal_(module.eoi, mean=0.0, std=std)


class CogVLMModel(CogVLMPreTrainedModel):  # type: ignore[no-untyped-call]
    """Everything below the head."""

    layer_class: type[VisualExpertLayer] = VisualExpertLayer

    def __init__(self, config: CogVLMConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.layers = nn.ModuleList(
            self.layer_class(config, index) for index in range(config.num_hidden_layers)
        )
        self.norm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.vision = VisionTower(
            config.tower,
            config,
            hidden=config.hidden_size,
            inner=config.intermediate_size,
            merged=config.tower.hidden_size if config.downsample else None,
            patch_positions=config.patch_positions,
        )
        self.gradient_checkpointing = False
        self.post_init()  # type: ignore[no-untyped-call]

    def embed(self, ids_BL: torch.Tensor, types_BL: torch.Tensor, images: Images) -> torch.Tensor:
        """Embeddings (B, L, D), image slots overwritten by their images in order.

        Raises ValueError where a row's slots and its images do not match, so that no image is
        dropped and no slot is left empty.
        """
        return fill_slots(self.embed_tokens(ids_BL), types_BL, images, self.vision)

    @merge_with_config_defaults  # type: ignore[untyped-decorator]
    @capture_outputs  # type: ignore[untyped-decorator]
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        images: Images | None = None,
        token_type_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        cross: CrossStates | None = None,
        **known: Any,
    ) -> BaseModelOutputWithPast:
        """See `CogVLMForCausalLM.forward`; `cross` is for layers that look at a second encoder."""
        refuse_unknown(known)
        given = input_ids if input_ids is not None else inputs_embeds
        if given is None or (input_ids is not None and inputs_embeds is not None):
            raise ValueError("Give either input_ids or inputs_embeds.")
        length = given.shape[1]
        past = past_key_values.get_seq_length() if past_key_values is not None else 0
        types_BF = history_types(token_type_ids, given, past, placed=position_ids is not None)
        if position_ids is None:
            position_ids = positions_of(types_BF, attention_mask)[:, -length:]
        if input_ids is not None:
            inputs_embeds = self.embed(input_ids, types_BF[:, -length:], images or [])
        elif images and any(images):
            raise ValueError("Give images with input_ids, not with inputs_embeds.")
        assert inputs_embeds is not None
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        hidden_BLD = self._through_layers(
            inputs_embeds,
            route=ExpertRoute.of(vision_expert_mask(types_BF)[:, -length:]),
            position_ids=position_ids,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            cross=cross,
        )
        return BaseModelOutputWithPast(
            last_hidden_state=self.norm(hidden_BLD), past_key_values=past_key_values
        )

    def _through_layers(
        self,
        hidden_BLD: torch.Tensor,
        *,
        route: ExpertRoute,
        position_ids: torch.Tensor,
        attention_mask: torch.Tensor | None,
        past_key_values: Cache | None,
        cross: CrossStates | None,
    ) -> torch.Tensor:
        # Positions are withheld: patches that share one would be taken for packed sequences.
        mask = create_causal_mask(
            config=self.config,
            inputs_embeds=hidden_BLD,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
        )
        turned = rotation(
            position_ids.to(hidden_BLD.device),
            width=self.config.hidden_size // self.config.num_attention_heads,
            base=self.config.rope_theta,
            dtype=hidden_BLD.dtype,
        )
        for layer in self.layers:
            hidden_BLD = layer(
                hidden_BLD,
                route=route,
                rotation=turned,
                mask=mask,
                past_key_values=past_key_values,
                cross=cross,
            )
        return hidden_BLD


class CogVLMForCausalLM(  # type: ignore[no-untyped-call]
    CogVLMPreTrainedModel, ImageGeneration, GenerationMixin
):
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}  # noqa: RUF012
    model_class: type[CogVLMModel] = CogVLMModel

    def __init__(self, config: CogVLMConfig) -> None:
        super().__init__(config)
        self.model = self.model_class(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()  # type: ignore[no-untyped-call]

    def vision_pieces(self) -> Iterator[nn.Module]:
        """Modules whose weights serve image tokens only, each small enough to copy by itself."""
        yield from self.model.vision.pieces()
        for layer in self.model.layers:
            yield layer.self_attn.vision_expert_query_key_value
            yield layer.self_attn.vision_expert_dense
            yield layer.mlp.vision_mlp

    @can_return_tuple  # type: ignore[untyped-decorator]
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        images: Images | None = None,
        token_type_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits (B, L, V) in fp32.

        `input_ids` (B, L) are the tokens after the cache. `images` holds one list a row (empty for
        text alone) of normalised pixels (3, S, S), for the image slots among these tokens.
        `token_type_ids` is 1 on image slots and covers the whole history (B, F); (B, L) suffices
        together with `position_ids` or without a cache; left out, all is text.
        `attention_mask` (B, F) is 0 on padding. A call must not end inside an image.

        Raises ValueError where images, slots and types do not match.
        """
        out = self.model(
            input_ids=input_ids,
            images=images,
            token_type_ids=token_type_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )
        kept_BLD = out.last_hidden_state[:, -logits_to_keep:] if logits_to_keep else out[0]
        logits_BLV = self.lm_head(kept_BLD).float()
        loss = None
        if labels is not None:
            loss = self.loss_function(logits_BLV, labels, vocab_size=self.config.vocab_size)
        return CausalLMOutputWithPast(
            loss=loss,
            logits=logits_BLV,
            past_key_values=out.past_key_values,
            hidden_states=out.hidden_states,
            attentions=out.attentions,
        )
