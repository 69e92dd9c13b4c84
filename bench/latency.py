"""Everything but the model, measured: `python -m bench.latency [--json FILE]`.

The fake engine answers at once, so what an editor waits is the language server, HTTP and pipes.
Real processes, a private home. Figures of the model itself are `bench.spots_report`'s.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from bench.editor import Editor
from bench.machine import describe
from bench.summary import HEAD, Series, summarise

ROOT = Path(__file__).parents[1]
STEP_S = 0.01  # of the slow fake that is cancelled
LINES = 400  # of the file that is edited


@contextmanager
def fake_daemon(folder: Path, script: Mapping[str, object]) -> Iterator[dict[str, str]]:
    """A daemon with the fake model in its own folders; gives the environment of its clients."""
    environ = {
        **os.environ,
        "GLM_LSP_HOME": str(folder / "home"),
        "GLM_LSP_RUNTIME": str(folder / "run"),
        "GLM_FAKE_SCRIPT": json.dumps(script),
    }
    command = [str(Path(sys.executable).with_name("glm-lsp"))]
    process = subprocess.Popen(
        [*command, "serve", "--model", "fake"], env=environ, stderr=subprocess.DEVNULL
    )
    try:
        give_up = time.monotonic() + 30
        status = [*command, "status", "--json"]
        while time.monotonic() < give_up:
            found = subprocess.run(status, env=environ, capture_output=True, check=False)
            engines = json.loads(found.stdout or "{}").get("engines", [])
            if engines and engines[0]["state"] == "ready":
                break
            time.sleep(0.1)
        yield environ
    finally:
        process.terminate()
        process.wait(30)


def source() -> str:
    """A file of ordinary size with an open end on every line."""
    return "".join(f"value_{i} = compute_{i}(\n" for i in range(LINES))


def initialize_ms(environ: Mapping[str, str], rounds: int) -> list[float]:
    """From starting the process to the answer of `initialize`."""
    took = []
    for _ in range(rounds):
        with Editor(ROOT, environ) as editor:
            took.append(editor.initialize_ms)
    return took


def overhead_ms(environ: Mapping[str, str], rounds: int) -> tuple[list[float], list[float]]:
    """(a new place each time, one key typed along the suggestion each time)."""
    fresh, along = [], []
    with Editor(ROOT, environ) as editor:
        uri = editor.open(ROOT / "bench_buffer.py", "python", source())
        for i in range(rounds + 5):
            row = i % LINES
            column = len(f"value_{row} = compute_{row}(")
            answer = editor.inline_completion(uri, row, column, explicit=True)
            text = answer.result["items"][0]["insertText"]
            typed = text[text.index("fake") :][:1] if "fake" in text else text[:1]
            editor.type(uri, row, column, typed)
            again = editor.inline_completion(uri, row, column + 1, explicit=False)
            if not again.result["items"]:
                raise RuntimeError("the suggestion was not kept while typing along it")
            if i >= 5:  # the first ones warm caches
                fresh.append(answer.ms)
                along.append(again.ms)
    return fresh, along


def journal(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(path: Path, op: str, count: int) -> list[dict[str, object]]:
    """The journal once it holds `count` lines of `op`. Raises RuntimeError after 5 s."""
    give_up = time.monotonic() + 5
    while time.monotonic() < give_up:
        lines = journal(path)
        if sum(line["op"] == op for line in lines) >= count:
            return lines
        time.sleep(0.0005)
    raise RuntimeError(f"the engine's journal has no {count} lines of {op}")


def cancel_ms(environ: Mapping[str, str], path: Path, rounds: int) -> tuple[list[float], int]:
    """(milliseconds from `$/cancelRequest` to the engine's cancel, most steps in between)."""
    took, worst = [], 0
    with Editor(ROOT, environ) as editor:
        uri = editor.open(ROOT / "bench_buffer.py", "python", source())
        for i in range(rounds):
            params = {
                "textDocument": {"uri": uri},
                "position": {"line": i, "character": len(f"value_{i} = compute_{i}(")},
                "context": {"triggerKind": 1},
            }
            number = editor.send("textDocument/inlineCompletion", params)
            wait_for(path, "submit", i + 1)
            time.sleep(5 * STEP_S)
            before = sum(line["op"] == "step" for line in journal(path))
            began = time.perf_counter()
            editor.notify("$/cancelRequest", {"id": number})
            lines = wait_for(path, "cancel", i + 1)
            took.append(1e3 * (time.perf_counter() - began))
            done = next(n for n, line in enumerate(lines) if sum_cancels(lines[: n + 1]) == i + 1)
            steps = sum(line["op"] == "step" for line in lines[:done])
            worst = max(worst, steps - before)
    return took, worst


def sum_cancels(lines: list[dict[str, object]]) -> int:
    return sum(line["op"] == "cancel" for line in lines)


def measure(rounds: int) -> tuple[list[Series], int]:
    """Every series, and the most decode steps that followed a cancel."""
    with tempfile.TemporaryDirectory(prefix="glm-bench-") as name:
        folder = Path(name)
        with fake_daemon(folder / "a", {}) as environ:
            starts = initialize_ms(environ, 20)
            fresh, along = overhead_ms(environ, rounds)
        path = folder / "journal"
        script = {"text": "x" * 100_000, "step_delay_s": STEP_S, "journal": str(path)}
        with fake_daemon(folder / "b", script) as environ:
            cancels, steps = cancel_ms(environ, path, 20)
    series = [
        summarise("start of the process to the answer of `initialize`", "ms", starts),
        summarise("request to ghost text, model excluded", "ms", fresh),
        summarise("one key typed along the suggestion", "ms", along),
        summarise(f"cancel to idle engine (steps of {1e3 * STEP_S:.0f} ms)", "ms", cancels),
    ]
    return series, steps


def main() -> int:
    """Prints the table; `--json` writes it as well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    machine = describe()
    series, steps = measure(options.rounds)
    print("; ".join(machine.values()))
    print(HEAD)
    for one in series:
        print(one.row())
    print(f"\nMost decode steps after a cancel: {steps}")
    if options.json:
        rows = [asdict(one) for one in series]
        result = {"machine": machine, "series": rows, "steps_after_cancel": steps}
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
