"""What `generate` must know of image slots: positions, and that images go in once.

Every generated token is text; its position is one more than the last, which is not the length
of the cache, because the patches of an image share a position.

Shapes: B rows, F tokens of the whole history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from transformers import GenerationMixin

from glm_vision.models.expert_route import position_ids


def positions_of(types_BF: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
    """Positions of a whole history (B, F); a prepared 4-D mask says nothing of padding."""
    flat = attention_mask if attention_mask is not None and attention_mask.ndim == 2 else None
    return position_ids(types_BF, flat)


class ImageGeneration(GenerationMixin):
    """For models whose forward takes `images` and `token_type_ids` (1 on image slots)."""

    config: Any
    picture_inputs: ClassVar[tuple[str, ...]] = ("images",)  # arguments: one list a row

    if TYPE_CHECKING:  # transformers types `self` by a protocol that its own models do not meet

        def generate(self, *args: Any, **kwargs: Any) -> Any: ...

    def _prepare_position_ids_for_generation(
        self, inputs_tensor: torch.Tensor, model_kwargs: dict[str, Any]
    ) -> torch.Tensor:
        """Positions of the prompt by the image rule; each later token adds one."""
        ids_BF = model_kwargs.get("input_ids", inputs_tensor)
        types_BF = model_kwargs.get("token_type_ids")
        if types_BF is None:
            types_BF = torch.zeros(ids_BF.shape[:2], dtype=torch.long, device=ids_BF.device)
        attention_BF = model_kwargs.get("attention_mask")
        if attention_BF is not None and bool((attention_BF[:, -1] == 0).any()):
            raise ValueError("Rows end in padding; pad on the left to generate.")
        return positions_of(types_BF, attention_BF)

    def _prepare_attention_mask_for_generation(
        self, inputs_tensor: torch.Tensor, _: Any, model_kwargs: dict[str, Any]
    ) -> Any:
        """Where no mask is given: only padding before the first real token is padding.

        transformers masks the padding id wherever it stands; image slots hold that id too, and
        CogVLM's is also that of an unknown word.
        """
        ids_BF = model_kwargs.get("input_ids", inputs_tensor)
        types_BF = model_kwargs.get("token_type_ids")
        if ids_BF.ndim != 2 or self.config.pad_token_id is None:
            return torch.ones(ids_BF.shape[:2], dtype=torch.long, device=ids_BF.device)
        real_BF = ids_BF != self.config.pad_token_id
        if types_BF is not None and types_BF.shape == ids_BF.shape:
            real_BF = real_BF | (types_BF == 1)
        return (real_BF.long().cumsum(dim=1) > 0).long()

    def prepare_inputs_for_generation(
        self, input_ids: torch.Tensor, *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        """Images go in with the prompt only."""
        pictures = {name: kwargs.pop(name, None) for name in self.picture_inputs}
        prepare: Any = GenerationMixin.prepare_inputs_for_generation
        inputs: dict[str, Any] = prepare(self, input_ids, *args, **kwargs)
        if kwargs.get("is_first_iteration") or not kwargs.get("use_cache", True):
            inputs |= pictures
        return inputs

    def _update_model_kwargs_for_generation(
        self, outputs: Any, model_kwargs: dict[str, Any], *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        """New tokens are text, whatever the prompt ended with."""
        before = model_kwargs.get("token_type_ids")
        updated: dict[str, Any] = super()._update_model_kwargs_for_generation(
            outputs, model_kwargs, *args, **kwargs
        )
        if before is not None:
            updated["token_type_ids"][:, before.shape[1] :] = 0
        return updated

    def _expand_inputs_for_generation(
        self, expand_size: int = 1, *args: Any, **kwargs: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Beams and several answers repeat a row's images too."""
        pictures = {name: kwargs.pop(name, None) for name in self.picture_inputs}
        expand: Any = GenerationMixin._expand_inputs_for_generation
        ids, expanded = expand(self, expand_size, *args, **kwargs)
        for name, rows in pictures.items():
            if rows is not None:
                expanded[name] = [row for row in rows for _ in range(expand_size)]
        return ids, expanded
