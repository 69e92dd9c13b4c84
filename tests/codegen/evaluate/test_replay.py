"""`glm-lsp eval replay`: what commits added, typed again with suggestions at hand."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from glm_client.daemon_client import Answer
from glm_codegen.evaluate.commit_lines import TypedRun, typed_runs
from glm_codegen.evaluate.replay_command import Typist, result, window_before
from glm_protocol.answers import End, FinishReason, TokenCounts
from glm_protocol.completion import CompletionRequest
from glm_protocol.errors import BadRequest


def git(root: Path, *words: str) -> None:
    names = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", "-C", str(root), *names, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "a.py").write_text("first = 1\nlast = 9\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    (tmp_path / "a.py").write_text("first = 1\nsecond = 2\nthird = 3\nlast = 10\n")
    (tmp_path / "notes.txt").write_text("no code\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "two")
    return tmp_path


def test_added_lines_with_the_file_as_it_was(repository: Path) -> None:
    runs = list(typed_runs(repository, since="1970-01-01", most_commits=1))
    assert {run.path for run in runs} == {"a.py"}
    assert [run.lines for run in runs] == [("second = 2", "third = 3", "last = 10")]
    assert runs[0].before == "first = 1\n"
    assert runs[0].after == "\n", "the line that was replaced is gone"


def test_a_folder_without_history_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no history"):
        list(typed_runs(tmp_path, since="1970-01-01", most_commits=1))


class Knowing:
    """A daemon that suggests the rest of a line once so much of it was typed."""

    def __init__(self, line: str, after: int) -> None:
        self.line, self.after = line, after

    async def whole(self, request: CompletionRequest) -> Answer:
        typed = request.context.prefix.rsplit("\n", 1)[-1]
        final = self.line[len(typed) :] if len(typed) >= self.after else "wrong"
        return Answer(
            text="",
            images=(),
            end=End(
                finish=FinishReason.STOP,
                model="knowing",
                tokens=TokenCounts(prompt=100, reused=95),
                report={"final": final},
            ),
        )


async def test_a_right_suggestion_is_one_key() -> None:
    line = "value = compute(x)"
    daemon: Any = Knowing(line, after=5)
    typist = Typist(daemon, model=None, memory=False)
    run = TypedRun(
        commit="c", path="a.py", language="python", before="", lines=(line, "", line), after="\n"
    )
    assert await typist.type_run(run, 40) == 3
    wire = result(typist.tally, "r", {})
    assert (wire["characters"], wire["keys"], wire["taken"]) == (36, 12, 2)
    assert wire["keys_saved"]["value"] == pytest.approx(1 - 6 / 18, abs=1e-3)
    assert wire["kv_reused"] == 0.95


def test_a_window_begins_on_a_grid() -> None:
    text = "".join(f"line {number}\n" for number in range(5000))
    assert (
        window_before(text + "a").rsplit("\n", 1)[0]
        == window_before(text + "ab").rsplit("\n", 1)[0]
    )
    assert window_before("short") == "short"
