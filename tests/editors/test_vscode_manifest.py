"""The extension's manifest against the settings' definition, and its texts in both languages.

Runs without Node: what it reads are the files that are packed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "plugin_vscode"


def load(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PLUGIN / name).read_text(encoding="utf-8"))
    return loaded


def settings() -> dict[str, dict[str, Any]]:
    groups = load("package.json")["contributes"]["configuration"]
    return {key: value for group in groups for key, value in group["properties"].items()}


def test_the_manifest_is_what_the_definition_generates() -> None:
    script = PLUGIN / "scripts" / "generate_settings.py"
    done = subprocess.run(
        [sys.executable, "-P", script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run {script.name}: {done.stdout}{done.stderr}"


def test_what_chooses_programs_models_or_addresses_is_the_machines_alone() -> None:
    risky = re.compile(
        r"path|file|url|host|command|args|env|token(?!s)|model|adapter", re.IGNORECASE
    )
    restricted = load("package.json")["capabilities"]["untrustedWorkspaces"][
        "restrictedConfigurations"
    ]
    found = [key for key in settings() if risky.search(key.removeprefix("glm."))]
    assert "glm.server.path" in found
    for key in found:
        assert settings()[key]["scope"] == "machine", key
        assert key in restricted


def placeholders(value: object) -> set[str]:
    return set(re.findall(r'"%([^%"]+)%"', json.dumps(value)))


@pytest.mark.parametrize("name", ["package.nls.json", "package.nls.zh-cn.json"])
def test_every_text_of_the_manifest_is_there(name: str) -> None:
    wanted = placeholders(load("package.json"))
    unused_titles = {key for key in load(name) if key.startswith("config.group.")}
    assert set(load(name)) - unused_titles == wanted - unused_titles
    assert wanted <= set(load(name))


def test_every_text_of_the_code_is_translated() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in PLUGIN.glob("src/*.ts"))
    used = {
        text.replace('\\"', '"').replace("\\'", "'")
        for text in re.findall(r"l10n\.t\('((?:[^'\\]|\\.)*)'", source)
    }
    assert used
    assert set(load("l10n/bundle.l10n.zh-cn.json")) == used


def test_every_command_is_registered_and_named() -> None:
    source = (PLUGIN / "src" / "commands.ts").read_text(encoding="utf-8")
    for command in load("package.json")["contributes"]["commands"]:
        assert f"'{command['command']}':" in source
        assert command["category"] == "GLM"
        assert not command["command"].startswith(
            "glm.server."
        )  # the server's own, registered by it


def test_the_lock_file_records_no_addresses() -> None:
    for lock in (
        PLUGIN / "package-lock.json",
        Path(__file__).parent / "install" / "package-lock.json",
    ):
        assert '"resolved"' not in lock.read_text(encoding="utf-8"), lock
