"""The folder of one run, `GLM_LSP_HOME/finetune/NAME`: what was prepared, where it stands.

    run.json               what was asked and planned, the repository's commit and cut
    rows.safetensors       training rows and the rows that steer, as numbers
    questions.json         what the receipt asks; holds the user's text, like the rows
    checkpoint-*           see `train_state`
    events.jsonl           progress, one JSON object a line
    workspace/             the text to train on and its index, while rows are drawn
    adapter/               the best matrices in peft's format
    receipt.json, report.html, curve.png

Private as the repository is: 0700, files 0600. Rows, questions and checkpoints are deleted when
the run has ended. One process a run, by a lock.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from glm_codegen.finetune.event_lines import append_event
from glm_codegen.finetune.run_files import read_tensors, sweep, write_json, write_tensors
from glm_codegen.finetune.samples import Row
from glm_protocol.completion import CodeContext, CompletionMode, Snippet
from glm_protocol.errors import BadRequest
from glm_runtime.adapter import is_adapter_name, read_json


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One question as the daemon gets it, without and with related text."""

    kind: str
    context: CodeContext  # with its snippets
    mode: CompletionMode
    truth: str

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Asked:
        context = dict(wire["context"])
        context["snippets"] = tuple(Snippet(**snippet) for snippet in context["snippets"])
        return cls(
            kind=wire["kind"],
            context=CodeContext(**context),
            mode=CompletionMode(wire["mode"]),
            truth=wire["truth"],
        )


class RunFolder:
    """One run's files. Nothing is created before `open`."""

    def __init__(self, home: Path, name: str) -> None:
        if not is_adapter_name(name):
            raise BadRequest(
                f"{name[:80]!r} is no name for an adapter.",
                remedy="Use 1 to 64 letters, digits, dots, dashes and underscores.",
            )
        self.name = name
        self.path = home / "finetune" / name

    @contextmanager
    def open(self) -> Iterator[None]:
        """Hold the run's lock. Raises BadRequest while another process has it."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.path / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BadRequest(
                    f"A run named {self.name!r} is at work already.",
                    remedy="Wait for it, cancel it, or choose another --name.",
                ) from error
            sweep(self.path)
            shutil.rmtree(self.workspace, ignore_errors=True)
            try:
                yield
            finally:
                shutil.rmtree(self.workspace, ignore_errors=True)

    @property
    def workspace(self) -> Path:
        """Where text is laid out and indexed while rows are drawn; gone at the end of `open`."""
        return self.path / "workspace"

    def exists(self) -> bool:
        """Whether there is something to resume."""
        return (self.path / "run.json").is_file()

    def clear(self) -> None:
        """Forget everything of an earlier run but its lock, and what is being prepared."""
        for entry in self.path.iterdir():
            if entry == self.workspace:
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.name != "lock":
                entry.unlink()

    def forget_text(self) -> None:
        """Delete what holds the user's text once the run has ended."""
        for pattern in ("rows.safetensors", "questions.json", "checkpoint-*"):
            for file in self.path.glob(pattern):
                file.unlink(missing_ok=True)

    def write_rows(self, rows: Sequence[Row], steering: Sequence[Row]) -> None:
        tensors = {**_flat("rows", rows), **_flat("steer", steering)}
        write_tensors(self.path / "rows.safetensors", tensors, {})

    def read_rows(self) -> tuple[list[Row], list[Row]]:
        """(training rows, steering rows). Raises ModelUnusable."""
        tensors, _ = read_tensors(self.path / "rows.safetensors")
        return _rows("rows", tensors), _rows("steer", tensors)

    def write_questions(self, **questions: Sequence[Asked]) -> None:
        wire = {name: [asdict(asked) for asked in group] for name, group in questions.items()}
        write_json(self.path / "questions.json", wire)

    def read_questions(self) -> dict[str, tuple[Asked, ...]]:
        found = json.loads((self.path / "questions.json").read_bytes())
        return {name: tuple(map(Asked.from_wire, group)) for name, group in found.items()}

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """One JSON file."""
        write_json(self.path / name, content)

    def read(self, name: str) -> dict[str, Any]:
        """Raises ModelUnusable."""
        return read_json(self.path / name)

    def tell(self, kind: str, **words: Any) -> None:
        """Append one event."""
        append_event(self.path / "events.jsonl", kind, words)


def _flat(name: str, rows: Sequence[Row]) -> dict[str, torch.Tensor]:
    return {
        f"{name}.lengths": torch.tensor([len(row.token_ids) for row in rows] or [0]),
        f"{name}.ids": torch.tensor(
            [token for row in rows for token in row.token_ids] or [0], dtype=torch.int32
        ),
        f"{name}.weights": torch.tensor(
            [weight for row in rows for weight in row.weights] or [0.0]
        ),
    }


def _rows(name: str, tensors: Mapping[str, torch.Tensor]) -> list[Row]:
    ids, weights = tensors[f"{name}.ids"].tolist(), tensors[f"{name}.weights"].double()
    exact = [round(weight, 6) for weight in weights.tolist()]  # as they were before float32
    rows, at, after = [], 0, 0
    for length in tensors[f"{name}.lengths"].tolist():
        if length:
            rows.append(
                Row(
                    token_ids=tuple(ids[at : at + length]),
                    weights=tuple(exact[after : after + length - 1]),
                )
            )
            at, after = at + length, after + length - 1
    return rows
