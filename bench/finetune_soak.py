"""Fine-tuning under fire: `python -m bench.finetune_soak [--kills 20] [--files 50000]`.

One run is prepared and copied. The copy trains undisturbed; the original is killed (SIGKILL) at
random moments, every second time while a checkpoint is being written, and resumed each time. Fails
unless the adapters are bit-identical, no resume lost more than one checkpoint interval, and
nothing is left lying about. Then torchrun loses a process and has to finish all the same; and a
repository of `--files` files is looked at.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]

LEARNED = Path(asyncio.__file__).parent
NAME = "soak"
MODULE = [sys.executable, "-P", "-m", "glm_codegen.finetune"]
ARGUMENTS = [
    *("--name", NAME, "--device", "cpu", "--threads", "1", "--length", "160"),
    *("--epochs", "0.3", "--minutes", "1000", "--questions", "8", "--json"),
]
WEIGHTS = "adapter_model.safetensors"


class Run:
    """One home folder with the run in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "finetune" / NAME

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "GLM_LSP_HOME": str(self.home),
            "OMP_NUM_THREADS": "1",
            "GLM_LSP_RUNTIME": str(self.home.parent / "run"),
        }

    def start(self, *more: str, before: Sequence[str] = tuple(MODULE)) -> subprocess.Popen[bytes]:
        with (self.home.parent / "said").open("ab") as said:
            return subprocess.Popen(
                [*before, str(LEARNED), *ARGUMENTS, *more],
                env=self.environment, stdout=subprocess.DEVNULL, stderr=said,
                start_new_session=True,
            )  # fmt: skip

    @property
    def prepared(self) -> bool:
        return (self.folder / "run.json").is_file()

    @property
    def checkpoint(self) -> int:
        """Step of the newest checkpoint; 0 without one."""
        return max((int(f.name[11:18]) for f in self.folder.glob("checkpoint-*.safe*s")), default=0)

    @property
    def saving(self) -> bool:
        return any(self.folder.glob("checkpoint-*.part"))

    def steps(self) -> list[int]:
        """The steps that were told, in order, over all lives."""
        try:
            lines = (self.folder / "events.jsonl").read_text("utf-8").splitlines()
        except OSError:
            return []
        events = [json.loads(line) for line in lines if line.endswith("}")]
        return [event["step"] for event in events if event["kind"] == "step"]

    def weights(self) -> bytes:
        return (self.home / "adapters" / f"{NAME}.candidate" / WEIGHTS).read_bytes()

    def litter(self) -> list[str]:
        """What should not be there once a run has ended."""
        kept = {"run.json", "receipt.json", "report.html", "curve.png", "events.jsonl", "lock"}
        hidden = [path.name for path in (self.home / "adapters").glob(".*")]
        return hidden + [path.name for path in self.folder.iterdir() if path.name not in kept]


def stop_daemon(run: Run) -> None:
    """The daemon that the receipt was asked of."""
    subprocess.run(
        [str(Path(sys.executable).with_name("glm-lsp")), "stop"],
        env=run.environment, capture_output=True, check=False,
    )  # fmt: skip


def kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def under_kills(root: Path, kills: int, seed: int) -> dict[str, object]:
    """Raises AssertionError for what must not be."""
    chance = random.Random(seed)
    (root / "a").mkdir(parents=True)
    hit, calm = Run(root / "a" / "home"), Run(root / "b" / "home")
    process = hit.start()
    while not hit.prepared:
        assert process.poll() is None, (root / "a" / "said").read_text()
        time.sleep(0.05)
    kill(process)
    shutil.copytree(root / "a", root / "b")
    assert calm.start("--resume").wait() == 0, (root / "b" / "said").read_text()
    interval = json.loads((hit.folder / "run.json").read_bytes())["plan"]["measure_every"]
    done = in_saves = most_lost = 0
    while True:
        known = hit.checkpoint
        process = hit.start("--resume")
        told = len(hit.steps())
        wants_save = done % 2 == 1
        due = time.monotonic() + chance.uniform(4, 40)
        while process.poll() is None and done < kills:
            trains = len(hit.steps()) > told
            if (hit.saving if wants_save else time.monotonic() > due) and (
                trains or not wants_save
            ):
                in_saves += hit.saving
                kill(process)
                done += 1
                break
            time.sleep(0.001 if wants_save and trains else 0.02)
        else:
            assert process.wait() == 0, (root / "a" / "said").read_text()
            break
        since = hit.steps()[told:]
        most_lost = max(most_lost, (since[-1] - hit.checkpoint) if since else 0)
        assert not since or since[0] == known + 1, f"resumed at {since[0]}, not {known + 1}"
        assert most_lost <= interval
    for run in (hit, calm):
        stop_daemon(run)
    assert hit.weights() == calm.weights(), "the adapters differ"
    assert not hit.litter(), hit.litter()
    return {
        "kills": done, "while_saving": in_saves, "steps": max(hit.steps()),
        "interval": interval, "most_steps_lost": most_lost, "bit_identical": True, "litter": 0,
    }  # fmt: skip


def under_torchrun(root: Path) -> dict[str, object]:
    """Two processes of which the second is killed once it trains; torchrun starts both anew."""
    (root / "t").mkdir(parents=True)
    run = Run(root / "t" / "home")
    torchrun = [
        *(sys.executable, "-P", "-m", "torch.distributed.run", "--standalone"),
        *("--nproc-per-node", "2", "--max-restarts", "2", "-m", "glm_codegen.finetune"),
    ]
    process = run.start(before=torchrun)
    while len(run.steps()) < 15:
        assert process.poll() is None, (root / "t" / "said").read_text()[-2000:]
        time.sleep(0.1)
    ranks = [
        child
        for child in psutil.Process(process.pid).children()
        if "glm_codegen.finetune" in " ".join(child.cmdline())
    ]
    assert len(ranks) == 2
    before, checkpoint = len(run.steps()), run.checkpoint
    ranks[1].kill()
    code = process.wait()
    assert code == 0, (root / "t" / "said").read_text()[-2000:]
    stop_daemon(run)
    first = run.steps()[before:]
    again = next(step for step, last in zip(first[1:], first, strict=False) if step <= last)
    assert not run.litter(), run.litter()
    return {"restarted_at": again, "checkpoint_at_kill": checkpoint, "steps": max(run.steps())}


def many_files(root: Path, count: int) -> dict[str, object]:
    """A dry run over a folder of many small files."""
    folder = root / "many"
    text = LEARNED.joinpath("queues.py").read_text("utf-8")
    for number in range(count):
        place = folder / f"part_{number // 500}"
        place.mkdir(parents=True, exist_ok=True)
        words = f"# {number}\nNAME_{number} = {number * 7919}\n" * 3
        body = text[(number * 37) % 3000 :][:600] if number % 50 == 0 else ""
        (place / f"module_{number}.py").write_text(words + body)
    began = time.monotonic()
    done = subprocess.run(
        [*MODULE, str(folder), "--dry-run", "--json", "--device", "cpu"],
        env={**os.environ, "GLM_LSP_HOME": str(root / "many-home")},
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()[-1000:]
    files = json.loads(done.stdout)["files"]
    return {
        "files": count, "seconds": round(time.monotonic() - began, 1),
        "kept": files["kept"], "rejected": files["rejected"],
        "peak_mb": round(_children_peak_mb()),
    }  # fmt: skip


def _children_peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("kills", "torchrun", "files"))
    options = parser.parse_args()
    parts: dict[str, Callable[[Path], dict[str, object]]] = {
        "kills": lambda root: under_kills(root, options.kills, options.seed),
        "torchrun": under_torchrun,
        "files": lambda root: many_files(root, options.files),
    }
    with tempfile.TemporaryDirectory(prefix="glm-soak-") as folder:
        for name, part in parts.items():
            if options.only in (None, name):
                began = time.monotonic()
                found = part(Path(folder))
                seconds = round(time.monotonic() - began)
                print(json.dumps({"part": name, **found, "in_s": seconds}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
