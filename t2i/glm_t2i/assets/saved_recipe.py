"""The request inside a picture's metadata, to make it again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import UnidentifiedImageError

from glm_protocol.errors import BadRequest
from glm_t2i.png_file import picture_from_bytes, recipe_of

_MAX_FILE = 64 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class SavedRecipe:
    """What decided the picture."""

    prompt: str
    seed: int
    model: str
    width: int
    height: int
    transparent: bool
    temperature: float
    options: dict[str, str] = field(default_factory=dict)


def read_recipe(file: Path) -> SavedRecipe:
    """Raises BadRequest where a file has none, or one that was drawn into another picture."""
    try:
        if file.stat().st_size > _MAX_FILE:
            raise BadRequest(f"{file} is too large to be a picture of ours.")
        recipe = recipe_of(picture_from_bytes(file.read_bytes(), "picture"))
    except (OSError, UnidentifiedImageError) as error:
        raise BadRequest(f"{file} cannot be read.") from error
    if recipe is None:
        raise BadRequest(
            f"{file} does not say how it was made.",
            remedy="Only PNG and WebP files drawn by glm-lsp do.",
        )
    if recipe.get("changed"):
        raise BadRequest(f"{file} was drawn into another picture and cannot be made from words.")
    try:
        return _checked(recipe)
    except (KeyError, TypeError, ValueError) as error:
        raise BadRequest(f"The recipe inside {file} is damaged.") from error


def _checked(recipe: dict[str, Any]) -> SavedRecipe:
    return SavedRecipe(
        prompt=str(recipe["prompt"]),
        seed=int(recipe["seed"]),
        model=str(recipe["model"]),
        width=int(recipe["width"]),
        height=int(recipe["height"]),
        transparent=bool(recipe["transparent"]),
        temperature=float(recipe["temperature"]),
        options={str(key): str(value) for key, value in recipe["options"].items()},
    )
