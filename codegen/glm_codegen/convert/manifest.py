"""`conversion.json`: what a converted folder was made from, and how.

It is written before the first weight. Whoever finds a folder, finished or not, tells by it
whether that is the very conversion it was asked for: same sources (names, sizes, times of
change), same options, same tokenizer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from glm_codegen.convert.plan import Plan
from glm_codegen.convert.source_files import SourceFiles

NAME = "conversion.json"
_FORMAT = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """`identity` decides sameness; `content` is the whole file."""

    identity: Mapping[str, Any]
    content: Mapping[str, Any]

    def encode(self) -> bytes:
        return json.dumps(self.content, indent=1).encode() + b"\n"

    def is_that_of(self, folder: Path) -> bool:
        """Whether `folder` is of this very conversion, finished or not."""
        try:
            stored = json.loads((folder / NAME).read_bytes())
        except (OSError, ValueError, RecursionError):
            return False
        return isinstance(stored, dict) and stored.get("identity") == self.identity


def describe(
    source: SourceFiles, plan: Plan, *, shard_bytes: int, tokenizer: Mapping[str, bytes]
) -> Manifest:
    """The manifest of a conversion."""
    states = [(file.name, file.stat()) for file in source.files]
    identity = {
        "format": _FORMAT,
        "files": [[name, state.st_size, state.st_mtime_ns] for name, state in states],
        "config": dict(plan.fields),
        "quantization": None if plan.scheme is None else plan.scheme.to_config(),
        "shard_bytes": shard_bytes,
        "tokenizer": {n: sha256(content).hexdigest() for n, content in tokenizer.items()},
    }
    weights = {target.name: target.values.told for target in plan.targets}
    content = {"identity": identity, "weights": weights, "dropped": list(plan.dropped)}
    # as it will be read back: tuples become lists
    plain = json.loads(json.dumps(content))
    return Manifest(identity=plain["identity"], content=plain)
