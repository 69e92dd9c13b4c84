"""Numbers that shapes do not tell, read from beside the weights: heads, eps, ids of tokens.

They stand in `config.json`, or in the `config` object of `meta.json`. Which names a family uses
is the family's business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glm_protocol.errors import ModelUnusable


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedConfig:
    """`values` is empty where neither file is there; `file` is for messages."""

    file: str
    values: Mapping[str, Any]

    def first(self, *names: str) -> Any:
        """The first of these names that is given; None where none is."""
        return next((self.values[n] for n in names if self.values.get(n) is not None), None)

    def integer(self, *names: str) -> int | None:
        """Raises ModelUnusable for anything but a positive integer."""
        value = self.first(*names)
        if value is not None and (type(value) is not int or value < 1):
            raise ModelUnusable(f"{self.file}: {names[0]} must be a positive integer: {value!r}.")
        return value

    def number(self, *names: str) -> float | None:
        """Raises ModelUnusable for anything but a positive number."""
        value = self.first(*names)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise ModelUnusable(f"{self.file}: {names[0]} must be a positive number: {value!r}.")
        return float(value)

    def token_ids(self, *names: str) -> int | list[int] | None:
        """One id or a list of ids. Raises ModelUnusable for anything else."""
        value = self.first(*names)
        ids = value if isinstance(value, list) else [value]
        if value is not None and (not ids or any(type(i) is not int or i < 0 for i in ids)):
            raise ModelUnusable(f"{self.file}: {names[0]} must hold ids of tokens: {value!r}.")
        return value  # type: ignore[no-any-return]

    def lacking(self, **found: object) -> ModelUnusable:
        """The error that names the numbers that are None."""
        names = ", ".join(name for name, value in found.items() if value is None)
        return ModelUnusable(
            f"{self.file} does not say {names}, which the shapes of the weights do not tell.",
            remedy="Put the model's own config.json beside the weights.",
        )


def read_published_config(folder: Path) -> PublishedConfig:
    """Raises ModelUnusable where a file is there but holds no JSON object."""
    for name, key in (("config.json", None), ("meta.json", "config")):
        file = folder / name
        if not file.is_file():
            continue
        try:
            values = json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise ModelUnusable(f"{file} is not valid JSON.") from error
        if not isinstance(values, dict):
            raise ModelUnusable(f"{file} does not hold a JSON object.")
        values = values if key is None else values.get(key)
        if isinstance(values, dict):
            return PublishedConfig(file=str(file), values=values)
    return PublishedConfig(file=f"config.json (not found in {folder})", values={})
