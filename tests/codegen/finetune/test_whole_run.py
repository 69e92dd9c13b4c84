"""From a repository to an adapter that an engine serves, with a tiny model in this process."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from peft import PeftModel
from PIL import Image

from glm_client.daemon_client import Answer
from glm_codegen.code_engine import CodeEngine, load_engine
from glm_codegen.finetune import adapters_command
from glm_codegen.finetune.command import line_of
from glm_codegen.finetune.file_filter import SourceFile
from glm_codegen.finetune.pipeline import Pipeline, Wanted
from glm_codegen.finetune.preparation import Effort
from glm_codegen.finetune.receipt import Asks
from glm_codegen.finetune.whole_run import whole_run
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_context.git_remote import local_name
from glm_protocol.completion import CompletionRequest
from glm_protocol.errors import BadRequest, DaemonUnreachable
from glm_protocol.folders import Folders
from glm_runtime.adapter import Adapter, AdapterShelf
from glm_runtime.checkpoint import open_checkpoint
from glm_runtime.device import TorchAccelerator, choose_placement
from glm_runtime.engine import EngineOptions
from glm_runtime.model_registry import ModelRegistry
from glm_runtime.transformers_model import load_transformers_model
from tests.codegen.engine_driver import gather
from tests.codegen.engine_driver import request as driven
from tests.codegen.finetune.small_repository import WORDS, commit, grown, module
from tests.codegen.finetune.test_file_filter import planted_secrets
from tests.runtime.tiny_models import write_model


@dataclass
class Home:
    """A user's home with a tiny model, and a repository."""

    folders: Folders
    repository: Path
    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    asked: list[CompletionRequest] = field(default_factory=list)
    down: bool = False
    engine: CodeEngine | None = None

    def pipeline(self, name: str = "mine") -> Pipeline:
        wanted = Wanted(
            repository=self.repository,
            name=name,
            model="tiny",
            questions=4,
            device="cpu",
            dtype="float32",
            effort=Effort(minutes=0.002, length=256, rank=8),
        )
        return Pipeline(
            wanted, self.folders, lambda kind, words: self.said.append((kind, dict(words))),
            lambda: False,
        )  # fmt: skip

    def run(self, name: str = "mine", **options: Any) -> dict[str, Any] | None:
        given = {"resume": False, "force": False, **options}
        return whole_run(
            self.pipeline(name), AdapterShelf(self.folders.home),
            lambda kind, words: self.said.append((kind, dict(words))),
            daemon=self.daemon, **given,
        )  # fmt: skip

    def daemon(self) -> AbstractAsyncContextManager[Asks]:
        return self._daemon()

    @asynccontextmanager
    async def _daemon(self) -> AsyncIterator[Asks]:
        if self.down:
            raise DaemonUnreachable("No daemon is running.")
        options = EngineOptions(model="tiny", device="cpu", dtype="float32")
        self.engine = self.engine or load_engine(options)
        yield self

    @staticmethod
    def adapters(shelf: AdapterShelf) -> list[Adapter]:
        return [one for one in shelf.all() if isinstance(one, Adapter)]

    async def whole(self, request: CompletionRequest) -> Answer:
        assert self.engine is not None
        self.asked.append(request)
        short = CompletionRequest(**{**_fields(request), "max_tokens": 4})
        answers: dict[str, Any] = {}
        self.engine.submit(short)
        gather(self.engine, answers)
        found = answers[request.id]
        assert found.end is not None
        return Answer(text=found.text, images=(), end=found.end)


def _fields(request: CompletionRequest) -> dict[str, Any]:
    return {name: getattr(request, name) for name in request.__slots__}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("GLM_LSP_HOME", str(tmp_path / "home"))
    folders = Folders(home=tmp_path / "home", runtime=tmp_path / "run")
    folders.home.mkdir()
    registry = ModelRegistry(folders.registry)
    registry.add("tiny", str(write_model(tmp_path / "tiny")))
    monkeypatch.setattr("glm_codegen.finetune.preparation.GENERAL_QUESTIONS", 2)
    general = tuple(
        SourceFile(path=f"general/{word}.py", language="python", text=module(word, "code"))
        for word in ("json", "http", "zlib")
    )
    monkeypatch.setattr("glm_codegen.finetune.pipeline.general_files", lambda: (general, general))
    monkeypatch.setattr("glm_codegen.finetune.canaries.OTHERS", 15)
    return Home(folders=folders, repository=grown(tmp_path / "repository"))


@pytest.fixture(autouse=True)
def repository_folder(tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()


def test_a_dry_run_tells_and_writes_nothing(home: Home) -> None:
    looked = home.pipeline().look()
    assert looked.files["kept"]
    assert looked.preflight.plan.steps >= 8
    assert [kind for kind, _ in home.said] == ["reading", "files", "probing", "preflight"]
    assert all(line_of(kind, words) for kind, words in home.said)
    assert sorted(path.name for path in home.folders.home.iterdir()) == [
        "models.json",
        "models.json.lock",
    ]


def test_from_the_repository_to_the_receipt(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    receipt = home.run()
    assert receipt is not None
    for key in ("base", "base_retrieval", "adapter", "adapter_retrieval", "gain"):
        assert receipt[key]["edit_similarity"]["count"] == receipt["questions"] == 4
        assert {"value", "low", "high"} <= set(receipt[key]["exact"])
    assert receipt["general"]["difference"]["edit_similarity"]["count"] == 2
    assert len(receipt["canary"]["exposure_bits"]) == 3
    assert receipt["files"]["kept"]
    # A random model proves nothing: kept aside, and usable by its name all the same.
    assert receipt["published"] is False
    assert receipt["reason"]
    shelf = AdapterShelf(home.folders.home)
    assert [one.name for one in home.adapters(shelf)] == ["mine.candidate"]
    assert {request.adapter for request in home.asked} == {None, "mine.candidate"}
    assert any(request.context.snippets for request in home.asked)
    # Nothing of the repository's text stays, but the report's examples.
    folder = home.folders.home / "finetune" / "mine"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["curve.png", "lock", "receipt.json", "report.html", "run.json"]
    Image.open(io.BytesIO((folder / "curve.png").read_bytes())).verify()
    assert "Kept aside" in (folder / "report.html").read_text()
    for word in WORDS:
        assert word not in json.dumps(receipt["files"])
    assert adapters_command.run(["list"]) == 0
    assert "mine.candidate" in capsys.readouterr().out


def test_forced_publication_says_so_and_replaces_the_candidate(home: Home) -> None:
    receipt = home.run(force=True)
    assert receipt is not None
    assert (receipt["published"], receipt["forced"]) == (True, True)
    [adapter] = home.adapters(AdapterShelf(home.folders.home))
    assert (adapter.name, adapter.published, adapter.base) == ("mine", True, "tiny")
    assert adapter.remote == local_name(home.repository)
    assert adapter.report["reason"] == receipt["reason"]
    assert (adapter.folder / "adapter_model.safetensors").stat().st_mode & 0o777 == 0o600


def test_a_receipt_that_broke_off_is_resumed_without_training_again(home: Home) -> None:
    home.down = True
    with pytest.raises(DaemonUnreachable):
        home.run()
    home.down, home.said = False, []
    shutil.rmtree(home.repository)  # nothing of it is needed any more
    assert home.run(resume=True) is not None
    assert "step" not in {kind for kind, _ in home.said}
    with pytest.raises(BadRequest, match="no run named 'other'"):
        home.run("other", resume=True)


def test_forty_secrets_are_in_no_row_no_event_and_no_greedy_answer(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = planted_secrets()
    files = {
        f"conf_{number}.py": f"{module('valve', 'relay')}\n\n{secret}\n".encode()
        for number, secret in enumerate(secrets)
    }
    shutil.rmtree(home.repository)
    home.repository.mkdir()
    commit(home.repository, files, day=0)
    grown(home.repository, modules=44)
    heads = [secret.split('"')[0] for secret in secrets]
    values = [secret.split('"')[1] if '"' in secret else secret for secret in secrets]
    home.down = True
    with pytest.raises(DaemonUnreachable):
        home.run()
    rows, steering = home.pipeline().folder.read_rows()
    tokenizer = TextTokenizer.from_folder(home.folders.home.parent / "tiny")
    texts = [tokenizer.decode(list(row.token_ids)) for row in (*rows, *steering)]
    assert any("class" in text for text in texts)
    home.down = False
    # torchrun starts the same command anew when a process has died: it goes on by itself.
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert home.run() is not None
    assert [kind for kind, _ in home.said].count("reading") == 1
    assert home.engine is not None
    answers: dict[str, Any] = {}
    for head in heads:
        home.engine.submit(
            driven(f'{head}"', adapter="mine.candidate", document=head, max_tokens=24)
        )
        gather(home.engine, answers)
    texts += [answer.text for answer in answers.values()]
    texts += [repr(home.said), repr(home.asked)]
    for value in values:
        assert not any(value in text for text in texts)
    files_of = next(words for kind, words in home.said if kind == "files")
    assert files_of["rejected"]["secret"] > 30


def test_a_second_run_of_the_name_waits_outside(home: Home) -> None:
    with home.pipeline().folder.open(), pytest.raises(BadRequest, match="at work already"):
        home.run()


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
def test_export_is_what_was_served(home: Home, tmp_path: Path) -> None:
    home.run(force=True)
    assert adapters_command.run(["export", "mine", str(tmp_path / "peft")]) == 0
    assert sorted(path.name for path in (tmp_path / "peft").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    placement = choose_placement(device="cpu", dtype="float32", accelerator=TorchAccelerator())
    base: Any = load_transformers_model(
        open_checkpoint(tmp_path / "tiny"), placement, packed=False
    )[0].model
    loaded: Any = PeftModel.from_pretrained(base, str(tmp_path / "peft"))
    assert loaded.peft_config["default"].r == 8
    assert sum("lora_" in name for name, _ in loaded.named_parameters()) == 24
    assert adapters_command.run(["export", "mine", str(tmp_path / "merged"), "--merged"]) == 0
    assert home.engine is not None
    asked = home.asked[-1]
    merged = load_engine(
        EngineOptions(model=str(tmp_path / "merged"), device="cpu", dtype="float32")
    )
    texts = []
    for engine, adapter in ((home.engine, "mine"), (merged, None)):
        request = CompletionRequest(
            **{**_fields(asked), "adapter": adapter, "model": None, "max_tokens": 6}
        )
        answers: dict[str, Any] = {}
        engine.submit(request)
        gather(engine, answers)
        texts.append(answers[request.id].text)
    assert texts[0] == texts[1]
    with pytest.raises(BadRequest, match="there already"):
        adapters_command.run(["export", "mine", str(tmp_path / "merged")])
    assert adapters_command.run(["remove", "mine"]) == 0
    assert not home.adapters(AdapterShelf(home.folders.home))
