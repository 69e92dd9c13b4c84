"""Text to ids with the released sentencepiece model, where both it and the package are there."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import pytest

from glm_protocol.errors import ModelUnusable, Unsupported
from glm_t2i.pipelines.text_pieces import TextPieces

INSTALLED = importlib.util.find_spec("sentencepiece") is not None
MODEL = os.environ.get("GLM_TEST_COGVIEW_TEXT_MODEL", "")


@pytest.mark.skipif(INSTALLED, reason="sentencepiece is installed")
def test_missing_package_is_told_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="pip install sentencepiece"):
        TextPieces(tmp_path / "none.model", first_id=8192)


@pytest.mark.skipif(not INSTALLED, reason="sentencepiece is not installed")
def test_files_that_are_no_text_model(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="There is no text tokenizer"):
        TextPieces(tmp_path / "none.model", first_id=8192)
    (tmp_path / "broken.model").write_bytes(b"no model")
    with pytest.raises(ModelUnusable, match="not a sentencepiece model"):
        TextPieces(tmp_path / "broken.model", first_id=8192)


@pytest.mark.skipif(
    not (INSTALLED and MODEL), reason="needs sentencepiece and GLM_TEST_COGVIEW_TEXT_MODEL"
)
def test_released_ids(data: Path) -> None:
    pieces = TextPieces(Path(MODEL), first_id=8192)
    for case in json.loads((data / "cogview1_tokenizer.json").read_text())["cases"]:
        assert pieces.encode(case["text"]) == case["ids"]
