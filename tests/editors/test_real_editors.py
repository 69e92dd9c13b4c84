"""What `drive/` found in the real editors: one test for each of its scenarios.

`scripts/test_editors.sh` sets the environment. An editor that was asked for and cannot be driven
is an error, never a skip.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parent
PLUGIN = FOLDER.parents[1] / "plugin_vscode"
TIMEOUT_S = 400


def scenarios() -> list[tuple[str, str]]:
    """Editor and name of every scenario of the editors asked for, read from the drivers."""
    found = []
    for editor in os.environ["GLM_TEST_EDITORS"].split():
        source = (FOLDER / "drive" / f"{editor}_scenarios.mjs").read_text(encoding="utf-8")
        names = re.findall(r"await scenario\('([^']+)'", source)
        assert names, editor
        found += [(editor, name) for name in names]
    return found


@cache
def results(editor: str) -> dict[str, dict[str, Any]]:
    """Drive one editor through all its scenarios, once."""
    out = Path(os.environ["GLM_EDITORS_OUT"])
    what = os.environ["GLM_NVIM"] if editor == "neovim" else str(next(PLUGIN.glob("*.vsix")))
    installed = os.environ["GLM_EDITORS_INSTALLED"]
    print(f"\n{editor}:", flush=True)
    command = ["node", str(FOLDER / "drive" / "run.mjs"), editor, str(out), installed, what]
    try:
        subprocess.run(command, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        print(f"{editor}: ended after {TIMEOUT_S} s", flush=True)
    report = out / f"{editor}.json"
    if not report.exists():
        return {}
    loaded = json.loads(report.read_text(encoding="utf-8"))
    return {each["name"]: each for each in loaded}


@pytest.mark.e2e
@pytest.mark.parametrize(("editor", "name"), scenarios())
def test_scenario(editor: str, name: str) -> None:
    result = results(editor).get(name)
    assert result is not None, "the editor ended before it came to this"
    assert result["ok"], result.get("error")
