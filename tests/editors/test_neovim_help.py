"""The Neovim plug-in's help against the settings' definition and against its own code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PLUGIN = Path(__file__).resolve().parents[2] / "plugin_nvim"
HELP = (PLUGIN / "doc" / "glm_lsp.txt").read_text(encoding="utf-8")


def test_the_help_is_what_the_definition_generates() -> None:
    script = PLUGIN / "generate_help.py"
    done = subprocess.run(
        [sys.executable, "-P", script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run {script.name}: {done.stdout}{done.stderr}"


def test_every_command_and_map_is_in_the_help() -> None:
    commands = (PLUGIN / "lua" / "glm_lsp" / "commands.lua").read_text(encoding="utf-8")
    table = commands.split("local commands = {", 1)[1].split("\n}\n", 1)[0]
    names = re.findall(r"^  (\w+) = \{", table, re.MULTILINE)
    assert len(names) > 5
    for name in names:
        assert re.search(rf"^:(\[range\])?GLM {name}\b", HELP, re.MULTILINE), name
    entry = (PLUGIN / "plugin" / "glm_lsp.lua").read_text(encoding="utf-8")
    for name in re.findall(r"plug\('([\w-]+)'", entry):
        assert f"<Plug>(glm-{name})" in HELP


def test_every_option_is_in_the_help() -> None:
    config = (PLUGIN / "lua" / "glm_lsp" / "config.lua").read_text(encoding="utf-8")
    for name in re.findall(r"---@field (\w+)\?", config):
        assert re.search(rf"^{name}\t", HELP, re.MULTILINE), name


def test_help_lines_are_not_too_long() -> None:
    for line in HELP.splitlines():
        assert len(line.expandtabs(8)) <= 90, line
