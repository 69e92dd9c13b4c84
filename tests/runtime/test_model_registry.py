"""The registry: round trips, refusals, a corrupt file, writers at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from glm_protocol.errors import BadRequest, ModelUnknown
from glm_runtime.model_registry import ModelRegistry, ModelSpec, bundled_models_folder


@pytest.fixture
def bundled(tmp_path: Path) -> Path:
    folder = tmp_path / "bundled" / "nano-code"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder.parent


@pytest.fixture
def registry(tmp_path: Path, bundled: Path) -> ModelRegistry:
    return ModelRegistry(tmp_path / "home" / "models.json", bundled=bundled)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    folder = tmp_path / "weights of mine"
    folder.mkdir()
    return folder


def names(registry: ModelRegistry) -> list[str]:
    return [spec.name for spec in registry.models()]


def test_bundled_models_are_there_before_anything(registry: ModelRegistry, bundled: Path) -> None:
    assert names(registry) == ["nano-code"]
    assert registry.default == "nano-code"
    spec = registry.resolve()
    assert spec.bundled
    assert spec.folder == bundled / "nano-code"
    assert bundled_models_folder().name in ("models", "bundled_models")


def test_round_trip(registry: ModelRegistry, tmp_path: Path, bundled: Path, mine: Path) -> None:
    registry.add("mine", str(mine))
    registry.add("a.hub_one-2", "owner/name-7B")
    registry.set_default("mine")
    again = ModelRegistry(tmp_path / "home" / "models.json", bundled=bundled)
    assert names(again) == ["nano-code", "a.hub_one-2", "mine"]
    assert again.default == "mine"
    assert again.resolve() == ModelSpec(name="mine", source=str(mine))
    assert again.resolve("a.hub_one-2").folder is None
    again.remove("mine")
    assert again.default == "nano-code"
    assert names(registry) == ["nano-code", "a.hub_one-2"]
    assert not again.messages


def test_a_name_can_be_given_another_source(registry: ModelRegistry, mine: Path) -> None:
    registry.add("m", "owner/name")
    registry.add("m", str(mine))
    assert registry.resolve("m").folder == mine


@pytest.mark.parametrize(
    "name", ["", "a b", "a/b", "..", ".", "ä", "x" * 65, "a\n", "nano-code", "fake"]
)
def test_bad_names(registry: ModelRegistry, mine: Path, name: str) -> None:
    with pytest.raises(BadRequest):
        registry.add(name, str(mine))
    assert names(registry) == ["nano-code"]


@pytest.mark.parametrize("source", ["", "nowhere", "/nowhere/at/all", "../x", "./a/b", "a/b/c"])
def test_bad_sources(registry: ModelRegistry, source: str) -> None:
    with pytest.raises(BadRequest, match="no model folder"):
        registry.add("m", source)


def test_resolve_a_path_or_a_hub_id(registry: ModelRegistry, mine: Path) -> None:
    assert registry.resolve(str(mine)) == ModelSpec(name="weights of mine", source=str(mine))
    assert registry.resolve("owner/name") == ModelSpec(name="owner/name", source="owner/name")


@pytest.mark.parametrize("name", ["unknown", "/nowhere", "../..\0", "x" * 9999, ""])
def test_unknown_names(registry: ModelRegistry, name: str) -> None:
    with pytest.raises(ModelUnknown, match="known are: nano-code"):
        registry.resolve(name)
    with pytest.raises(ModelUnknown):
        registry.set_default(name)
    with pytest.raises(ModelUnknown):
        registry.remove(name)


def test_bundled_cannot_be_removed(registry: ModelRegistry) -> None:
    with pytest.raises(BadRequest, match="comes with"):
        registry.remove("nano-code")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"version": 3, "models": {}, "defaults": {}}',
        b'{"version": 2, "models": {"a": {"source": "x"}}, "defaults": {}}',
        b'{"version": 1, "models": {"a": {"source": "x", "capabilities": [], "z": 1}}}',
        b'{"version": 1, "models": []}',
        b"[" * 100_000,
    ],
)
def test_a_corrupt_file_is_set_aside(
    tmp_path: Path, bundled: Path, mine: Path, content: bytes
) -> None:
    file = tmp_path / "models.json"
    for number in (1, 2):
        file.write_bytes(content)
        registry = ModelRegistry(file, bundled=bundled)
        assert names(registry) == ["nano-code"]
        aside = tmp_path / f"models.json.corrupt-{number}"
        assert aside.read_bytes() == content
        assert str(aside) in registry.messages[0]
        assert not file.exists()
    registry.add("m", str(mine))
    assert names(registry) == ["nano-code", "m"]


ADD_MANY = """
import sys
from pathlib import Path
from glm_runtime.model_registry import ModelRegistry
file, bundled, source, worker = sys.argv[1:]
registry = ModelRegistry(Path(file), bundled=Path(bundled))
for i in range(5):
    registry.add(f"m-{worker}-{i}", source)
"""


def test_writers_at_the_same_time_lose_nothing(
    registry: ModelRegistry, tmp_path: Path, bundled: Path, mine: Path
) -> None:
    file = str(tmp_path / "home" / "models.json")
    command = [sys.executable, "-c", ADD_MANY, file, str(bundled), str(mine)]
    writers = [subprocess.Popen([*command, str(worker)]) for worker in range(3)]
    assert [writer.wait(30) for writer in writers] == [0, 0, 0]
    assert len(names(registry)) == 16
    left = sorted(path.name for path in (tmp_path / "home").iterdir())
    assert left == ["models.json", "models.json.lock"]
    assert json.loads(Path(file).read_text())["version"] == 2


def test_the_registry_needs_no_torch() -> None:
    code = "import glm_runtime.model_registry, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
