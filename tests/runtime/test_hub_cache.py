"""Hub ids are looked up on disk; nothing is fetched."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import constants

from glm_protocol.errors import ModelUnusable
from glm_runtime.hub_cache import cached_folder


def test_the_fetched_state_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--owner--name"
    snapshot = repository / "snapshots" / "abc123"
    snapshot.mkdir(parents=True)
    with pytest.raises(ModelUnusable, match="not on this machine"):
        cached_folder("owner/name")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc123\n")
    assert cached_folder("owner/name") == snapshot


@pytest.mark.parametrize("commit", ["", "../../../elsewhere", "gone", "é"])
def test_a_broken_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commit: str) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    refs = tmp_path / "models--owner--name" / "refs"
    refs.mkdir(parents=True)
    (refs / "main").write_text(commit)
    with pytest.raises(ModelUnusable, match="hf download owner/name"):
        cached_folder("owner/name")
