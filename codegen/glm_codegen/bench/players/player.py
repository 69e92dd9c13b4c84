"""Runs one engine in this process and plays what it is told, a JSON line each. Standard library.

    python -P player.py native_player MODEL THREADS

The file named beside this one defines `Player`; it may be run by the interpreter of another
environment, so it imports nothing of glm-lsp unless it plays for glm-lsp. Each method returns
seconds, or None where the engine has no such thing. What engines print goes to stderr.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any


def memory_mib() -> dict[str, float]:
    """Resident now, and at its highest."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return {}
    sizes = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
    return {"now": int(sizes["VmRSS"]) / 1024, "most": int(sizes["VmHWM"]) / 1024}


def main(name: str, model: str, threads: int) -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(body: dict[str, Any]) -> None:
        answers.write(json.dumps(body) + "\n")
        answers.flush()

    try:
        player: Any = runpy.run_path(str(Path(__file__).with_name(f"{name}.py")))["Player"](
            model, threads
        )
        answer({"weight_bytes": player.weight_bytes})
        for line in sys.stdin:
            asked = json.loads(line)
            method = asked.pop("play")
            if method == "memory":
                answer(memory_mib())
            else:
                answer({"value": getattr(player, method)(**asked)})
    except Exception as error:  # noqa: BLE001 (edge of the process: the bench says it)
        answer({"error": f"{type(error).__name__}: {error}"[:300]})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
