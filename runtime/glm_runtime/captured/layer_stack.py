"""The forward of a Llama-like model over rows of one width, on a static cache. Fixed shapes only.

Every branch depends on shapes and the architecture, never on values, so that it can be recorded.

Legend: B rows, N tokens of each, T positions looked at, D hidden, H query heads, K key heads,
G = H / K, S head size, R rotated pairs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch.nn.functional import rms_norm, scaled_dot_product_attention, silu

from glm_runtime.captured.device_linear import DeviceLinear
from glm_runtime.captured.static_cache import StaticCache
from glm_runtime.lora_weights import LoraPair
from glm_runtime.native.native_shape import NativeShape

Pairs = Mapping[str, LoraPair]  # of one adapter, by the layer's name
NO_PAIRS: Pairs = {}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DeviceLayer:
    """`qkv` and `gate_up` are stacked by rows; `norms` by the names of the weights."""

    qkv: DeviceLinear
    out: DeviceLinear
    gate_up: DeviceLinear
    down: DeviceLinear
    norms: Mapping[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rows:
    """Where N tokens of each of B rows go, and what they look at."""

    ids_BN: torch.Tensor
    positions_BN: torch.Tensor
    slots_B: torch.Tensor
    span: int  # positions looked at, from the first


class LayerStack:
    """Weights and arithmetic."""

    def __init__(
        self,
        shape: NativeShape,
        layers: list[DeviceLayer],
        *,
        embedding_VD: torch.Tensor,
        head: DeviceLinear,
        norm_D: torch.Tensor,
    ) -> None:
        self.shape = shape
        self.layers = layers
        self.embedding_VD = embedding_VD
        self.head = head
        self.norm_D = norm_D
        self._frequency_R = torch.from_numpy(shape.frequency).to(embedding_VD.device)

    def hidden(self, rows: Rows, cache: StaticCache, pairs: Pairs = NO_PAIRS) -> torch.Tensor:
        """x_BND after the last norm; keys and values are written into `cache`."""
        shape = self.shape
        x_BND = self.embedding_VD[rows.ids_BN] * shape.embedding_scale
        angle_BN1R = (rows.positions_BN[..., None].float() * self._frequency_R)[:, :, None]
        turn = (angle_BN1R.cos(), angle_BN1R.sin())
        masks: dict[int, torch.Tensor] = {}
        for number, layer in enumerate(self.layers):
            window = shape.windows[number]
            if window not in masks:
                masks[window] = self._mask(rows, window)
            name = f"model.layers.{number}."
            h_BND = self._normed(x_BND, layer.norms["input_layernorm"])
            h_BND = self._attend(layer, h_BND, rows, cache, number, turn, masks[window], pairs)
            x_BND = x_BND + self._post(h_BND, layer, 0) * shape.residual_scale
            h_BND = self._normed(x_BND, layer.norms["post_attention_layernorm"])
            gate_up = layer.gate_up(h_BND)
            if pairs:
                gate_up = self._added_gate_up(gate_up, h_BND, f"{name}mlp.", pairs)
            gate, up = gate_up.chunk(2, dim=-1)
            gated = silu(gate) * up
            h_BND = _added(layer.down(gated), gated, pairs.get(f"{name}mlp.down_proj"))
            x_BND = x_BND + self._post(h_BND, layer, 1) * shape.residual_scale
        return self._normed(x_BND, self.norm_D)

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x).float() * self.shape.logit_scale

    def _normed(self, x: torch.Tensor, weight_D: torch.Tensor) -> torch.Tensor:
        return rms_norm(x, weight_D.shape, weight_D, self.shape.epsilon)

    def _post(self, x: torch.Tensor, layer: DeviceLayer, place: int) -> torch.Tensor:
        names = self.shape.family.post_norms
        return x if names is None else self._normed(x, layer.norms[names[place]])

    def _mask(self, rows: Rows, window: int) -> torch.Tensor:
        """[B, 1, G * N, T]: a query sees positions up to its own, within the window."""
        place_T = torch.arange(rows.span, device=rows.positions_BN.device)
        own_BN1 = rows.positions_BN[..., None]
        seen_BNT = place_T <= own_BN1
        if window:
            seen_BNT = seen_BNT & (place_T > own_BN1 - window)
        group = self.shape.heads // self.shape.key_heads
        return seen_BNT.repeat(1, group, 1)[:, None]

    def _attend(
        self,
        layer: DeviceLayer,
        h_BND: torch.Tensor,
        rows: Rows,
        cache: StaticCache,
        number: int,
        turn: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor,
        pairs: Pairs,
    ) -> torch.Tensor:
        shape = self.shape
        heads, key_heads, size = shape.heads, shape.key_heads, shape.head_size
        batch, new = rows.ids_BN.shape
        name = f"model.layers.{number}.self_attn."
        counts = [heads * size, key_heads * size, key_heads * size]
        parts = torch.split(layer.qkv(h_BND), counts, dim=-1)
        q, k, v = (
            _added(part, h_BND, pairs.get(f"{name}{one}_proj")).view(batch, new, -1, size)
            for one, part in zip("qkv", parts, strict=True)
        )
        if shape.family.head_norm:
            q, k = self._normed(q, layer.norms["q_norm"]), self._normed(k, layer.norms["k_norm"])
        if shape.rotated[number]:
            q, k = self._rotated(q, turn), self._rotated(k, turn)
        keys, values = cache.keys[number], cache.values[number]
        keys[rows.slots_B[:, None], :, rows.positions_BN] = k.to(keys.dtype)
        values[rows.slots_B[:, None], :, rows.positions_BN] = v.to(values.dtype)
        held_k = keys[:, :, : rows.span].index_select(0, rows.slots_B)
        held_v = values[:, :, : rows.span].index_select(0, rows.slots_B)
        # Query heads of one key head stand together: [B, K, G * N, S].
        q = q.view(batch, new, key_heads, -1, size).permute(0, 2, 3, 1, 4)
        group = q.shape[2]
        answer = scaled_dot_product_attention(
            q.reshape(batch, key_heads, group * new, size), held_k, held_v, mask,
            scale=shape.attention_scale,
        )  # fmt: skip
        answer = answer.view(batch, key_heads, group, new, size).permute(0, 3, 1, 2, 4)
        flat = answer.reshape(batch, new, heads * size)
        return _added(layer.out(flat), flat, pairs.get(f"{name}o_proj"))

    def _rotated(
        self, x_BNHS: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        cosine, sine = turn
        width = self.shape.rotary
        head = x_BNHS[..., :width].float()
        if self.shape.family.interleaved:
            first, second = head[..., 0::2], head[..., 1::2]
        else:
            first, second = head.chunk(2, dim=-1)
        turned = (first * cosine - second * sine, second * cosine + first * sine)
        if self.shape.family.interleaved:
            head = torch.stack(turned, dim=-1).flatten(-2)
        else:
            head = torch.cat(turned, dim=-1)
        return torch.cat([head.to(x_BNHS.dtype), x_BNHS[..., width:]], dim=-1)

    def _added_gate_up(
        self, y: torch.Tensor, x: torch.Tensor, name: str, pairs: Pairs
    ) -> torch.Tensor:
        if (fused := pairs.get(f"{name}gate_up_proj")) is not None:
            return fused.add_to(y, x)
        gate, up = y.chunk(2, dim=-1)
        both = (pairs.get(f"{name}gate_proj"), pairs.get(f"{name}up_proj"))
        return torch.cat([_added(gate, x, both[0]), _added(up, x, both[1])], dim=-1)


def _added(y: torch.Tensor, x: torch.Tensor, pair: LoraPair | None) -> torch.Tensor:
    return y if pair is None else pair.add_to(y, x)
