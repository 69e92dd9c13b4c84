"""CodeGeeX-13B: a GPT decoder whose last layer asks with a learned query for every position.

    x = words[id] + positions[p]
    39 x {x += Attn(LN(x)); x += MLP(LN(x))};  y = LN(x)
    top: a = Attn(query = top_queries[p], keys and values = LN(y));  z = y + a;  z += MLP(LN(z))
    logits = z words^T                          no norm after the top layer

Source: arXiv:2303.17568, section 2.2 and figure 3. In the released weights row p of the query
table belongs to the token at p (the paper's "position n + 1"), the final norm stands before the
top layer, and the query is neither normed nor added to anything. Norms and softmax are computed
in float32. Not here: the tokenizer, the conversion of the released files.

Legend: B batch, T tokens of this call, S tokens seen so far (cache and T), D hidden size,
N heads, H size of a head, F feed-forward size, V rows of the vocabulary.
"""

# transformers leaves these bases and decorators untyped.
# mypy: disable-error-code="no-untyped-call,untyped-decorator"

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import GenerationMixin, PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache
from transformers.masking_utils import create_causal_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from glm_codegen.models.codegeex_config import CodeGeeXConfig
from glm_runtime.quantized_weight import CONFIG_KEY


def fast_gelu(x: torch.Tensor) -> torch.Tensor:
    """MindSpore's fast GELU, x * sigmoid(1.702 x): neither the erf nor the tanh form."""
    return x * torch.sigmoid(1.702 * x)


def eager_attention(
    _module: nn.Module,
    query_BNTH: torch.Tensor,
    key_BNSH: torch.Tensor,
    value_BNSH: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    **_kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention written out: ([B, T, N, H], weights [B, N, T, S]); softmax in float32."""
    scores_BNTS = (query_BNTH @ key_BNSH.transpose(2, 3)) * scaling
    if attention_mask is not None:
        scores_BNTS = scores_BNTS + attention_mask
    weights_BNTS = torch.softmax(scores_BNTS, dim=-1, dtype=torch.float32).to(query_BNTH.dtype)
    return (weights_BNTS @ value_BNSH).transpose(1, 2).contiguous(), weights_BNTS


class Float32LayerNorm(nn.LayerNorm):
    """Layer norm in float32 whatever the model's dtype, as the model was trained."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed = nn.functional.layer_norm(
            x.float(), self.normalized_shape, self.weight.float(), self.bias.float(), self.eps
        )
        return normed.to(x.dtype)


class CodeGeeXAttention(nn.Module):
    """Full multi-head attention; the query may come from elsewhere than keys and values."""

    def __init__(self, config: CodeGeeXConfig, layer_idx: int) -> None:
        super().__init__()
        self.config = config
        self.layer_idx = layer_idx
        self.head_dim = config.head_dim
        self.scaling = config.head_dim**-0.5
        self.is_causal = True
        width = config.hidden_size
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.o_proj = nn.Linear(width, width)

    def forward(
        self,
        normed_BTD: torch.Tensor,
        queries_BTD: torch.Tensor,
        attention_mask: torch.Tensor | None,
        past_key_values: Cache | None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        split = (*normed_BTD.shape[:-1], -1, self.head_dim)
        query_BNTH = self.q_proj(queries_BTD).view(split).transpose(1, 2)
        key_BNSH = self.k_proj(normed_BTD).view(split).transpose(1, 2)
        value_BNSH = self.v_proj(normed_BTD).view(split).transpose(1, 2)
        if past_key_values is not None:
            key_BNSH, value_BNSH = past_key_values.update(key_BNSH, value_BNSH, self.layer_idx)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention
        )
        mixed_BTNH, weights = attend(
            self,
            query_BNTH,
            key_BNSH,
            value_BNSH,
            attention_mask,
            dropout=0.0,
            scaling=self.scaling,
            **kwargs,
        )
        return self.o_proj(mixed_BTNH.flatten(2)), weights


class CodeGeeXMLP(nn.Module):
    """D -> F, fast GELU, F -> D; biases on both."""

    def __init__(self, config: CodeGeeXConfig) -> None:
        super().__init__()
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x_BTD: torch.Tensor) -> torch.Tensor:
        down: torch.Tensor = self.down_proj(fast_gelu(self.up_proj(x_BTD)))
        return down


class CodeGeeXLayer(GradientCheckpointingLayer):
    """One pre-norm layer. The top query layer is one that is given `top_queries_BTD`."""

    def __init__(self, config: CodeGeeXConfig, layer_idx: int) -> None:
        super().__init__()
        self.input_layernorm = Float32LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.self_attn = CodeGeeXAttention(config, layer_idx)
        self.post_attention_layernorm = Float32LayerNorm(
            config.hidden_size, eps=config.layer_norm_eps
        )
        self.mlp = CodeGeeXMLP(config)

    def forward(
        self,
        x_BTD: torch.Tensor,
        top_queries_BTD: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        normed_BTD = self.input_layernorm(x_BTD)
        queries_BTD = normed_BTD if top_queries_BTD is None else top_queries_BTD
        attended_BTD, _ = self.self_attn(
            normed_BTD, queries_BTD, attention_mask, past_key_values, **kwargs
        )
        x_BTD = x_BTD + attended_BTD
        out: torch.Tensor = x_BTD + self.mlp(self.post_attention_layernorm(x_BTD))
        return out


class CodeGeeXPreTrainedModel(PreTrainedModel):
    """What transformers must know of the family. Tested with eager and SDPA attention."""

    config_class = CodeGeeXConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["CodeGeeXLayer"]  # noqa: RUF012 (transformers' own form)
    _skip_keys_device_placement = ["past_key_values"]  # noqa: RUF012
    _supports_sdpa = True
    _supports_attention_backend = True
    _can_record_outputs = {  # noqa: RUF012
        "hidden_states": CodeGeeXLayer,
        "attentions": CodeGeeXAttention,
    }

    def __init__(self, config: CodeGeeXConfig) -> None:
        """Raises ValueError for a quantised folder: its integers would pass for weights here."""
        if getattr(config, CONFIG_KEY, None) is not None:
            raise ValueError("this model is quantised by glm-lsp, which alone can load it")
        super().__init__(config)


class CodeGeeXModel(CodeGeeXPreTrainedModel):
    """The decoder and its top query layer, without the output projection."""

    def __init__(self, config: CodeGeeXConfig) -> None:
        super().__init__(config)
        width, positions = config.hidden_size, config.max_position_embeddings
        self.embed_tokens = nn.Embedding(config.vocab_size, width)
        self.embed_positions = nn.Embedding(positions, width)
        self.embed_top_queries = nn.Embedding(positions, width)
        ordinary = config.num_hidden_layers - 1
        self.layers = nn.ModuleList(CodeGeeXLayer(config, index) for index in range(ordinary))
        self.norm = Float32LayerNorm(width, eps=config.layer_norm_eps)
        self.top_query_layer = CodeGeeXLayer(config, ordinary)
        self.gradient_checkpointing = False
        self.post_init()

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """Hidden states [B, T, D] of `input_ids` [B, T]; `attention_mask` [B, S] is 0 on pads.

        Positions default to the count of real tokens before each, so that a left-padded row
        equals the row alone. Raises ValueError for positions beyond the learned table.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("exactly one of input_ids and inputs_embeds must be given")
        if inputs_embeds is None:
            inputs_embeds = self.embed_tokens(input_ids)
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        if position_ids is None:
            seen = 0 if past_key_values is None else int(past_key_values.get_seq_length())
            position_ids = self._positions(inputs_embeds, attention_mask, seen)
        x_BTD = inputs_embeds + self.embed_positions(position_ids)
        causal_mask = create_causal_mask(
            config=self.config,
            inputs_embeds=x_BTD,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            position_ids=position_ids,
        )
        rest: dict[str, Any] = {
            "attention_mask": causal_mask,
            "past_key_values": past_key_values,
            **kwargs,
        }
        for layer in self.layers:
            x_BTD = layer(x_BTD, **rest)
        top_queries_BTD = self.embed_top_queries(position_ids).expand_as(x_BTD)
        x_BTD = self.top_query_layer(self.norm(x_BTD), top_queries_BTD, **rest)
        return BaseModelOutputWithPast(last_hidden_state=x_BTD, past_key_values=past_key_values)

    def _positions(
        self, inputs_embeds: torch.Tensor, attention_mask: torch.Tensor | None, seen: int
    ) -> torch.Tensor:
        """position_ids [B or 1, T], pads at 0."""
        tokens = inputs_embeds.shape[1]
        if attention_mask is not None and attention_mask.ndim == 2:
            counted = attention_mask.long().cumsum(dim=-1) - 1
            return counted.clamp_min(0)[:, seen : seen + tokens]
        limit = self.config.max_position_embeddings
        if seen + tokens > limit:
            raise ValueError(f"{seen + tokens} tokens are more than the {limit} learned positions")
        return torch.arange(seen, seen + tokens, device=inputs_embeds.device)[None]


class CodeGeeXForCausalLM(CodeGeeXPreTrainedModel, GenerationMixin):
    """The 13B with its output projection, tied to the word embedding."""

    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}  # noqa: RUF012

    def __init__(self, config: CodeGeeXConfig) -> None:
        super().__init__(config)
        self.model = CodeGeeXModel(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits [B, T or `logits_to_keep`, V]; rows that were never trained are masked."""
        outputs = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            use_cache=use_cache,
            **kwargs,
        )
        kept = (
            slice(-logits_to_keep, None)
            if isinstance(logits_to_keep, int) and logits_to_keep
            else (slice(None) if isinstance(logits_to_keep, int) else logits_to_keep)
        )
        logits_BTV = self.lm_head(outputs.last_hidden_state[:, kept])
        trained = self.config.trained_vocab_size
        if trained < logits_BTV.shape[-1]:
            logits_BTV[..., trained:] = torch.finfo(logits_BTV.dtype).min
        loss = None
        if labels is not None:
            loss = self.loss_function(
                logits=logits_BTV, labels=labels, vocab_size=self.config.vocab_size, **kwargs
            )
        return CausalLMOutputWithPast(
            loss=loss,
            logits=logits_BTV,
            past_key_values=outputs.past_key_values,
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
        )
