"""Any causal language model of transformers behind `CausalModel`.

Architectures come from the installed transformers and from what our own families registered
with its Auto classes; nothing of the model's folder is run.
transformers takes seconds to import, so this module is imported only when a model needs it.

Legend: B batch (1), H heads, T tokens held, N new tokens, D head size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING
from transformers.utils import logging

from glm_protocol.errors import ModelUnusable
from glm_runtime.checkpoint import Checkpoint
from glm_runtime.device import Placement
from glm_runtime.lora_weights import LoraPair, LoraWeights
from glm_runtime.quantized_linear import QuantizedLinear, replace_linear
from glm_runtime.quantized_weight import QuantizedWeight

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from glm_runtime.causal_model import KVStore

_GROWTH = 512  # tokens by which room is made at least
# What a configuration or a model class raises on values that make no sense together.
_NONSENSE = (
    *(ValueError, TypeError, RuntimeError, KeyError, AttributeError, AssertionError),
    *(ArithmeticError, ImportError, StrictDataclassError),
)


class GrowingLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A full-attention layer that writes into room made beforehand.

    transformers' own layer copies every key and value with each new token.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.room_keys: torch.Tensor | None = None
        self.room_values: torch.Tensor | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: object, **__: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys_BHND and values_BHND; returns views of all T + N."""
        held = self.get_seq_length()
        total = held + key_states.shape[-2]
        self.room_keys = _room(self.room_keys, key_states, held, total)
        self.room_values = _room(self.room_values, value_states, held, total)
        self.room_keys[:, :, held:total] = key_states
        self.room_values[:, :, held:total] = value_states
        self.keys = self.room_keys[:, :, :total]
        self.values = self.room_values[:, :, :total]
        self.dtype, self.device, self.is_initialized = key_states.dtype, key_states.device, True
        return self.keys, self.values


def _room(
    room: torch.Tensor | None, states_BHND: torch.Tensor, held: int, total: int
) -> torch.Tensor:
    """A buffer of at least `total` tokens that begins with the `held` ones of `room`."""
    if room is not None and room.shape[-2] >= total:
        return room
    batch, heads, _, size = states_BHND.shape
    tokens = max(total + _GROWTH, 0 if room is None else room.shape[-2] * 3 // 2)
    larger = states_BHND.new_empty((batch, heads, tokens, size))
    if room is not None:
        larger[:, :, :held] = room[:, :, :held]
    return larger


class TransformersStore:
    """transformers' cache. Sliding windows and recurrent states cannot be cut back."""

    def __init__(self, config: PreTrainedConfig, lora: LoraWeights | None = None) -> None:
        self._config = config
        self.lora = lora
        self.cache: Cache = self._new()

    def cut(self, length: int) -> bool:
        if not all(type(layer) is GrowingLayer for layer in self.cache.layers):
            return False
        self.cache.crop(length - self.cache.get_seq_length())
        return True

    def clear(self) -> None:
        self.cache = self._new()

    def _new(self) -> Cache:
        cache = DynamicCache(config=self._config)
        cache.layers = [
            GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers
        ]
        return cache


class TransformersModel:
    """A model of transformers on a device."""

    def __init__(self, model: Any, device: torch.device) -> None:
        self.model = model
        self._device = device
        self.vocabulary_size = int(model.get_input_embeddings().num_embeddings)
        self.positions: int | None = getattr(model.config, "max_position_embeddings", None)
        ids = model.config.eos_token_id
        self.stop_ids = frozenset(ids if isinstance(ids, list) else [] if ids is None else [ids])

    @property
    def weight_bytes(self) -> int:
        tensors = (*self.model.parameters(), *self.model.buffers())
        return sum(tensor.nbytes for tensor in tensors)

    def new_store(self, lora: LoraWeights | None = None) -> TransformersStore:
        if lora is not None:
            lora.check_fits(
                {
                    name: (int(module.out_features), int(module.in_features))
                    for name, module in self.model.named_modules()
                    if isinstance(module, torch.nn.Linear | QuantizedLinear)
                }
            )
        return TransformersStore(self.model.config, lora)

    @torch.inference_mode()
    def forward(self, tokens: Sequence[int], store: KVStore) -> torch.Tensor:
        assert isinstance(store, TransformersStore)
        ids_BN = torch.tensor([tokens], device=self._device)
        with _added(self.model, store.lora):
            answer = self.model(
                input_ids=ids_BN, past_key_values=store.cache, use_cache=True, logits_to_keep=1
            )
        logits_V: torch.Tensor = answer.logits[0, -1]
        return logits_V

    def use_threads(self, count: int) -> None:
        torch.set_num_threads(count)

    def move(self, device: torch.device, dtype: torch.dtype) -> None:
        self.model.to(device, dtype)
        self._device = device


@contextmanager
def _added(model: torch.nn.Module, lora: LoraWeights | None) -> Iterator[None]:
    """Add an adapter's part to its layers within the block; nothing stays, whatever happens.

    peft's own switch by request leaves its hooks behind when a forward raises, and the next
    plain request is then answered with the former one's adapter (measured, peft 0.21.2).
    """
    with ExitStack() as hooks:
        for layer, pair in () if lora is None else lora.pairs.items():
            handle = model.get_submodule(layer).register_forward_hook(_adder(pair))
            hooks.callback(handle.remove)
        yield


def _adder(pair: LoraPair) -> Callable[..., torch.Tensor]:
    def add(_: object, inputs: tuple[torch.Tensor], y: torch.Tensor) -> torch.Tensor:
        return pair.add_to(y, inputs[0])

    return add


def load_transformers_model(
    checkpoint: Checkpoint, placement: Placement, *, packed: bool
) -> tuple[TransformersModel, tuple[str, ...]]:
    """(model, notes). `packed`: quantised linear layers stay so. Raises ModelUnusable."""
    _silence()
    model_class, config, notes = _build_config(checkpoint)
    state, kept = _state(checkpoint, placement.dtype, packed=packed)
    try:
        model, report = model_class.from_pretrained(
            None,
            config=config,
            state_dict=state,
            dtype=placement.dtype,
            output_loading_info=True,
            local_files_only=True,
        )
    except _NONSENSE as error:
        raise ModelUnusable(
            f"The weights in {checkpoint.folder} do not fit their config.json ({_brief(error)})."
        ) from error
    checkpoint.compare_names(missing=report["missing_keys"], unexpected=report["unexpected_keys"])
    for name, weight in kept.items():
        replace_linear(model, name, weight)
    model.requires_grad_(False)
    model = model.eval().to(placement.device)
    return TransformersModel(model, placement.device), notes


def _silence() -> None:
    """Warnings and progress bars; what went wrong is read from the loading report."""
    for silence in (logging.set_verbosity_error, logging.disable_progress_bar):
        call: Any = silence  # untyped
        call()


def _build_config(checkpoint: Checkpoint) -> tuple[Any, PreTrainedConfig, tuple[str, ...]]:
    """(class of the model, its configuration, notes)."""
    raw = checkpoint.config
    model_class = _causal_class(raw.model_type, raw.architecture)
    if model_class is None:
        raise ModelUnusable(
            f"{checkpoint.folder} is a {raw.architecture} ({raw.model_type}), which transformers"
            f" {transformers.__version__} does not know as a causal language model.",
            remedy="Choose a model of a supported architecture.",
        )
    try:
        config_class: Any = CONFIG_MAPPING[raw.model_type]
        kept, left_out = raw.allowed(_declared_fields(config_class))
        config = config_class(**kept)
    except _NONSENSE as error:
        raise ModelUnusable(
            f"{checkpoint.folder}/config.json makes no sense ({_brief(error)})."
        ) from error
    notes = (f"config keys left out: {', '.join(left_out)[:200]}",) if left_out else ()
    return model_class, config, notes


def _causal_class(model_type: str, architecture: str) -> Any:
    """The class of transformers, or one that a family of ours registered; None for neither."""
    if model_type not in CONFIG_MAPPING:
        return None
    config_class: Any = CONFIG_MAPPING[model_type]
    found = MODEL_FOR_CAUSAL_LM_MAPPING.get(config_class, None)
    classes = found if isinstance(found, tuple) else (found,)
    return next((one for one in classes if one and one.__name__ == architecture), None)


def _declared_fields(config_class: Any) -> set[str]:
    return {field.name for field in fields(config_class)} | set(config_class.attribute_map)


def _state(
    checkpoint: Checkpoint, dtype: torch.dtype, *, packed: bool
) -> tuple[dict[str, torch.Tensor], dict[str, QuantizedWeight]]:
    """(float tensors by name, weights that stay packed).

    A packed weight leaves a placeholder of its shape without memory behind. Embeddings and an
    output layer tied to them are looked up by row, so they are dequantised.
    """
    state: dict[str, torch.Tensor] = {}
    kept: dict[str, QuantizedWeight] = {}
    for name, weight in checkpoint.weights():
        if isinstance(weight, torch.Tensor):
            state[name] = weight
        elif packed and name.endswith("_proj.weight"):
            kept[name] = weight
            state[name] = torch.zeros((), dtype=dtype).expand(weight.shape)
        else:
            state[name] = weight.dequantize(dtype)
    return state, kept


def _brief(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"
