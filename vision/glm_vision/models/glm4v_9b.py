"""GLM-4V-9B, and CogAgent-9B which is the same model: GLM-4-9B that sees, without visual experts.

Pictures of 1,120 pixels become 1,600 slots between two borders; their patches share one position,
as in CogVLM. Not transformers' `glm4v`, which is GLM-4.1V. Weights load by the released keys.
Source: GLM-4 (arXiv 2406.12793), its released code and configuration.

Shapes: B rows, L new tokens, F tokens of the whole history, D hidden, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from transformers import Cache, DynamicCache, GenerationMixin, PreTrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from glm_vision.models.chatglm_layers import ChatGLMAttention, ChatGLMLayer, half_rotation
from glm_vision.models.eva_clip import PatchEmbedding
from glm_vision.models.image_generation import ImageGeneration, positions_of
from glm_vision.models.image_slots import Images, fill_slots, history_types, refuse_unknown
from glm_vision.models.rms_norm import RMSNorm
from glm_vision.models.vision_tower import VisionTower
from glm_vision.models.vision_tower_config import VisionTowerConfig

_FIXED = {
    "rmsnorm": True,
    "post_layer_norm": True,
    "apply_residual_connection_post_layernorm": False,
    "add_bias_linear": False,
    "interleaved_qkv": False,
    "original_rope": True,
}


@strict
class GLM4V9BConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """Field names are the released file's, whose own model_type is "chatglm"; defaults too."""

    model_type = "chatglm4v"
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values"]
    attribute_map: ClassVar[dict[str, str]] = {
        "num_hidden_layers": "num_layers",
        "vocab_size": "padded_vocab_size",
        "intermediate_size": "ffn_hidden_size",
        "max_position_embeddings": "seq_length",
        "head_dim": "kv_channels",
    }
    default_vision_config: ClassVar[dict[str, Any]] = {
        "image_size": 1120,
        "num_positions": 6401,
        "scaling_factor": 8.0,
    }

    padded_vocab_size: int = 151552
    hidden_size: int = 4096
    ffn_hidden_size: int = 13696
    kv_channels: int = 128
    num_layers: int = 40
    num_attention_heads: int = 32
    multi_query_attention: bool = True
    multi_query_group_num: int = 2
    seq_length: int = 8192
    layernorm_epsilon: float | int = 1.5625e-07
    rope_ratio: float | int = 1
    add_qkv_bias: bool = True
    rmsnorm: bool = True
    post_layer_norm: bool = True
    apply_residual_connection_post_layernorm: bool = False
    add_bias_linear: bool = False
    interleaved_qkv: bool = False
    original_rope: bool = True
    initializer_range: float | int = 0.02
    use_cache: bool = True
    boi_token_id: int = 151339
    eoi_token_id: int = 151340
    pad_token_id: int | None = 151329
    eos_token_id: int | list[int] | None = None
    tie_word_embeddings: bool = False
    vision_config: dict[str, Any] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        raw = self.default_vision_config if self.vision_config is None else self.vision_config
        self.vision_config = VisionTowerConfig.read(raw).to_json()
        if self.eos_token_id is None:
            self.eos_token_id = [151329, 151336, 151338]
        super().__post_init__(**kwargs)  # type: ignore[no-untyped-call]

    def validate_architecture(self) -> None:
        """Called by the strict base once the fields are set. Raises ValueError."""
        for name, wanted in _FIXED.items():
            if getattr(self, name) is not wanted:
                raise ValueError(f"{name} must be {wanted}")
        for name in ("hidden_size", "ffn_hidden_size", "num_layers", "num_key_value_heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be a positive integer")
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(f"{self.num_key_value_heads} key heads do not divide the query heads")
        if self.kv_channels % 4:
            raise ValueError(f"heads of {self.kv_channels} cannot be turned by half in pairs")
        if self.tower.grid % 2:
            raise ValueError(f"an odd grid of {self.tower.grid} patches cannot be halved")

    @property
    def tower(self) -> VisionTowerConfig:
        return VisionTowerConfig.read(self.vision_config or {})

    @property
    def num_key_value_heads(self) -> int:
        return (
            self.multi_query_group_num if self.multi_query_attention else self.num_attention_heads
        )

    @property
    def image_slots(self) -> int:
        """Tokens that one image takes, borders included."""
        return (self.tower.grid // 2) ** 2 + 2


class GLM4V9BPreTrainedModel(PreTrainedModel):  # type: ignore[no-untyped-call]
    config: GLM4V9BConfig
    config_class = GLM4V9BConfig
    base_model_prefix = "transformer"
    input_modalities = ["image", "text"]  # noqa: RUF012
    supports_gradient_checkpointing = True
    _no_split_modules = ["ChatGLMLayer", "EvaLayer"]  # noqa: RUF012
    _skip_keys_device_placement = ["past_key_values"]  # noqa: RUF012
    _keys_to_ignore_on_load_unexpected = {r"rotary_pos_emb\.inv_freq$"}  # noqa: RUF012
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_attention_backend = True
    _can_record_outputs = {  # noqa: RUF012
        "hidden_states": ChatGLMLayer,
        "attentions": ChatGLMAttention,
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


class WordEmbedding(nn.Module):
    """Only the name that released weights have around the table."""

    def __init__(self, config: GLM4V9BConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.padded_vocab_size, config.hidden_size)


class ChatGLMStack(nn.Module):
    """The layers and the norm after them."""

    def __init__(self, config: GLM4V9BConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(ChatGLMLayer(config, at) for at in range(config.num_layers))
        self.final_layernorm = RMSNorm(config.hidden_size, eps=config.layernorm_epsilon)


class GLM4V9BModel(GLM4V9BPreTrainedModel):  # type: ignore[no-untyped-call]
    """Everything, the output matrix too: it stands inside in the released files."""

    def __init__(self, config: GLM4V9BConfig) -> None:
        super().__init__(config)
        self.embedding = WordEmbedding(config)
        self.encoder = ChatGLMStack(config)
        self.output_layer = nn.Linear(config.hidden_size, config.padded_vocab_size, bias=False)
        self.vision = VisionTower(
            config.tower,
            config,
            hidden=config.hidden_size,
            inner=config.ffn_hidden_size,
            merged=config.hidden_size,
        )
        self.gradient_checkpointing = False
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Embedding:
        return self.embedding.word_embeddings

    def set_input_embeddings(self, value: Any) -> None:
        self.embedding.word_embeddings = value

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
        **known: Any,
    ) -> BaseModelOutputWithPast:
        """See `GLM4V9BForCausalLM.forward`."""
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
            embeds_BLD = self.embedding.word_embeddings(input_ids)
            inputs_embeds = fill_slots(embeds_BLD, types_BF[:, -length:], images or [], self.vision)
        elif images and any(images):
            raise ValueError("Give images with input_ids, not with inputs_embeds.")
        assert inputs_embeds is not None
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        hidden_BLD = inputs_embeds
        # Positions are withheld: patches that share one would be taken for packed sequences.
        mask = create_causal_mask(
            config=self.config,
            inputs_embeds=hidden_BLD,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
        )
        turned = half_rotation(
            position_ids.to(hidden_BLD.device),
            width=self.config.kv_channels,
            base=10_000.0 * self.config.rope_ratio,
            dtype=hidden_BLD.dtype,
        )
        for layer in self.encoder.layers:
            hidden_BLD = layer(
                hidden_BLD, rotation=turned, mask=mask, past_key_values=past_key_values
            )
        return BaseModelOutputWithPast(
            last_hidden_state=self.encoder.final_layernorm(hidden_BLD),
            past_key_values=past_key_values,
        )


class GLM4V9BForCausalLM(  # type: ignore[no-untyped-call]
    GLM4V9BPreTrainedModel, ImageGeneration, GenerationMixin
):
    def __init__(self, config: GLM4V9BConfig) -> None:
        super().__init__(config)
        self.transformer = GLM4V9BModel(config)
        self.post_init()  # type: ignore[no-untyped-call]

    def get_input_embeddings(self) -> nn.Embedding:
        return self.transformer.embedding.word_embeddings

    def get_output_embeddings(self) -> nn.Linear:
        return self.transformer.output_layer

    def set_output_embeddings(self, new_embeddings: Any) -> None:
        self.transformer.output_layer = new_embeddings

    def vision_pieces(self) -> Iterator[nn.Module]:
        """Modules whose weights serve image tokens only, each small enough to copy by itself."""
        yield from self.transformer.vision.pieces()

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
        """Logits (B, L, V) in fp32; arguments and errors are those of `CogVLMForCausalLM`.

        The ids under image slots do not matter; the released text has the begin and end marks
        there, and padding between them.
        """
        out = self.transformer(
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
        logits_BLV = self.transformer.output_layer(kept_BLD).float()
        loss = None
        if labels is not None:
            loss = self.loss_function(logits_BLV, labels, vocab_size=self.config.padded_vocab_size)
        return CausalLMOutputWithPast(
            loss=loss,
            logits=logits_BLV,
            past_key_values=out.past_key_values,
            hidden_states=out.hidden_states,
            attentions=out.attentions,
        )
