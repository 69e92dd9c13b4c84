"""The context worker's process: `python -P -m glm_context.context_process ROOT --home HOME`.

One workspace, one JSON object a line on stdin and stdout. Answers `gather` at once with what is
there; builds and renews the index in a further process at low priority and tells how far it is.
Ends when stdin ends. Holds no editor state but the text of the question at hand.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from glm_context.gathered import CursorSite, Gathered, RecentPlace
from glm_context.workspace_context import WorkspaceContext

SETTLE_S = 0.4  # saved files are collected so long before the index is renewed
RETRY_S = 20.0  # another process builds: look again then
MANY = 500  # changed paths from which the whole workspace is looked through

Message = dict[str, Any]


class ContextProcess:
    """Reads questions, one at a time; the newest of a document is the one that is answered."""

    def __init__(self, workspace: WorkspaceContext, home: Path, excludes: Sequence[str]) -> None:
        self._workspace = workspace
        self._home, self._excludes = home, excludes
        self._inbox: queue.Queue[Message | None] = queue.Queue(maxsize=1000)
        self._writing = threading.Lock()
        self._builder: subprocess.Popen[str] | None = None
        self._changed: dict[str, None] = {}
        self._due: float | None = None  # when the index is to be renewed
        self._all_due = False

    def run(self) -> None:
        """Serve until stdin ends."""
        threading.Thread(target=self._listen, name="stdin", daemon=True).start()
        try:
            while True:
                try:
                    message = self._inbox.get(timeout=0.2)
                except queue.Empty:
                    self._renew_if_due()
                    continue
                if message is None:
                    return
                self._handle(message)
                self._renew_if_due()
        finally:
            if self._builder is not None:
                self._builder.kill()
            self._workspace.close()

    def _listen(self) -> None:
        for line in sys.stdin.buffer:
            with contextlib.suppress(ValueError):
                self._inbox.put(json.loads(line))
        self._inbox.put(None)

    def _handle(self, message: Message) -> None:
        task = message.get("do")
        if task == "gather":
            self._gather(message)
        elif task == "build":
            self._all_due, self._due = True, time.monotonic()
        elif task == "changed":
            self._changed.update(dict.fromkeys(message["paths"]))
            self._due = time.monotonic() + SETTLE_S
        elif task == "status":
            self._say({"id": message["id"], "status": self._status()})

    def _gather(self, message: Message) -> None:
        began = time.perf_counter()
        self._workspace.refresh_changes()
        site = CursorSite(
            path=message["path"],
            language=message["language"],
            text=message["text"],
            offset=message["offset"],
        )
        recent = [RecentPlace(**place) for place in message.get("recent", ())]
        found = self._workspace.gather(site, recent=recent, document=message.get("document", ""))
        took = 1e3 * (time.perf_counter() - began)
        self._say({"id": message["id"], "ms": round(took, 2), **gathered_to_wire(found)})

    def _status(self) -> Message:
        index = self._workspace.index
        files, chunks, symbols, withheld = (0, 0, 0, 0) if index is None else index.counts()
        building = self._builder is not None and self._builder.poll() is None
        return {
            "files": files,
            "chunks": chunks,
            "symbols": symbols,
            "withheld": withheld,
            "whole": index is not None and index.whole,
            "building": building,
        }

    def _renew_if_due(self) -> None:
        if self._due is None or time.monotonic() < self._due:
            return
        if self._builder is not None and self._builder.poll() is None:
            self._due = time.monotonic() + 1.0
            return
        whole = self._all_due or len(self._changed) > MANY
        paths, self._changed = list(self._changed), {}
        self._due, self._all_due = None, False
        command = [sys.executable, "-P", "-m", "glm_context.index_build", str(self._workspace.root)]
        command += ["--home", str(self._home), *(f"--exclude={each}" for each in self._excludes)]
        try:
            self._builder = subprocess.Popen(
                command if whole else [*command, "--paths"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        except OSError:
            return
        watch = threading.Thread(
            target=self._watch, args=(self._builder, [] if whole else paths), daemon=True
        )
        watch.start()

    def _watch(self, builder: subprocess.Popen[str], paths: list[str]) -> None:
        """Feed a builder, pass on its progress, and come back later where another one builds."""
        assert builder.stdin is not None
        assert builder.stdout is not None
        with contextlib.suppress(OSError):
            builder.stdin.write("".join(f"{path}\n" for path in paths if "\n" not in path))
            builder.stdin.close()
        for line in builder.stdout:
            with contextlib.suppress(ValueError):
                self._say({"progress": json.loads(line)})
        if builder.wait() == 3:
            self._all_due, self._due = True, time.monotonic() + RETRY_S
        self._say({"renewed": True})

    def _say(self, message: Message) -> None:
        line = json.dumps(message) + "\n"
        with self._writing, contextlib.suppress(OSError):
            sys.stdout.write(line)
            sys.stdout.flush()


def gathered_to_wire(found: Gathered) -> Message:
    return {
        "snippets": [asdict(snippet) for snippet in found.snippets],
        "withheld": [asdict(each) for each in found.withheld],
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="glm_context.context_process", description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--exclude", action="append", default=[])
    options = parser.parse_args(argv)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    workspace = WorkspaceContext(options.root, home=options.home, excludes=options.exclude)
    ContextProcess(workspace, options.home, options.exclude).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
