"""Renders docs/settings.md from the definition: `python -m glm_protocol.settings_doc > FILE`."""

from __future__ import annotations

import json
from enum import StrEnum

from glm_protocol.settings import Described, described

HEAD = """<!-- Made by `python -m glm_protocol.settings_doc`; do not edit. -->
# Settings

Section `glm` of the editor's settings. The language server asks the editor for them and reads no
settings file itself. A bad value costs only its own key: the default is used and one message says
which.

Settings of scope `machine` choose what is executed or where code is sent. They belong into the
user's settings; a workspace must not set them (the VS Code extension declares this, and VS Code
then ignores workspace values).
"""


def kind_of(each: Described) -> str:
    """The type in words."""
    about = each.about
    if each.kind is int:
        return f"whole number, {about.least} to {about.most}"
    if isinstance(each.kind, type) and issubclass(each.kind, StrEnum):
        return "one of " + ", ".join(f"`{value}`" for value in each.kind)
    return {bool: "true or false", str: "text", "list": "list of texts"}[each.kind]


def render() -> str:
    """The whole page."""
    parts = [HEAD]
    for each in described():
        default = json.dumps(each.default)
        parts.append(f"\n## `{each.key}`\n\n{each.about.text}\n")
        parts.append(f"\n- Type: {kind_of(each)}\n- Default: `{default}`\n")
        parts.append(f"- Scope: `{each.about.scope}`\n")
        parts += [f"- `{value}`: {text}\n" for value, text in each.about.choices.items()]
    return "".join(parts)


if __name__ == "__main__":
    print(render(), end="")
