"""`config.json` of a model folder, taken by an allow-list.

A config may ask transformers for code of its own (`auto_map`), for attention kernels off a hub
(`_attn_implementation_internal`, `kernels`), for other files. Such keys are refused wherever
they stand. Of the rest only the fields that the architecture's own configuration class declares
get through; what is left out is told as a note. Nothing is imported from the model's folder.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glm_protocol.errors import ModelUnusable
from glm_runtime.quantization_scheme import CONFIG_KEY, QuantizationScheme

MAX_CONFIG_BYTES = 1 << 20
TRAINED_LENGTH_KEY = "glm_trained_length"  # tokens a model was really trained at

REFUSED = {
    "auto_map": "asks to run Python code that comes with the model",
    "trust_remote_code": "asks to run Python code that comes with the model",
    "custom_pipelines": "asks to run Python code that comes with the model",
    "_attn_implementation_internal": "asks for an attention kernel to be downloaded and run",
    "_experts_implementation_internal": "asks for an expert kernel to be downloaded and run",
    "attn_implementation": "chooses an attention kernel, which is not a model's to choose",
    "_attn_implementation": "chooses an attention kernel, which is not a model's to choose",
    "experts_implementation": "chooses an expert kernel, which is not a model's to choose",
    "_experts_implementation": "chooses an expert kernel, which is not a model's to choose",
    "kernels": "asks for kernels to be downloaded and run",
    "kernel_config": "asks for kernels to be downloaded and run",
    "use_kernels": "asks for kernels to be downloaded and run",
    "fusion_config": "asks for layers to be replaced",
    "distributed_config": "asks for more than one process",
    "transformers_weights": "names another weights file",
    "quantization_config": "is quantised by a method that this version cannot read",
    "adapter_config": "is an adapter, not a whole model",
}
# Old spellings that configuration classes read without declaring them.
LEGACY = frozenset(
    {"torch_dtype", "rope_theta", "rope_scaling", "rope_parameters", "partial_rotary_factor"}
)
_OURS = "glm_"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """What a folder's config.json says, still plain values; `fields` passed the refusals."""

    model_type: str
    architecture: str
    fields: Mapping[str, Any]
    scheme: QuantizationScheme | None  # None: weights are floats
    trained_length: int | None

    def allowed(self, declared: Collection[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """(fields that the configuration class declares, names that were left out)."""
        known = LEGACY | set(declared)
        kept = {key: value for key, value in self.fields.items() if key in known}
        return kept, tuple(sorted(set(self.fields) - known))


def read_fields(folder: Path) -> dict[str, Any]:
    """config.json as it is, nothing judged. Raises ModelUnusable."""
    file = folder / "config.json"
    try:
        if file.stat().st_size > MAX_CONFIG_BYTES:
            raise ModelUnusable(f"{file} is larger than 1 MB.")
        raw = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise ModelUnusable(f"There is no config.json in {folder}.") from None
    except OSError as error:
        raise ModelUnusable(f"{file} cannot be read ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise ModelUnusable(f"{file} is not valid JSON.") from error
    if not isinstance(raw, dict):
        raise ModelUnusable(f"{file} does not hold a JSON object.")
    return raw


def read_config(folder: Path) -> ModelConfig:
    """Raises ModelUnusable, naming the key and the reason."""
    file = folder / "config.json"
    raw = read_fields(folder)
    _refuse_dangerous(raw, file)
    model_type, architectures = raw.get("model_type"), raw.get("architectures")
    if not isinstance(model_type, str) or not model_type:
        raise ModelUnusable(f"{file} does not say its model_type.")
    if not (isinstance(architectures, list) and len(architectures) == 1):
        raise ModelUnusable(f"{file} must name one architecture, not {architectures!r}.")
    private = {"model_type", "architectures", "transformers_version", "_name_or_path"}
    return ModelConfig(
        model_type=model_type,
        architecture=str(architectures[0]),
        fields={
            key: value
            for key, value in raw.items()
            if key not in private and not key.startswith(_OURS)
        },
        scheme=_scheme(raw.get(CONFIG_KEY), file),
        trained_length=_trained_length(raw.get(TRAINED_LENGTH_KEY), file),
    )


def _refuse_dangerous(value: Any, file: Path) -> None:
    """Walk objects and lists; a refused key set to null or false asks for nothing."""
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, list):
            todo.extend(item)
        elif isinstance(item, dict):
            for key, inner in item.items():
                if key in REFUSED and inner not in (None, False):
                    raise ModelUnusable(
                        f"{file} has the key {key!r}: the model {REFUSED[key]}.",
                        remedy="Choose a model that transformers supports without its own code.",
                    )
                todo.append(inner)


def _scheme(raw: Any, file: Path) -> QuantizationScheme | None:
    if raw is None:
        return None
    if not isinstance(raw, dict):
        raise ModelUnusable(f"{file}: {CONFIG_KEY} is not an object.")
    try:
        return QuantizationScheme.from_config(raw)
    except ValueError as error:
        raise ModelUnusable(f"{file}: {error}.") from error


def _trained_length(raw: Any, file: Path) -> int | None:
    if raw is None:
        return None
    if type(raw) is not int or raw < 1:
        raise ModelUnusable(f"{file}: {TRAINED_LENGTH_KEY} must be a positive integer.")
    return raw
