"""What an editor loses when the daemon is killed, and sixteen editors started at once.

`python -m bench.recovery [--json FILE]`: real processes, the bundled model, a private home. The
daemon is killed with SIGKILL in the middle of a completion, again and again over three minutes;
then the editor asks every 100 ms, as a typist would, until text comes. Not here: kills of the
language server, which an editor's own client restarts (`make test-editors`).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]

from bench.editor import Editor
from bench.machine import describe
from bench.summary import HEAD, Series, summarise

ROOT = Path(__file__).parents[1]
EDITORS = 16
KILLS, SPACING_S = 5, 36.0  # five in three minutes
ASK_AGAIN_S = 0.1
UNDER_WAY_S = 0.015  # after the request: it is at work then
PATIENCE_S = 60.0
SOURCE = "import os\n\n\ndef total_size(folder):\n    total = 0\n    for name in os.listdir("


def folders(root: Path) -> dict[str, str]:
    """The environment of a daemon and its clients that meet nobody else's."""
    return {
        **os.environ,
        "GLM_LSP_HOME": str(root / "home"),
        "GLM_LSP_RUNTIME": str(root / "run"),
    }


def daemon_pid(environ: Mapping[str, str]) -> int:
    """Of the one that listens. Raises httpx.TransportError where none does."""
    transport = httpx.HTTPTransport(uds=str(Path(environ["GLM_LSP_RUNTIME"]) / "daemon.sock"))
    with httpx.Client(transport=transport, base_url="http://glm-lsp", trust_env=False) as client:
        return int(client.get("/health").json()["pid"])


def daemons(environ: Mapping[str, str]) -> int:
    """Processes that are a daemon of these folders."""
    mine = environ["GLM_LSP_RUNTIME"]
    count = 0
    for process in psutil.process_iter():
        try:
            serves = "glm_daemon.main" in process.cmdline()
            count += serves and process.environ().get("GLM_LSP_RUNTIME") == mine
        except psutil.Error:
            continue
    return count


def text_soon(editor: Editor, uri: str) -> None:
    """Ask until text comes. Raises RuntimeError when it does not."""
    lines = SOURCE.split("\n")
    give_up = time.perf_counter() + PATIENCE_S
    while time.perf_counter() < give_up:
        answer = editor.inline_completion(uri, len(lines) - 1, len(lines[-1]), explicit=True)
        if answer.result["items"]:
            return
        time.sleep(ASK_AGAIN_S)
    raise RuntimeError(f"no text within {PATIENCE_S:.0f} s")


def stop(environ: Mapping[str, str]) -> None:
    """End the daemon of these folders."""
    command = [str(Path(sys.executable).with_name("glm-lsp")), "stop"]
    subprocess.run(command, env=dict(environ), capture_output=True, check=False)


def start_together(root: Path) -> tuple[list[float], list[float], int]:
    """(ms to the answer of `initialize`, ms to the first text, daemons) of the editors."""
    environ = folders(root)
    began = time.perf_counter()

    def one(number: int) -> tuple[float, float, Editor]:
        editor = stack.enter_context(Editor(root, environ))
        uri = editor.open(root / f"editor_{number}.py", "python", SOURCE)
        text_soon(editor, uri)
        return editor.initialize_ms, 1e3 * (time.perf_counter() - began), editor

    with ExitStack() as stack:
        with ThreadPoolExecutor(EDITORS) as pool:
            found = list(pool.map(one, range(EDITORS)))
        count = daemons(environ)
    stop(environ)
    return [each[0] for each in found], [each[1] for each in found], count


@dataclass(frozen=True, kw_only=True, slots=True)
class Killed:
    """A session whose daemon was killed; times in ms."""

    first: float  # from a first start to text
    back: list[float]  # from each kill to text
    cut: int  # completions that were really under way
    notices: int


def kill_often(root: Path, spacing_s: float) -> Killed:
    """Kill the daemon under a completion, ask elsewhere until text comes, wait, again."""
    environ = folders(root)
    with Editor(root, environ) as editor:
        began = time.perf_counter()
        uri = editor.open(root / "killed.py", "python", SOURCE)
        text_soon(editor, uri)
        first = 1e3 * (time.perf_counter() - began)
        took, cut = [], 0
        for kill in range(KILLS):
            next_at = time.perf_counter() + spacing_s
            other = editor.open(root / f"under_way_{kill}.py", "python", SOURCE)
            pid = daemon_pid(environ)
            place = {"line": 5, "character": len(SOURCE.split("\n")[-1])}
            number = editor.send(
                "textDocument/inlineCompletion",
                {"textDocument": {"uri": other}, "position": place, "context": {"triggerKind": 1}},
            )
            time.sleep(UNDER_WAY_S)
            os.kill(pid, signal.SIGKILL)
            killed = time.perf_counter()
            cut += not (editor.answer(number).get("result") or {}).get("items")
            # Elsewhere: a suggestion that was there already would be answered without a daemon.
            text_soon(editor, editor.open(root / f"after_{kill}.py", "python", SOURCE))
            took.append(1e3 * (time.perf_counter() - killed))
            if kill + 1 < KILLS:
                time.sleep(max(0.0, next_at - time.perf_counter()))
        notices = sum(one["method"] == "window/showMessage" for one in editor.notifications)
    stop(environ)
    return Killed(first=first, back=took, cut=cut, notices=notices)


def main() -> int:
    """Prints the table; `--json` writes it as well. 1 when a bound of the project is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spacing", type=float, default=SPACING_S, help="seconds between kills")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    machine = describe()
    with tempfile.TemporaryDirectory(prefix="glm-") as name:
        answered, served, count = start_together(Path(name, "a"))
        killed = kill_often(Path(name, "b"), options.spacing)
    series: list[Series] = [
        summarise(f"{EDITORS} language servers at once: `initialize` answered", "ms", answered),
        summarise(f"{EDITORS} language servers at once: first text", "ms", served),
        summarise("one language server: first text from nothing", "ms", [killed.first]),
        summarise("kill -9 of the daemon in mid-completion: text again", "ms", killed.back),
    ]
    print("; ".join(machine.values()))
    print(HEAD)
    for one in series:
        print(one.row())
    print(f"\nDaemons for {EDITORS} language servers: {count}.", end=" ")
    print(
        f"Notices in {KILLS} kills, {options.spacing:g} s apart: {killed.notices};"
        f" completions that were under way: {killed.cut}."
    )
    if options.json:
        rows = [asdict(one) for one in series]
        result = {
            "machine": machine,
            "series": rows,
            "daemons": count,
            "notices": killed.notices,
            "under_way": killed.cut,
        }
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if count == 1 and killed.notices <= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
