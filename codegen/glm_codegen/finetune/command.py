"""`glm-lsp finetune REPO`: preflight, training, receipt, publication, with progress as it goes."""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glm_codegen.finetune.event_lines import append_event
from glm_protocol.errors import BadRequest, GlmError
from glm_protocol.folders import user_folders

EPILOG = """\
The repository is read from git: trained is on the tree at a cut in time, and the receipt asks
about lines that were added after it. An adapter is published only if it gains; else it is kept
aside as NAME.candidate. On several GPUs: torchrun --nproc-per-node 8 -m glm_codegen.finetune REPO
"""


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glm-lsp finetune",
        description="Make a private repository into an adapter that proves its gain.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("repository", type=Path, metavar="REPO", help="a folder, with git at best")
    parser.add_argument("--name", help="of the adapter (default: the folder's name)")
    parser.add_argument("--model", help="a model of `glm-lsp models` (default: its default)")
    parser.add_argument("--since", metavar="REV", help="train on this revision's tree")
    parser.add_argument("--dry-run", action="store_true", help="preflight only; writes nothing")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    parser.add_argument("--force", action="store_true", help="publish whatever the receipt says")
    parser.add_argument("--minutes", type=float, default=12.0, help="of training (default: 12)")
    parser.add_argument("--epochs", type=float, default=4.0, help="passes at most (default: 4)")
    parser.add_argument("--questions", type=int, default=300, help="of the receipt (default: 300)")
    parser.add_argument("--rank", type=int, default=16, choices=(8, 16, 32, 64))
    parser.add_argument("--rate", type=float, help="learning rate (default: by the model's size)")
    parser.add_argument("--length", type=int, help="tokens of a block (default: the model's)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", help="cpu, cuda, … (default: the best there is)")
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"))
    parser.add_argument("--threads", type=int, help="on a CPU (default: all cores)")
    parser.add_argument(
        "--fsdp", action="store_true", help="under torchrun: spread the base over the processes"
    )
    parser.add_argument("--events", type=Path, help=argparse.SUPPRESS)  # of the daemon's jobs
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="end with one JSON object, the receipt")
    return parser


class Teller:
    """Progress for people on stderr, and every event to the run's folder once it is there."""

    def __init__(self, events: Path | None = None) -> None:
        """`events`: a file to append every event to, with its line for people."""
        self.sink: Any = None  # RunFolder.tell
        self._events = events
        self._live = sys.stderr.isatty()
        self._held_out: float | None = None  # the loss of the last look

    def __call__(self, kind: str, words: Mapping[str, Any]) -> None:
        if kind == "opened":
            self.sink = words["folder"].tell
            return
        if kind == "look":
            self._held_out = float(words["loss"])
        elif kind == "step" and self._held_out is not None:
            words = {**words, "held_out": round(self._held_out, 3)}
        if self.sink is not None:
            self.sink(kind, **words)
        line = line_of(kind, words)
        if self._events is not None:
            append_event(self._events, kind, {**words, "line": line})
        if line is None:
            return
        if kind == "step" and self._live:
            print(f"\r{line:<78}", end="", file=sys.stderr, flush=True)
        elif kind != "step" or words["step"] % 10 == 0 or words["step"] == words["steps"]:
            lead = "\n" if self._live and kind == "look" else ""
            print(f"{lead}{line}", file=sys.stderr, flush=True)


def line_of(kind: str, words: Mapping[str, Any]) -> str | None:
    """One event as a person reads it."""
    match kind:
        case "reading":
            return f"reading {words['repository']}"
        case "files":
            rejected = ", ".join(f"{n} {reason}" for reason, n in words["rejected"].items())
            languages = ", ".join(f"{name} {n}" for name, n in words["languages"].items())
            lines = [f"files: {words['kept']} kept ({languages}); left out: {rejected or 'none'}"]
            lines += [f"  secret, left out: {where}" for where in words["secrets"]]
            lines += [f"  vendored, left out: {where}" for where in words["vendored_licences"]]
            return "\n".join(lines)
        case "probing":
            return f"probing: three steps on {words['device']}"
        case "preflight":
            since = f"lines added after {words['cut'][:10]}" if words["cut"] else words["split"]
            notes = "".join(f"\n  note: {note}" for note in words["notes"])
            return (
                f"plan: {words['steps']} steps, {words['epochs']} passes over"
                f" {words['epoch_tokens']:,} tokens, about {words['minutes']} minutes"
                f" ({words['seconds_a_step']} s a step), {words['memory_bytes'] / 1e9:.1f} GB\n"
                f"held out: {words['held_out_questions']} questions about {since}{notes}"
            )
        case "rows":
            return f"samples: {words['rows']:,} in {words['seconds']} s"
        case "step":
            left = int(words["seconds_left"])
            held = f", held out {words['held_out']:.3f}" if "held_out" in words else ""
            return (
                f"step {words['step']}/{words['steps']}  loss {words['loss']:.3f}{held}"
                f"  {words['tokens_a_second']:.0f} tokens/s  {left // 60}:{left % 60:02d} left"
            )
        case "look":
            return (
                f"held out at step {words['step']}: answers {words['score']:.1%} likely,"
                f" {words['exact']:.1%} whole, loss {words['loss']:.3f}"
            )
        case "asking":
            return f"receipt: {words['done']}/{words['of']} questions through the daemon"
        case "said":
            return str(words["text"])
    return None


def default_name(repository: Path) -> str:
    """A name for the adapter out of the folder's."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", repository.resolve().name).strip("-")[:48] or "adapter"


def run(argv: Sequence[str]) -> int:
    """The `finetune` subcommand."""
    options = arguments().parse_args(argv)
    name = options.name or default_name(options.repository)
    if name.endswith(".candidate") or options.minutes <= 0 or options.epochs <= 0:
        raise BadRequest("Name no adapter `….candidate`; minutes and epochs are above zero.")
    _be_modest(options.threads)
    if options.parent is not None:
        die_with(options.parent)
    teller = Teller(options.events)
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: stopped.append(got))
    # Imported here: torch and transformers take seconds, which --help need not wait for.
    try:
        from glm_codegen.finetune.pipeline import Pipeline, Wanted
        from glm_codegen.finetune.preparation import Effort
        from glm_codegen.finetune.ranks import Spread
        from glm_codegen.finetune.whole_run import whole_run
        from glm_runtime.adapter import AdapterShelf
    except ModuleNotFoundError as error:
        raise GlmError(
            f"Fine-tuning needs the package {error.name}, which is not installed.",
            remedy="Install it: pip install 'glm-lsp[local,finetune]'",
        ) from error

    wanted = Wanted(
        repository=options.repository,
        name=name,
        model=options.model,
        since=options.since,
        questions=options.questions,
        device=options.device,
        dtype=options.dtype,
        spread=Spread.SHARDED if options.fsdp else Spread.REPLICA,
        effort=Effort(
            epochs=options.epochs,
            minutes=options.minutes,
            length=options.length,
            rate=options.rate,
            rank=options.rank,
            seed=options.seed,
        ),
    )
    pipeline = Pipeline(wanted, user_folders(), teller, lambda: bool(stopped))
    if options.dry_run:
        looked = pipeline.look()
        if options.json:
            wire = {
                "files": looked.files,
                "snapshot": looked.snapshot,
                "preflight": looked.preflight.to_wire(),
            }
            print(json.dumps(wire))
        return 0
    receipt = whole_run(
        pipeline,
        AdapterShelf(user_folders().home),
        teller,
        resume=options.resume,
        force=options.force,
    )
    if receipt is None:  # stopped on request, or not the first of several processes
        return 130 if stopped else 0
    if options.json:
        print(json.dumps(receipt))
    return 0


def die_with(parent: int) -> None:
    """Ask Linux for SIGKILL at the parent's death: also a stopped process ends then, and the
    next daemon resumes from the last checkpoint."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)


def _be_modest(threads: int | None) -> None:
    """Leave the machine to whoever types; a completion is worth more than a step."""
    os.nice(5)
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = str(threads)
