"""First token of the first prompt after a restart: `python -m bench.restart --model M`.

Starts the engine as a worker does, in processes of their own, with the same prompt: one that
leaves keys and values on disk, then in turn one that may not use them and one that may. Seconds
from the process's start to its first token, and of its processor; one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from glm_runtime.kv_on_disk import SWITCH

LINE = "def area_{0}(width, height, depth={0}): return width * height * {0} + depth\n"


def first_token(model: str, lines: int, *, leave: bool) -> dict[str, Any]:
    """In this process."""
    from glm_codegen.code_engine import load_engine
    from glm_protocol.completion import CodeContext, CompletionRequest
    from glm_runtime.engine import EngineOptions

    engine = load_engine(EngineOptions(model=model, threads=1))
    text = "".join(LINE.format(number) for number in range(lines))
    context = CodeContext(path="a.py", language="python", prefix=text + "x = ", suffix="\n")
    engine.submit(CompletionRequest(id="r", document="d", context=context, max_tokens=1))
    tokens = None
    while tokens is None:
        for _, chunk in engine.step():
            assert not isinstance(chunk, Exception), chunk
            tokens = None if chunk.end is None else chunk.end.tokens
    found = {"processor_s": time.process_time(), "at": time.time()}
    if leave:
        engine.rest()
    return {**found, "prompt": tokens.prompt, "reused": tokens.reused}


def run(options: argparse.Namespace, home: str, *, leave: bool = False, disk: bool = True) -> Any:
    command = [sys.executable, "-m", "bench.restart", "--model", options.model, "--child"]
    command += ["--lines", str(options.lines), *(["--leave"] if leave else [])]
    environment = {**os.environ, "GLM_LSP_HOME": home, SWITCH: "1" if disk else "0"}
    began = time.time()
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    return {**found, "wall_s": found["at"] - began}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nano-code")
    parser.add_argument("--lines", type=int, default=40, help="of the text before the cursor")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--leave", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(first_token(options.model, options.lines, leave=options.leave)))
        return 0
    rows = []
    with tempfile.TemporaryDirectory() as home:
        run(options, home, leave=True)
        for _ in range(options.rounds):
            rows.append((run(options, home, disk=False), run(options, home)))
        size = sum(file.stat().st_size for file in Path(home).glob("kv/*"))
    without, with_ = rows[0]
    report: dict[str, Any] = {
        "prompt": with_["prompt"], "reused": with_["reused"], "file_mib": round(size / 2**20, 1),
    }  # fmt: skip
    for key in ("processor_s", "wall_s"):
        report[f"{key} without"] = round(median(one[key] for one, _ in rows), 2)
        report[f"{key} with"] = round(median(other[key] for _, other in rows), 2)
        report[f"{key} ratio"] = round(median(one[key] / other[key] for one, other in rows), 2)
    assert without["reused"] == 0
    print(json.dumps(report) if options.json else "\n".join(f"{k}: {v}" for k, v in report.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
