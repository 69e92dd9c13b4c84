"""`config.json` of a picture model: read, bounded, and asked for fields of a known type.

Fields that nothing asks for are left alone: official files say much that is not needed here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glm_protocol.errors import ModelUnusable

MAX_CONFIG_BYTES = 1 << 20
MAX_SIZE = 1 << 24  # no count or width is larger
_REMEDY = "Correct config.json, or fetch the model's folder again."


class ConfigFile:
    """One JSON object and where it came from, for messages."""

    def __init__(self, fields: Mapping[str, Any], name: str) -> None:
        self._fields = fields
        self.name = name

    def __contains__(self, field: str) -> bool:
        return field in self._fields

    def integer(self, field: str, default: int | None = None, *, least: int = 1) -> int:
        """Raises ModelUnusable unless an integer of least..MAX_SIZE."""
        value = self._value(field, default)
        if type(value) is not int or not least <= value <= MAX_SIZE:
            raise self.wrong(field, f"an integer from {least} up")
        return value

    def number(self, field: str, default: float) -> float:
        value = self._value(field, default)
        if type(value) not in (int, float) or not 0 < value < 1:
            raise self.wrong(field, "a number between 0 and 1")
        return float(value)

    def flag(self, field: str, default: bool) -> bool:
        value = self._value(field, default)
        if type(value) is not bool:
            raise self.wrong(field, "true or false")
        return value

    def text(self, field: str) -> str:
        value = self._value(field, None)
        if type(value) is not str:
            raise self.wrong(field, "a text")
        return value

    def integers(self, field: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        value = self._value(field, None if default is None else list(default))
        if not isinstance(value, list) or not value or len(value) > 64:
            raise self.wrong(field, "a short list of integers")
        if any(type(item) is not int or not 1 <= item <= MAX_SIZE for item in value):
            raise self.wrong(field, "a short list of positive integers")
        return tuple(value)

    def part(self, field: str) -> ConfigFile:
        """A nested object."""
        return ConfigFile(_object(self._value(field, None), self, field), self.name)

    def parts(self, field: str) -> list[ConfigFile]:
        value = self._value(field, None)
        if not isinstance(value, list):
            raise self.wrong(field, "a list of objects")
        return [ConfigFile(_object(item, self, field), self.name) for item in value]

    def wrong(self, field: str, wanted: str) -> ModelUnusable:
        given = repr(self._fields.get(field))[:60]
        return ModelUnusable(f"{self.name}: {field} is {given}, not {wanted}.", remedy=_REMEDY)

    def _value(self, field: str, default: Any) -> Any:
        value = self._fields.get(field, default)
        if value is None:
            raise ModelUnusable(f"{self.name} does not say {field}.", remedy=_REMEDY)
        return value


def read_config_file(file: Path) -> ConfigFile:
    """Raises ModelUnusable unless the file is a JSON object of at most 1 MB."""
    try:
        if file.stat().st_size > MAX_CONFIG_BYTES:
            raise ModelUnusable(f"{file} is larger than 1 MB.", remedy=_REMEDY)
        fields = json.loads(file.read_bytes())
    except OSError as error:
        raise ModelUnusable(f"{file} cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise ModelUnusable(f"{file} is not valid JSON.", remedy=_REMEDY) from error
    if not isinstance(fields, dict):
        raise ModelUnusable(f"{file} is not a JSON object.", remedy=_REMEDY)
    return ConfigFile(fields, str(file))


def _object(value: Any, config: ConfigFile, field: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise config.wrong(field, "an object")
    return value
