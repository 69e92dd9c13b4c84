"""What memory and token healing do to a completion; with a model that knows nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from glm_codegen.completion_memory import TextIds
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_codegen.row_plan import PlainText
from glm_codegen.token_healing import HealedText, roll_back
from glm_codegen.vocabulary import Vocabulary
from glm_codegen.workspace_memory import WEIGHTS, WorkspaceMemories
from glm_protocol.completion import FOR_MEMORY, CodeContext, CompletionMode, Snippet
from glm_protocol.remembering import RememberedFile, RememberRequest
from glm_runtime.memory_mix import SHAPE, MemoryWeights, mix
from glm_runtime.model_registry import bundled_models_folder

LINE, BLOCK = CompletionMode.LINE, CompletionMode.BLOCK
OTHER = "from house.kitchen import Stove\n\ndef boil(stove: Stove) -> None:\n    stove.heat(100)\n"
START = "from house.kitchen import "


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return Vocabulary(TextTokenizer.from_folder(bundled_models_folder() / "nano-code"))


def context(prefix: str, suffix: str = "\n", path: str = "open.py") -> CodeContext:
    return CodeContext(path=path, language="python", prefix=prefix, suffix=suffix)


def remembering(**files: str) -> RememberRequest:
    texts = tuple(RememberedFile(path=f"{name}.py", text=text) for name, text in files.items())
    return RememberRequest(id="r", document="m", workspace="w", files=texts)


def memories(vocabulary: Vocabulary, **files: str) -> WorkspaceMemories:
    found = WorkspaceMemories(vocabulary, MemoryWeights.from_array(np.full(SHAPE, 0.5)))
    found.remember(remembering(**files))
    return found


def likeliest(
    memories: WorkspaceMemories,
    vocabulary: Vocabulary,
    prefix: str,
    said: str = "",
    *,
    mode: CompletionMode = LINE,
    suffix: str = "\n",
    path: str = "open.py",
) -> int:
    """The token that the memory wants most, the model being indifferent; -1 for none."""
    where = context(prefix, suffix, path)
    memory = memories.for_completion(where, mode, workspace="w", end=0)
    assert memory is not None
    evidence = memory.evidence(said)
    size = len(vocabulary.texts)
    indifferent = np.full(size, 1 / size, np.float32)
    return int(mix(indifferent, evidence).argmax()) if evidence else -1


def test_a_name_of_another_file_comes_next(vocabulary: Vocabulary) -> None:
    held = memories(vocabulary, other=OTHER)
    token = likeliest(held, vocabulary, "from house.kitchen import ")
    assert "Stove".startswith(vocabulary.texts[token]), "the space before the cursor is its own"
    token = likeliest(held, vocabulary, "from house.kitchen import")
    assert " Stove".startswith(vocabulary.texts[token])


def test_the_newline_that_followed_ends_a_line(vocabulary: Vocabulary) -> None:
    held = memories(vocabulary, other=OTHER)
    assert likeliest(held, vocabulary, START, "Stove") == 0
    assert likeliest(held, vocabulary, START, "Stove", suffix=")\n") != 0, "the line goes on"
    assert likeliest(held, vocabulary, START, "Stove", mode=BLOCK) != 0


def test_the_open_file_s_stored_text_does_not_count(vocabulary: Vocabulary) -> None:
    held = memories(vocabulary, open=OTHER)
    assert likeliest(held, vocabulary, START, path="other.py") != -1
    assert likeliest(held, vocabulary, START) == -1


def test_files_change_and_go(vocabulary: Vocabulary) -> None:
    held = memories(vocabulary, a="x = left\n", b="y = 1\n")
    assert held.held("w")["documents"] == 2
    report = held.remember(remembering(a="x = right\n", b=""))
    assert report["documents"] == 1
    token = likeliest(held, vocabulary, "x =")
    assert vocabulary.texts[token] == " right"


def test_gathered_pieces_speak_without_a_workspace(vocabulary: Vocabulary) -> None:
    held = WorkspaceMemories(vocabulary, MemoryWeights.from_array(np.full(SHAPE, 0.5)))
    piece = Snippet(id="p", path="other.py", text=OTHER, source=FOR_MEMORY)
    where = replace(context(START), snippets=(piece,))
    memory = held.for_completion(where, LINE, workspace="", end=0)
    assert memory is not None
    workspace, pieces, file = memory.seen("")
    assert not workspace
    assert any(pieces)
    assert not any(file[2:])
    size = len(vocabulary.texts)
    token = int(mix(np.full(size, 1 / size, np.float32), memory.evidence("")).argmax())
    assert "Stove".startswith(vocabulary.texts[token])


def test_it_is_off_without_weights(vocabulary: Vocabulary, tmp_path: Path) -> None:
    held = WorkspaceMemories.of_model(vocabulary, tmp_path)
    assert held.remember(remembering(a="x"))["off"]
    assert held.for_completion(context("x"), LINE, workspace="w", end=0) is None
    (tmp_path / WEIGHTS).write_text(json.dumps({"table": [1, 2]}))
    assert WorkspaceMemories.of_model(vocabulary, tmp_path).weights is None


def test_the_bundled_model_has_weights(vocabulary: Vocabulary) -> None:
    folder = bundled_models_folder() / "nano-code"
    assert WorkspaceMemories.of_model(vocabulary, folder).weights is not None


def test_a_long_file_is_cut_into_the_same_tokens_while_its_end_changes(
    vocabulary: Vocabulary,
) -> None:
    ids = TextIds(vocabulary)
    text = "".join(f"name_{number} = {number}\n" for number in range(600))
    found = ids(text + "en")
    assert vocabulary._tokenizer.decode(found) == text + "en"
    assert ids(text + "end")[: len(found) - 10] == found[:-10]


@pytest.mark.parametrize(
    ("prefix", "typed"),
    [
        ("return conf", "conf"),
        ("x.", ""),
        ("x = ", ""),
        ("def f():\n    ", ""),
        ("value\n", ""),
        ("a1", "a1"),
        ("x = 12", ""),
        ("naïve", "ve"),
        ("w" * 41, ""),
    ],
)
def test_where_healing_begins(vocabulary: Vocabulary, prefix: str, typed: str) -> None:
    rolled, found = roll_back(context(prefix), vocabulary)
    assert found == typed
    assert rolled.prefix + found == prefix


def test_only_tokens_that_agree_with_the_letters(vocabulary: Vocabulary) -> None:
    texts = {vocabulary.texts[number] for number in vocabulary.leading_to("retu")}
    assert {"return", "re", "r"} <= texts
    assert all(text.startswith("retu") or "retu".startswith(text) for text in texts)


def test_typed_letters_are_not_shown_again() -> None:
    healed = HealedText("conf", PlainText())
    assert [healed.add(piece) for piece in ("co", "nfi", "g.x")] == ["", "i", "g.x"]
