"""`glm-lsp models convert` for picture checkpoints, told from others by the keys inside.

`run` gives None where the source is something else, so that the caller goes on. torch is loaded
only for what can be such a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glm_protocol.errors import GlmError

_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")
_FIRST_RANK = "mp_rank_00_model_states.pt"


def run(argv: Sequence[str]) -> int | None:
    """Convert SRC to DST if SRC is a picture model; None otherwise. Raises GlmError."""
    places = [word for word in argv if not word.startswith("-")]
    if len(places) != len(argv) or len(places) != 2:
        return None  # help, or options that only code models have
    source, destination = (Path(place).expanduser() for place in places)
    if not may_hold_pictures(source):
        return None
    from glm_t2i.conversion import convert_checkpoint, picture_kind

    try:
        kind = picture_kind(source)
    except GlmError:
        return None  # what is wrong with it is for the other converter to say
    if kind is None:
        return None
    convert_checkpoint(source, destination)
    print(f"{destination}: {kind}")
    return 0


def may_hold_pictures(source: Path) -> bool:
    """By names alone: a pickle, or a folder laid out as SwissArmyTransformer writes it."""
    if source.is_file():
        return source.suffix in _SUFFIXES
    return source.is_dir() and any(source.glob(f"**/{_FIRST_RANK}"))
