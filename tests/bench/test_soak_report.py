"""The page of a soak: rounds that passed, failed, or never came to a result."""

from __future__ import annotations

import json
from pathlib import Path

from bench.soak_report import report


def test_every_round_is_told(tmp_path: Path) -> None:
    good = {"name": "starts", "ok": True, "figures": {"activation_ms": 30}}
    bad = {"name": "types", "ok": False, "figures": {"back_after_ms": [100, 900]}}
    for name, status, vscode in (("01", 0, [good]), ("02", 1, [good, bad]), ("03", 124, None)):
        (tmp_path / name / "out").mkdir(parents=True)
        (tmp_path / name / "status").write_text(f"{status}\n")
        (tmp_path / name / "seconds").write_text("7\n")
        if vscode is not None:
            (tmp_path / name / "out" / "vscode.json").write_text(json.dumps(vscode))
    page = report(tmp_path, 60)
    assert "1 of 3 rounds" in page
    assert "| 01 | 1 of 1 | 0 of 0 | 7 | passed |" in page
    assert "| 02 | 1 of 2 | 0 of 0 | 7 | vscode: types |" in page
    assert "| 03 | 0 of 0 | 0 of 0 | 7 | exit code 124 |" in page
    assert "| vscode | 500.0 | 900.0 | 2 |" in page
    assert "did not run" in page
