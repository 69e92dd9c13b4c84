"""Runs the acts in a private home, so that no daemon of the user's is met; says what it took."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from glm_lsp.cli.main import dispatch
from scripts.demo import (
    context,
    documentation,
    finetune,
    ghost_text,
    memory,
    picture,
    screenshot,
    translation,
)

ROOT = Path(__file__).parents[2]
# finetune makes itself modest: last
ACTS = (ghost_text, context, memory, documentation, translation, screenshot, picture, finetune)


def main() -> int:
    """All acts, then the lines that connect the reader's own editor."""
    began = time.perf_counter()
    # A short path: a unix socket's may not exceed about 100 bytes.
    with tempfile.TemporaryDirectory(prefix="glm-demo-") as folder:
        os.environ["GLM_LSP_HOME"] = f"{folder}/home"
        os.environ["GLM_LSP_RUNTIME"] = f"{folder}/run"
        try:
            for act in ACTS:
                act.play(ROOT)
        finally:
            dispatch(["stop"])
    print(f"\nThe demo took {time.perf_counter() - began:.1f} s. To connect your own editor:\n")
    print(
        f"  {Path(sys.executable).with_name('glm-lsp')} setup nvim      # or vscode, helix, emacs"
    )
    print(f"  {Path(sys.executable).with_name('glm-lsp')} doctor          # if anything is amiss")
    return 0


if __name__ == "__main__":
    sys.exit(main())
