"""A screenshot of an error is read by the bundled model, and its file found in this repository."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from glm_lsp.cli.main import dispatch

FILE, LINE = "vision/glm_vision/pixels.py", 18
TEXT = (
    "Traceback (most recent call last):",
    f'  File "{FILE}", line {LINE}, in pixels_of',
    "ValueError: the picture is CMYK, not RGB",
)
FONTS = (
    *("DejaVuSansMono.ttf", "LiberationMono-Regular.ttf", "NotoSansMono-Regular.ttf"),
    *("Menlo.ttc", "consola.ttf"),
)


def draw(target: Path) -> bool:
    """As a terminal shows it; False where no fixed-width font is installed."""
    for name in FONTS:
        try:
            font = ImageFont.truetype(name, 16)
        except OSError:
            continue
        wide = int(font.getlength("M") * max(map(len, TEXT))) + 32
        picture = Image.new("RGB", (wide, 24 * len(TEXT) + 24), (30, 30, 30))
        pen = ImageDraw.Draw(picture)
        for number, line in enumerate(TEXT):
            pen.text((16, 12 + 24 * number), line, (212, 212, 212), font)
        picture.save(target)
        return True
    return False


def play(root: Path) -> None:
    """`glm-lsp ask error.png --task error`."""
    with tempfile.TemporaryDirectory(prefix="glm-demo-") as folder:
        shot = Path(folder) / "error.png"
        if not draw(shot):
            print("no fixed-width font is installed: the act with a screenshot is left out\n")
            return
        began = time.perf_counter()
        print(f"$ glm-lsp ask {shot.name} --task error")
        dispatch(["ask", str(shot), "--task", "error", "--workspace", str(root)])
        print(f"  {time.perf_counter() - began:.1f} s\n")
