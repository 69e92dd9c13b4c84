"""The whole conversion decided before a weight is read: every source tensor has its place.

A source tensor without a place, a native weight without a source, and a shape that does not fit
are errors that name it. What the native model needs is asked of the model's own class, built
without memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from glm_codegen.convert.source_files import SourceFiles
from glm_codegen.convert.source_tensors import SourceTensor, list_tensors
from glm_codegen.convert.target_weight import Assembly, Piece, TargetWeight, source_scheme
from glm_codegen.models import chatglm_weights, codegeex_weights
from glm_codegen.models.published_config import PublishedConfig, read_published_config
from glm_codegen.models.weight_place import WeightPlace
from glm_protocol.errors import BadRequest, ModelUnusable
from glm_runtime.quantized_weight import SCALE_SUFFIX, QuantizationScheme

PlaceOf = Callable[[str], tuple[WeightPlace, ...] | None]
_EMBEDDING = "model.embed_tokens.weight"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """`fields` are the model's config; `dropped` the names of what is no weight."""

    model_type: str
    architecture: str
    fields: Mapping[str, Any]
    dtype: torch.dtype
    scheme: QuantizationScheme | None
    targets: tuple[TargetWeight, ...]
    dropped: tuple[str, ...]


def make_plan(source: SourceFiles, wanted: QuantizationScheme | None) -> Plan:
    """Decide everything. Raises ModelUnusable, or BadRequest for a scheme that does not fit."""
    tensors = list_tensors(source)
    given = read_published_config(source.folder)
    names = {tensor.name for tensor in tensors}
    if any(codegeex_weights.places(name) for name in names):
        return _plan_codegeex(tensors, source.rank_count, given, wanted)
    if any(name.startswith("transformer.encoder.layers.") for name in names):
        return _plan_chatglm(tensors, given, wanted)
    example = min(names, default="no tensors at all")
    raise ModelUnusable(
        f"{source.folder} holds none of the known layouts (it has {example}).",
        remedy="Known: CodeGeeX-13B, CodeGeeX2, CodeGeeX4, ChatGLM2, ChatGLM3 and GLM-4-9B.",
    )


def _plan_codegeex(
    tensors: list[SourceTensor],
    ranks: int,
    given: PublishedConfig,
    wanted: QuantizationScheme | None,
) -> Plan:
    found, dropped = _assemble(tensors, ranks, codegeex_weights.places)
    numbers = {int(name.split(".")[2]) for name in found if name.startswith("model.layers.")}
    layers = max(numbers, default=0) + 1
    official = list(codegeex_weights.official_names(layers))
    shapes = _needed_shapes(
        found,
        ("model.norm.weight", _EMBEDDING, "model.embed_positions.weight"),
        ("model.layers.0.mlp.up_proj.bias",),
        _sources(official, codegeex_weights.places),
    )
    fields = codegeex_weights.config_fields(shapes, layers, given)
    return _finish(
        "codegeex", fields, found, dropped, _sources(official, codegeex_weights.places), wanted
    )


def _plan_chatglm(
    tensors: list[SourceTensor], given: PublishedConfig, wanted: QuantizationScheme | None
) -> Plan:
    fields = chatglm_weights.config_fields(given)

    def places(key: str) -> tuple[WeightPlace, ...] | None:
        return chatglm_weights.places(key, fields)

    found, dropped = _assemble(tensors, 1, places)
    official = chatglm_weights.official_names(
        fields["num_hidden_layers"], bias=fields["attention_bias"]
    )
    return _finish("glm", fields, found, dropped, _sources(official, places), wanted)


def _assemble(
    tensors: list[SourceTensor], ranks: int, place_of: PlaceOf
) -> tuple[dict[str, Assembly], tuple[str, ...]]:
    """(native name -> its pieces, dropped names). Raises ModelUnusable, naming unknown keys."""
    pieces: dict[str, list[tuple[WeightPlace, Piece]]] = defaultdict(list)
    dropped, unknown = [], []
    for tensor in sorted(tensors, key=lambda tensor: tensor.rank):
        places = place_of(tensor.name)
        if places is None:
            unknown.append(tensor.name)
        elif not places:
            dropped.append(tensor.name)
        for place in places or ():
            pieces[place.native].append((place, _piece(tensor, place)))
    if unknown:
        raise _named("The weights hold keys that are not known", unknown)
    found = {native: _join(native, parts, ranks) for native, parts in pieces.items()}
    return found, tuple(sorted(set(dropped)))


def _piece(tensor: SourceTensor, place: WeightPlace) -> Piece:
    if not tensor.shape or (place.transposed and len(tensor.shape) != 2):
        raise ModelUnusable(f"{tensor.name} has the shape {list(tensor.shape)}.")
    ends = [tensor.shape[0] * fraction for fraction in place.rows]
    if any(end.denominator != 1 for end in ends):
        raise ModelUnusable(
            f"{tensor.name} has {tensor.shape[0]} rows, which do not split into query, key, value."
        )
    first, last = (int(end) for end in ends)
    return Piece(tensor=tensor, first=first, last=last, transposed=place.transposed)


def _join(native: str, parts: list[tuple[WeightPlace, Piece]], ranks: int) -> Assembly:
    told = parts[0][1].tensor.name
    held = [piece.tensor.rank for _, piece in parts]
    if len(set(held)) != len(held):
        claims = sorted({piece.tensor.name for _, piece in parts})
        raise ModelUnusable(f"{' and '.join(claims)} both claim to be {native}.")
    if len(held) != ranks:
        absent = next(rank for rank in range(ranks) if rank not in held)
        raise ModelUnusable(f"Rank {absent} lacks {told}, which the other ranks hold.")
    dim = parts[0][0].parallel_dim
    pieces = tuple(piece for _, piece in parts)
    if dim is None or ranks == 1:
        assembly = Assembly(pieces=pieces[:1], dim=0, copies=pieces[1:])
    else:
        assembly = Assembly(pieces=pieces, dim=dim)
    try:
        assembly.shape  # noqa: B018 (raises where the slices do not fit together)
    except (ValueError, IndexError) as error:
        raise ModelUnusable(f"The ranks do not fit together at {told}: {error}.") from error
    return assembly


def _sources(official: Iterable[str], place_of: PlaceOf) -> dict[str, str]:
    """Native name -> the published name it comes from."""
    return {place.native: name for name in official for place in place_of(name) or ()}


def _needed_shapes(
    found: Mapping[str, Assembly],
    tables: tuple[str, ...],
    vectors: tuple[str, ...],
    sources: Mapping[str, str],
) -> dict[str, tuple[int, ...]]:
    missing = [sources[name] for name in (*tables, *vectors) if name not in found]
    if missing:
        raise _named("The weights lack", missing)
    return {name: found[name].shape for name in (*tables, *vectors)}


def _finish(
    model_type: str,
    fields: Mapping[str, Any],
    found: Mapping[str, Assembly],
    dropped: tuple[str, ...],
    sources: Mapping[str, str],
    wanted: QuantizationScheme | None,
) -> Plan:
    model = _skeleton(model_type, fields)
    shapes = _shapes(model)
    missing = [name for name in shapes if name not in found]
    if missing:
        raise _named("The weights lack", [sources.get(name, name) for name in missing])
    scales = {name for name in found if name.endswith(SCALE_SUFFIX)}
    unknown = [n for n in found if n not in shapes and n not in scales]
    unknown += [n for n in scales if n.removesuffix(SCALE_SUFFIX) not in shapes]
    if unknown:
        raise _named(
            "The weights hold keys that this model has no place for",
            [found[name].told for name in unknown],
        )
    matrices = _quantisable(model)
    targets = tuple(
        _target(name, shape, found, wanted if name in matrices else None)
        for name, shape in shapes.items()
    )
    stored = {target.scheme for target in targets if target.scheme is not None}
    if len(stored) > 1 or (wanted is not None and stored != {wanted}):
        told = ", ".join(sorted(f"{s.bits} bits/group {s.group_size}" for s in stored))
        raise BadRequest(
            f"The weights are quantised already ({told}), which is kept as it is.",
            remedy="Leave out --bits, or convert the float16 checkpoint.",
        )
    return Plan(
        model_type=model_type,
        architecture=type(model).__name__,
        fields=fields,
        dtype=found[_EMBEDDING].dtype,
        scheme=next(iter(stored), None),
        targets=targets,
        dropped=dropped,
    )


def _skeleton(model_type: str, fields: Mapping[str, Any]) -> nn.Module:
    """The native model without memory for its weights."""
    with torch.device("meta"):
        config = AutoConfig.for_model(model_type, **fields)
        build: Callable[..., Any] = AutoModelForCausalLM.from_config
        return cast(nn.Module, build(config))


def _shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight; one that is tied to another has no place of its own."""
    # named_parameters tells a shared parameter once
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}


def _quantisable(model: nn.Module) -> set[str]:
    """The matrices the official scheme quantises: all linear ones but the output projection."""
    return {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name != "lm_head"
    }


def _target(
    name: str,
    shape: tuple[int, ...],
    found: Mapping[str, Assembly],
    wanted: QuantizationScheme | None,
) -> TargetWeight:
    values, scale = found[name], found.get(name + SCALE_SUFFIX)
    if scale is not None:
        scheme = source_scheme(name, shape, values)
        return TargetWeight(name=name, shape=shape, values=values, scale=scale, scheme=scheme)
    if not values.dtype.is_floating_point:
        raise ModelUnusable(f"{values.told} holds {values.dtype} without scales.")
    padded = name == _EMBEDDING and values.shape[0] >= shape[0] and values.shape[1:] == shape[1:]
    if values.shape != shape and not padded:
        raise ModelUnusable(
            f"{values.told} has the shape {list(values.shape)}; {name} needs {list(shape)}."
        )
    if wanted is not None:
        _check_groups(values.told, shape, wanted)
    return TargetWeight(name=name, shape=shape, values=values, scheme=wanted)


def _check_groups(told: str, shape: tuple[int, ...], wanted: QuantizationScheme) -> None:
    columns = shape[1]
    if columns % (wanted.group_size or columns) or (wanted.bits == 4 and columns % 2):
        raise BadRequest(
            f"{told} has {columns} columns, which do not split into groups of {wanted.group_size}.",
            remedy="Choose another --group-size; 0 makes each row one group.",
        )


def _named(what: str, names: list[str]) -> ModelUnusable:
    told = ", ".join(sorted(dict.fromkeys(names))[:5])
    more = f" and {len(set(names)) - 5} more" if len(set(names)) > 5 else ""
    return ModelUnusable(f"{what}: {told}{more}.")
