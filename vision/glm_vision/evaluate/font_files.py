"""Fonts to draw evaluation pictures with, by the names of their files, as found on this machine.

The first list drew training pictures of nano-vision, the second did not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glm_protocol.errors import BadRequest

TRAINED = (
    *("DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf", "JetBrainsMono-Regular.ttf"),
    *("Hack-Regular.ttf", "Inconsolata.otf", "LiberationMono-Regular.ttf"),
    *("LiberationMono-Bold.ttf", "Go-Mono.ttf", "Anonymous Pro.ttf", "agave-r-autohinted.ttf"),
    *("mononoki-Regular.ttf", "B612Mono-Regular.otf", "NotoSansMono-Regular.ttf"),
    *("IBMPlexMono-Regular.ttf", "DMMono-Regular.ttf", "GeistMono[wght].ttf"),
    "SpaceMono-Regular.ttf",
)
UNSEEN = ("FiraCode-Regular.ttf", "RobotoMono[wght].ttf")
FOLDERS = (
    Path("recipes/out/nano_vision/fonts"),
    Path("~/.local/share/fonts").expanduser(),
    Path("/usr/share/fonts"),
    Path("/Library/Fonts"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FontFiles:
    """Paths, in the order of the lists. `unseen` may be empty."""

    trained: tuple[Path, ...]
    unseen: tuple[Path, ...]


def find_fonts(folders: Sequence[Path] = FOLDERS) -> FontFiles:
    """Raises BadRequest where no font of the first list is here."""
    here: dict[str, Path] = {}
    for folder in folders:
        if folder.is_dir():
            for path in sorted(folder.rglob("*.[ot]tf")):
                here.setdefault(path.name, path)
    trained = tuple(here[name] for name in TRAINED if name in here)
    if not trained:
        raise BadRequest(
            "No fixed-width font is here to draw with.",
            remedy="Install one (fonts-dejavu-core), or run `python -m recipes.nano_vision.fonts`.",
        )
    return FontFiles(trained=trained, unseen=tuple(here[name] for name in UNSEEN if name in here))
