"""A whole conversion, from SRC to a folder in transformers' layout; resumable at any point.

Work goes on in a hidden folder beside DST, which is renamed to DST at the end: DST is there
whole or not at all. A run that finds the unfinished folder of the same conversion keeps its
finished shards. Peak memory is one weight, what quantising it takes, and a bounded part of the
mapped source.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import torch

from glm_codegen.convert.manifest import NAME, Manifest, describe
from glm_codegen.convert.plan import Plan, make_plan
from glm_codegen.convert.progress import Progress, sized
from glm_codegen.convert.shard_writer import (
    Stored,
    entry_bytes,
    is_written,
    sync_folder,
    write_bytes,
    write_shard,
)
from glm_codegen.convert.source_files import find_source_files
from glm_codegen.convert.source_tensors import TensorReader
from glm_codegen.convert.target_weight import TargetWeight
from glm_codegen.convert.tokenizer_files import TokenizerFiles, convert_tokenizer
from glm_protocol.errors import BadRequest, ModelUnusable
from glm_runtime.checkpoint import looks_finite
from glm_runtime.quantized_weight import CONFIG_KEY, QuantizationScheme
from glm_runtime.weight_files import INDEX, SINGLE

DEFAULT_SHARD_BYTES = 2_000_000_000
_LARGEST_MAPPING = 512 << 20  # bytes of source kept mapped


@dataclass(frozen=True, kw_only=True, slots=True)
class ConversionRequest:
    """`tokenizer`: folder of the tokenizer's files; None: SRC's. `scheme` None: kept as it is.

    `chat_form`: the form of a model that chats (`chat_forms.py`); None: what SRC says.
    """

    source: Path
    destination: Path
    tokenizer: Path | None = None
    chat_form: str | None = None
    scheme: QuantizationScheme | None = None
    shard_bytes: int = DEFAULT_SHARD_BYTES


@dataclass(frozen=True, kw_only=True, slots=True)
class ConversionReport:
    """What was made. `already`: DST was there, from this very conversion."""

    destination: Path
    architecture: str
    weights: int
    stored_bytes: int
    dropped: tuple[str, ...]
    tokenizer: str | None
    already: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shard:
    name: str
    targets: tuple[TargetWeight, ...]

    @property
    def stored(self) -> Stored:
        return {name: form for target in self.targets for name, form in target.stored.items()}

    @property
    def stored_bytes(self) -> int:
        return sum(entry_bytes(*form) for form in self.stored.values())


def convert(request: ConversionRequest, *, told_on: TextIO) -> ConversionReport:
    """Convert, or finish what an earlier run began. Raises ModelUnusable, BadRequest."""
    source = find_source_files(request.source)
    plan = make_plan(source, request.scheme)
    tokenizer = convert_tokenizer(request.tokenizer, source.folder, plan, request.chat_form)
    files = {} if tokenizer is None else tokenizer.files
    manifest = describe(source, plan, shard_bytes=request.shard_bytes, tokenizer=files)
    shards = _split(plan.targets, request.shard_bytes)
    report = ConversionReport(
        destination=request.destination,
        architecture=plan.architecture,
        weights=len(plan.targets),
        stored_bytes=sum(shard.stored_bytes for shard in shards),
        dropped=plan.dropped,
        tokenizer=None if tokenizer is None else tokenizer.kind,
        already=_is_done(request.destination, manifest, shards),
    )
    if report.already:
        return report
    try:
        with _work_folder(request.destination, manifest) as work:
            _write_shards(work, shards, request.shard_bytes, told_on)
            for name, content in _small_files(plan, shards, tokenizer).items():
                write_bytes(work / name, content)
            _give_name(work, request.destination)
    except OSError as error:
        raise BadRequest(
            f"{request.destination} cannot be written ({error.strerror or error}).",
            remedy="Put that right and run the same command again; what is done is kept.",
        ) from error
    return report


def _split(targets: tuple[TargetWeight, ...], shard_bytes: int) -> list[_Shard]:
    groups: list[list[TargetWeight]] = [[]]
    size = 0
    for target in targets:
        added = sum(entry_bytes(*form) for form in target.stored.values())
        if groups[-1] and size + added > shard_bytes:
            groups.append([])
            size = 0
        groups[-1].append(target)
        size += added
    if len(groups) == 1:
        return [_Shard(name=SINGLE, targets=tuple(groups[0]))]
    return [
        _Shard(name=f"model-{i:05d}-of-{len(groups):05d}.safetensors", targets=tuple(group))
        for i, group in enumerate(groups, start=1)
    ]


def _is_done(destination: Path, manifest: Manifest, shards: list[_Shard]) -> bool:
    """Raises BadRequest where something else has DST's name."""
    if not destination.exists() or (destination.is_dir() and not any(destination.iterdir())):
        return False
    if destination.is_dir() and manifest.is_that_of(destination):
        if all(is_written(destination / shard.name, shard.stored) for shard in shards):
            return True
        raise BadRequest(
            f"{destination} is this conversion, but weights are missing from it.",
            remedy="Remove the folder and convert again.",
        )
    raise BadRequest(
        f"{destination} exists already and is not this conversion; it is left as it is.",
        remedy="Choose another name, or remove it first.",
    )


@contextmanager
def _work_folder(destination: Path, manifest: Manifest) -> Iterator[Path]:
    """The hidden folder beside DST, locked, with the manifest in it.

    It stays when the work is broken off, and goes when the source proves unusable: no later run
    could go on with it.
    """
    work = destination.absolute().with_name(f".{destination.absolute().name}.converting")
    work.mkdir(parents=True, exist_ok=True)
    handle = os.open(work, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadRequest(
                f"Another conversion to {destination} is running.", remedy="Wait for it."
            ) from None
        if not manifest.is_that_of(work):
            if (work / NAME).exists():
                raise BadRequest(
                    f"{work} holds an unfinished conversion of other sources or options.",
                    remedy="Finish that one, remove the folder, or choose another name.",
                )
            write_bytes(work / NAME, manifest.encode())
        try:
            yield work
        except ModelUnusable:
            shutil.rmtree(work)
            raise
    finally:
        os.close(handle)


def _write_shards(work: Path, shards: list[_Shard], shard_bytes: int, told_on: TextIO) -> None:
    waiting = [shard for shard in shards if not is_written(work / shard.name, shard.stored)]
    total = sum(shard.stored_bytes for shard in shards)
    left = sum(shard.stored_bytes for shard in waiting)
    for torn in work.glob("*.tmp"):
        torn.unlink()
    free = shutil.disk_usage(work).free
    if left > free:
        raise BadRequest(
            f"{sized(left)} are still to be written, and {sized(free)} are free at {work.parent}.",
            remedy="Make room, or choose a DST on another disk; finished shards are kept.",
        )
    progress = Progress(told_on, total=total, done=total - left)
    reader = TensorReader(remap_bytes=min(_LARGEST_MAPPING, shard_bytes // 4))
    for shard in waiting:
        write_shard(work / shard.name, shard.stored, _filled(shard, reader, progress))
    progress.finish()


def _filled(
    shard: _Shard, reader: TensorReader, progress: Progress
) -> Iterator[tuple[str, torch.Tensor]]:
    for target in shard.targets:
        made = target.read(reader)
        while made:
            name, tensor = made.popitem()
            if not looks_finite(tensor):
                raise ModelUnusable(f"{target.values.told} holds values that are not finite.")
            yield name, tensor
            progress.advance(tensor.nbytes)
            del tensor  # it keeps its file mapped


def _small_files(
    plan: Plan, shards: list[_Shard], tokenizer: TokenizerFiles | None
) -> dict[str, bytes]:
    """Config, index and tokenizer, by name."""
    fields = dict(plan.fields)
    if tokenizer is not None:
        fields |= tokenizer.config_fields
    ids = ("bos_token_id", "eos_token_id", "pad_token_id")
    config: dict[str, Any] = {
        "architectures": [plan.architecture],
        "model_type": plan.model_type,
        "dtype": str(plan.dtype).removeprefix("torch."),
        **fields,
    }
    if plan.scheme is not None:
        config[CONFIG_KEY] = plan.scheme.to_config()
    made: dict[str, Any] = {
        "config.json": config,
        "generation_config.json": {k: fields[k] for k in ids if fields[k] is not None},
    }
    if len(shards) > 1:
        made[INDEX] = {
            "metadata": {"total_size": sum(shard.stored_bytes for shard in shards)},
            "weight_map": {name: shard.name for shard in shards for name in shard.stored},
        }
    files = {name: json.dumps(content, indent=2).encode() + b"\n" for name, content in made.items()}
    return files | (dict(tokenizer.files) if tokenizer is not None else {})


def _give_name(work: Path, destination: Path) -> None:
    """Rename the finished folder; an empty folder of that name is replaced, nothing else is."""
    try:
        os.rename(work, destination)  # noqa: PTH104 (replaces an empty folder, and only that)
    except OSError as error:
        raise BadRequest(
            f"{destination} could not be given its name ({error.strerror}); all is in {work}.",
            remedy="Run the same command again with that name free.",
        ) from error
    sync_folder(destination.absolute().parent)
