"""GlmForCausalLM in plain torch: the family of CodeGeeX2, CodeGeeX4 and nano-code.

The same numbers as transformers' class (tests compare), for two reasons: transformers takes
longer to import than everything else of a cold start together, and a small model's step is
mostly Python and dispatch, of which there is less here: q, k and v come of one product, rotation
of one for all heads, query heads that share a key head are folded into its query axis.

RMSNorm, SwiGLU, grouped queries; rotary embedding of adjacent pairs on the first part of each
head (GLM-4, https://arxiv.org/abs/2406.12793).

Legend: N new tokens, T tokens held and new, D hidden, H query heads, K key heads, G = H / K,
S head size, R rotated pairs of it, F feed-forward, P positions, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention, silu

from glm_runtime.causal_model import KVStore
from glm_runtime.lora_weights import LoraPair, LoraWeights

_GROWTH = 512  # tokens by which room is made at least


@dataclass(frozen=True, kw_only=True, slots=True)
class GlmShape:
    """The sizes that a config.json must give."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    max_position_embeddings: int

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if type(value) is not int or not 0 < value < 2**31:
                raise ValueError(f"{name} must be a positive integer, not {value!r}")
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError("num_key_value_heads does not divide num_attention_heads")


@dataclass(frozen=True, kw_only=True, slots=True)
class GlmLayer:
    """Weights of one layer; `qkv` and `gate_up` are stacked by rows."""

    norm_D: torch.Tensor
    qkv: torch.Tensor
    qkv_bias: torch.Tensor | None
    out: torch.Tensor
    mlp_norm_D: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class GlmLora:
    """An adapter's addition to one layer, stacked as `GlmLayer`'s weights are."""

    qkv: LoraPair | None = None
    out: LoraPair | None = None
    gate_up: LoraPair | None = None
    down: LoraPair | None = None


NO_LORA = GlmLora()


class GlmStore:
    """keys and values [layers, 2, K, room, S], of which the first `length` tokens count."""

    def __init__(self, model: GlmModel, lora: Sequence[GlmLora]) -> None:
        """`lora`: one for each layer."""
        self._model = model
        self.lora = lora
        self.length = 0
        self.room: torch.Tensor | None = None

    def cut(self, length: int) -> bool:
        self.length = length
        return True

    def clear(self) -> None:
        self.length, self.room = 0, None

    def reserve(self, total: int) -> torch.Tensor:
        """Room for `total` tokens, with the held ones in it."""
        if self.room is None or self.room.shape[3] < total:
            held = 0 if self.room is None else self.room.shape[3]
            larger = self._model.new_room(max(total + _GROWTH, held * 3 // 2))
            if self.room is not None:
                larger[:, :, :, : self.length] = self.room[:, :, :, : self.length]
            self.room = larger
        return self.room


class GlmModel:
    """The weights and the forward."""

    def __init__(
        self,
        shape: GlmShape,
        weights: dict[str, torch.Tensor],
        *,
        epsilon: float,
        rotation_PR: torch.Tensor,
        stop_ids: frozenset[int],
    ) -> None:
        """`weights` by the names of transformers; emptied, so that stacking needs no double."""
        self._shape = shape
        self._epsilon = epsilon
        self._rotation_PR = rotation_PR
        self.vocabulary_size = shape.vocab_size
        self.positions: int | None = shape.max_position_embeddings
        self.stop_ids = stop_ids
        self._embedding_VD = weights.pop("model.embed_tokens.weight")
        self._head_VD = weights.pop("lm_head.weight", self._embedding_VD)
        self._norm_D = weights.pop("model.norm.weight")
        self._layers = [_stack(weights, index) for index in range(shape.num_hidden_layers)]
        assert not weights, f"weights left over: {list(weights)}"

    @property
    def weight_bytes(self) -> int:
        tensors = [self._embedding_VD, self._norm_D]
        tensors += [] if self._head_VD is self._embedding_VD else [self._head_VD]
        for layer in self._layers:
            tensors += [
                tensor for name in layer.__slots__ if (tensor := getattr(layer, name)) is not None
            ]
        return sum(tensor.nbytes for tensor in tensors)

    def new_store(self, lora: LoraWeights | None = None) -> GlmStore:
        if lora is None:
            return GlmStore(self, (NO_LORA,) * len(self._layers))
        lora.check_fits(self._linear_shapes())
        return GlmStore(
            self, [_stack_lora(lora, index, layer) for index, layer in enumerate(self._layers)]
        )

    def _linear_shapes(self) -> dict[str, tuple[int, int]]:
        """[O, I] of every linear layer by the names of transformers."""
        shape, shapes = self._shape, dict[str, tuple[int, int]]()
        keys, hidden = shape.num_key_value_heads * shape.head_dim, shape.hidden_size
        queries = shape.num_attention_heads * shape.head_dim
        for index in range(shape.num_hidden_layers):
            attention, mlp = f"model.layers.{index}.self_attn", f"model.layers.{index}.mlp"
            shapes |= {
                f"{attention}.q_proj": (queries, hidden),
                f"{attention}.k_proj": (keys, hidden),
                f"{attention}.v_proj": (keys, hidden),
                f"{attention}.o_proj": (hidden, queries),
                f"{mlp}.gate_up_proj": (2 * shape.intermediate_size, hidden),
                f"{mlp}.down_proj": (hidden, shape.intermediate_size),
            }
        return shapes

    def new_room(self, tokens: int) -> torch.Tensor:
        shape = self._shape
        return self._norm_D.new_empty(
            (shape.num_hidden_layers, 2, shape.num_key_value_heads, tokens, shape.head_dim)
        )

    def use_threads(self, count: int) -> None:
        torch.set_num_threads(count)

    def move(self, device: torch.device, dtype: torch.dtype) -> None:
        """Nothing is known to need it: this code runs where it was loaded, on the CPU."""
        raise NotImplementedError(f"GlmModel stays on the CPU, asked for {device} {dtype}")

    @torch.inference_mode()
    def forward(self, tokens: Sequence[int], store: KVStore) -> torch.Tensor:
        assert isinstance(store, GlmStore)
        begin, end = store.length, store.length + len(tokens)
        room = store.reserve(end)
        x_ND = self._embedding_VD[torch.tensor(tokens)]
        rotation_N1R = self._rotation_PR[begin:end, None]
        mask = self._mask(begin, end)
        for layer, lora, kv in zip(self._layers, store.lora, room.unbind(), strict=True):
            x_ND = x_ND + self._attend(layer, lora, x_ND, kv, begin, rotation_N1R, mask)
            h_ND = rms_norm(x_ND, layer.mlp_norm_D.shape, layer.mlp_norm_D, self._epsilon)
            gate_NF, up_NF = _linear(h_ND, layer.gate_up, lora.gate_up).chunk(2, dim=-1)
            x_ND = x_ND + _linear(silu(gate_NF).mul_(up_NF), layer.down, lora.down)
        store.length = end
        last_D = rms_norm(x_ND[-1], self._norm_D.shape, self._norm_D, self._epsilon)
        return linear(last_D, self._head_VD)

    def _mask(self, begin: int, end: int) -> torch.Tensor | None:
        """[G * N, T], added to scores: a query sees what is held and new tokens up to its own."""
        new = end - begin
        if new == 1:
            return None
        mask_NT = self._norm_D.new_full((new, end), -torch.inf).triu_(begin + 1)
        return mask_NT.repeat(self._shape.num_attention_heads // self._shape.num_key_value_heads, 1)

    def _attend(
        self,
        layer: GlmLayer,
        lora: GlmLora,
        x_ND: torch.Tensor,
        kv: torch.Tensor,
        begin: int,
        rotation_N1R: torch.Tensor,
        mask: torch.Tensor | None,
    ) -> torch.Tensor:
        """Attention's addition to the stream; writes new keys and values into `kv` [2, K, T, S]."""
        shape, new = self._shape, len(x_ND)
        heads, keys, size = shape.num_attention_heads, shape.num_key_value_heads, shape.head_dim
        end = begin + new
        h_ND = rms_norm(x_ND, layer.norm_D.shape, layer.norm_D, self._epsilon)
        qkv_NF = _linear(h_ND, layer.qkv, lora.qkv, layer.qkv_bias)
        qkv_NHS = qkv_NF.view(new, heads + 2 * keys, size)
        _rotate(qkv_NHS[:, : heads + keys], rotation_N1R)
        kv[:, :, begin:end] = qkv_NHS[:, heads:].view(new, 2, keys, size).permute(1, 2, 0, 3)
        # Query heads j of one key head j // G stand together: [K, G * N, S].
        q_NKGS = qkv_NHS[:, :heads].view(new, keys, heads // keys, size)
        q = q_NKGS.permute(1, 2, 0, 3).reshape(1, keys, -1, size)
        answer = scaled_dot_product_attention(q, kv[:1, :, :end], kv[1:, :, :end], mask)
        y_NKGS = answer.view(keys, heads // keys, new, size).permute(2, 0, 1, 3)
        return _linear(y_NKGS.reshape(new, heads * size), layer.out, lora.out)


def _linear(
    x: torch.Tensor,
    weight_OI: torch.Tensor,
    lora: LoraPair | None,
    bias_O: torch.Tensor | None = None,
) -> torch.Tensor:
    y = linear(x, weight_OI, bias_O)
    return y if lora is None else lora.add_to(y, x)


def _rotate(x_NHS: torch.Tensor, rotation_N1R: torch.Tensor) -> None:
    """Rotate the first pairs of each head in place, in float32: a pair is a complex number."""
    rotated = x_NHS[..., : 2 * rotation_N1R.shape[-1]]
    pairs = torch.view_as_complex(rotated.float().view(*rotated.shape[:-1], -1, 2))
    rotated.copy_(torch.view_as_real(pairs * rotation_N1R).flatten(-2))


def _stack(weights: dict[str, torch.Tensor], index: int) -> GlmLayer:
    """Take the weights of one layer out of `weights`."""

    def take(name: str) -> torch.Tensor:
        return weights.pop(f"model.layers.{index}.{name}")

    qkv = torch.cat([take(f"self_attn.{name}_proj.weight") for name in "qkv"])
    has_bias = f"model.layers.{index}.self_attn.q_proj.bias" in weights
    return GlmLayer(
        norm_D=take("input_layernorm.weight"),
        qkv=qkv,
        qkv_bias=(
            torch.cat([take(f"self_attn.{name}_proj.bias") for name in "qkv"]) if has_bias else None
        ),
        out=take("self_attn.o_proj.weight"),
        mlp_norm_D=take("post_attention_layernorm.weight"),
        gate_up=take("mlp.gate_up_proj.weight"),
        down=take("mlp.down_proj.weight"),
    )


def _stack_lora(lora: LoraWeights, index: int, layer: GlmLayer) -> GlmLora:
    """One layer's pairs; those of q, k and v become one, its B zero where they do not meet."""

    def pair(name: str) -> LoraPair | None:
        return lora.pairs.get(f"model.layers.{index}.{name}")

    parts = [pair(f"self_attn.{name}_proj") for name in "qkv"]
    qkv = None
    if found := [part for part in parts if part is not None]:
        keys = (layer.qkv.shape[0] - layer.out.shape[1]) // 2
        rows = (layer.out.shape[1], keys, keys)
        blocks = [
            part.b_OR if part is not None else layer.qkv.new_zeros((count, 0))
            for part, count in zip(parts, rows, strict=True)
        ]
        qkv = LoraPair(
            a_RI=torch.cat([part.a_RI for part in found]),
            b_OR=_block_diagonal(blocks),
        )
    return GlmLora(
        qkv=qkv,
        out=pair("self_attn.o_proj"),
        gate_up=pair("mlp.gate_up_proj"),
        down=pair("mlp.down_proj"),
    )


def _block_diagonal(blocks: Sequence[torch.Tensor]) -> torch.Tensor:
    """`blocks` [O_i, R_i] along the diagonal of [sum O, sum R], zero elsewhere."""
    rows, columns = (sum(block.shape[side] for block in blocks) for side in (0, 1))
    whole = blocks[0].new_zeros((rows, columns))
    row = column = 0
    for block in blocks:
        whole[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return whole
