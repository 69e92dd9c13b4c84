"""The README's pictures, made of the screenshots that `make test-editors` leaves.

    python -m scripts.readme_pictures [FOLDER]      (default: build/editors)

Scaled down and reduced to few colours, so that each stays under 60 kB.
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "pictures"
MOST_BYTES = 60_000
WIDTH = 1100
COLOURS = (128, 64, 48, 32, 24, 16)
PICTURES = {  # in the README: screenshot
    "vscode-ghost-text": "vscode-nano-code",
    "vscode-translation": "vscode-nano-translate",
    "vscode-image-question": "vscode-nano-vision",
    "vscode-drawn": "vscode-nano-image",
    "neovim-ghost-text": "neovim-nano-code",
}


def small_png(picture: Image.Image) -> bytes:
    """With as many colours as fit into the bytes. Raises ValueError if none do."""
    rgb = picture.convert("RGB")
    height = round(rgb.height * WIDTH / rgb.width)
    rgb = rgb.resize((WIDTH, height), Image.Resampling.LANCZOS)
    for colours in COLOURS:
        reduced = rgb.quantize(colours, dither=Image.Dither.NONE)
        file = io.BytesIO()
        reduced.save(file, "PNG", optimize=True)
        if file.tell() <= MOST_BYTES:
            return file.getvalue()
    raise ValueError(f"no PNG under {MOST_BYTES} bytes")


def main() -> int:
    """Writes the pictures; 1 when a screenshot is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "editors")
    folder: Path = parser.parse_args().folder
    missing = 0
    for name, shot in PICTURES.items():
        source = folder / f"{shot}.png"
        if not source.exists():
            print(f"missing: {source}")
            missing += 1
            continue
        with Image.open(source) as picture:
            data = small_png(picture)
        (TARGET / f"{name}.png").write_bytes(data)
        print(f"docs/pictures/{name}.png: {len(data):,} bytes")
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
