"""An engine that plays in a process of its own, so that memory and threads are its alone.

The players of peers run with the interpreter of the peer's environment, which the peer's script in
`scripts/peers/` makes in the bench's folder: `$GLM_LSP_BENCH`, else `~/.cache/glm-lsp/bench`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

SWITCH = "GLM_LSP_BENCH"
PLAYER = Path(__file__).with_name("players") / "player.py"
OWN, GGUF, FLOATS = "own", "gguf", "floats"


class CannotPlay(Exception):
    """This engine cannot be measured here; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """`weights`: the form it reads them in; `environment`: "" for glm-lsp's own."""

    player: str
    weights: str
    environment: str = ""


PEERS = {
    "torch": Peer(player="torch_player", weights=OWN),
    "llama.cpp": Peer(player="llama_cpp_player", weights=GGUF, environment="llama.cpp"),
    "openvino": Peer(player="openvino_player", weights=GGUF, environment="openvino"),
    "transformers": Peer(player="transformers_player", weights=FLOATS, environment="transformers"),
    "vllm": Peer(player="vllm_player", weights=FLOATS, environment="vllm"),
}
NATIVE = Peer(player="native_player", weights=OWN)


def bench_folder() -> Path:
    """Where random models and peers' environments are kept."""
    named = os.environ.get(SWITCH)
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "glm-lsp" / "bench"


def interpreter_of(peer: Peer) -> str:
    """Raises CannotPlay where the peer was not installed."""
    if not peer.environment:
        return sys.executable
    python = bench_folder() / "peers" / peer.environment / "bin" / "python"
    if not python.exists():
        raise CannotPlay(f"not installed: scripts/peers/{peer.environment}.sh does it")
    return str(python)


class PlayerProcess:
    """Starts the engine with its model; `play` asks it for one measurement."""

    def __init__(self, peer: Peer, model: Path, threads: int) -> None:
        """Raises CannotPlay."""
        python = interpreter_of(peer)
        counts = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        self._process = subprocess.Popen(
            [python, "-P", str(PLAYER), peer.player, str(model), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **counts},
        )
        try:
            loaded = self._answer()
        except CannotPlay:
            self.close()
            raise
        self.weight_bytes: int = loaded["weight_bytes"]

    def play(self, what: str, **details: Any) -> Any:
        """Seconds, a token, or None. Raises CannotPlay when the engine fails or dies."""
        return self._ask(what, details)["value"]

    def memory_mib(self) -> dict[str, float]:
        """`now` and `most`, where the system tells."""
        found: dict[str, float] = self._ask("memory", {})
        return found

    def _ask(self, what: str, details: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"play": what, **details}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise CannotPlay("it ended") from error
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise CannotPlay(f"it ended with status {self._process.wait()}")
        body: dict[str, Any] = json.loads(line)
        if "error" in body:
            raise CannotPlay(body["error"])
        return body

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.terminate()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
