"""Act: a picture drawn into a folder, in an exact size, with real transparency."""

from __future__ import annotations

import json
import struct
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from glm_lsp.cli.main import dispatch

PROMPT = "a red heart"
SIZE = (96, 64)


def play(root: Path) -> None:
    """Draw, look at the file's own header, draw again from what the file says of itself."""
    del root
    with tempfile.TemporaryDirectory(prefix="glm-demo-") as folder:
        file, copy = Path(folder) / "heart.png", Path(folder) / "copy.png"
        size = f"{SIZE[0]}x{SIZE[1]}"
        argv = ["draw", PROMPT, "-o", str(file), "--size", size, "--transparent", "--seed", "1"]
        told = StringIO()
        with redirect_stdout(told):
            code = dispatch([*argv, "--json"])
        if code:
            print("no picture was drawn")
            return
        drawn = json.loads(told.getvalue())
        width, height = struct.unpack(">II", file.read_bytes()[16:24])
        alpha = drawn["alpha"][0]
        print(f'glm-lsp draw "{PROMPT}" --size {size} --transparent --seed 1')
        print(f"  model {drawn['model']}: {width} x {height} pixels, ", end="")
        print(f"{100 * alpha['clear_share']:.0f} % clear, {drawn['timings_ms']['decode']:.0f} ms")
        with redirect_stdout(StringIO()):
            dispatch(["draw", "--again", str(file), "-o", str(copy)])
        same = copy.is_file() and copy.read_bytes() == file.read_bytes()
        print(
            "  drawn again from the file's own words: " + ("the same bytes" if same else "differs")
        )
