"""The card: its figures are those that were measured, its categories those that are measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from glm_vision.evaluate.cases import cases
from glm_vision.evaluate.font_files import FOLDERS, FontFiles, find_fonts
from recipes.nano_vision import report


def test_every_target_is_a_category_that_is_measured() -> None:
    found = find_fonts(FOLDERS)
    fonts = FontFiles(trained=found.trained, unseen=found.unseen or found.trained[:1])
    measured = {case.category for case in cases(1, 1, fonts)}
    assert set(report.WANTED) <= measured


def test_renewing_measures_keeps_and_writes_the_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The measuring itself is tested where it is; here it is told."""
    shipped = report.RESULTS
    (tmp_path / "curve.csv").write_bytes((shipped / "curve.csv").read_bytes())
    (tmp_path / "screens.json").write_bytes((shipped / "screens.json").read_bytes())
    row = {"mean": 0.123, "whole": 0.5, "n": 7, "seconds": 0.1}
    scores: dict[str, Any] = {"seed": 3, "scores": {"diagram: flow": row}, "mermaid_parses": 1.0}
    asked: dict[str, Any] = {}

    def measured(engine: Any, fonts: Any, **more: Any) -> tuple[dict[str, Any], Image.Image]:
        asked.update(more)
        return scores, Image.new("RGB", (4, 4))

    monkeypatch.setattr(report, "RESULTS", tmp_path)
    monkeypatch.setattr(report, "CARD", tmp_path)
    monkeypatch.setattr(report, "measured", measured)
    none = tmp_path / "none"
    report.main(["--renew", "--count", "7", "--seed", "3", "--screens", str(none)])
    assert asked == {"count": 7, "seed": 3}
    assert "scripts/screens.sh" in capsys.readouterr().out
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| diagram: flow | 0.123 | 0.80 | 0.500 | 7 | 0.10 |" in card
    assert (tmp_path / "failures.png").is_file()
    monkeypatch.setattr(report, "measured_screens", lambda *_, **__: {"kinds": {}, "screens": {}})
    none.mkdir()
    report.main(["--renew", "--screens", str(none)])
    assert '"kinds": {}' in (tmp_path / "screens.json").read_text(encoding="utf-8")
