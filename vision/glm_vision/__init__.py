"""Vision models of glm-lsp: pictures taken in safely, models that read them, boxes they name.

`load_model` is imported on first use, so that the image intake can be used by a process that
never loads torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glm_vision.model_folder import load_model

__all__ = ["load_model"]


def __getattr__(name: str) -> Any:
    if name == "load_model":
        from glm_vision.model_folder import load_model

        return load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
