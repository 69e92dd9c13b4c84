"""Writes the settings into doc/glm_lsp.txt, from `glm_protocol.settings`.

Run `.venv/bin/python plugin_nvim/generate_help.py`; `--check` only compares.
"""

from __future__ import annotations

import argparse
import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from glm_protocol.settings import Described, described

HELP = Path(__file__).resolve().parent / "doc" / "glm_lsp.txt"
RULE = "=" * 78
HEAD = re.compile(r"(SETTINGS\t+\*glm_lsp-settings\*\n\n).*?(?=" + RULE + ")", re.DOTALL)
INTRO = """\
`settings = { inlineCompletion = { mode = 'line' } }` sets "glm.inlineCompletion.mode".
A bad value costs only its own setting; one message says which.
"""


def entry(each: Described) -> str:
    """One setting: its key, its default, what it means."""
    text = each.about.text
    choices = [f'"{value}": {meaning}' for value, meaning in each.about.choices.items()]
    lines = [f"{each.key}\t(default {json.dumps(each.default)})"]
    for paragraph in (text, *choices):
        lines += textwrap.wrap(paragraph, 62, initial_indent="\t", subsequent_indent="\t")
    return "\n".join(lines) + "\n"


def settings() -> Iterator[Described]:
    """All but VS Code's own; here `cmd` names the program."""
    return (each for each in described() if not each.key.startswith("glm.server."))


def rendered(old: str) -> str:
    """The help file with today's settings."""
    body = INTRO + "\n" + "\n".join(entry(each) for each in settings()) + "\n"
    new, count = HEAD.subn(lambda found: found[1] + body, old)
    assert count == 1, "the section of the settings was not found"
    return new


def main() -> int:
    """Write, or with `--check` say whether it differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if it would")
    check: bool = parser.parse_args().check
    old = HELP.read_text(encoding="utf-8")
    new = rendered(old)
    if old == new:
        return 0
    print(f"{'out of date' if check else 'written'}: {HELP.name}")
    if not check:
        HELP.write_text(new, encoding="utf-8")
    return int(check)


if __name__ == "__main__":
    raise SystemExit(main())
