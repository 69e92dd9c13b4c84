"""Writes the settings into package.json and package.nls.json, from `glm_protocol.settings`.

Run `.venv/bin/python plugin_vscode/scripts/generate_settings.py`; `--check` only compares.
The Chinese texts in package.nls.zh-cn.json are written by hand; a test says which are missing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any

from glm_protocol.settings import Described, Scope, described

FOLDER = Path(__file__).resolve().parents[1]
GROUPS = {  # second word of the key: title; settings without one are general
    "": "General",
    "inlineCompletion": "Ghost Text",
    "completion": "Completion Menu",
    "context": "Context",
    "server": "Language Server",
    "daemon": "Daemon",
    "trace": "Log",
}


def group_of(key: str) -> str:
    """`glm.daemon.url` → `daemon`; `glm.enable` → nothing."""
    words = key.split(".")
    return words[1] if len(words) > 2 else ""


def schema(each: Described) -> dict[str, Any]:
    """One property of `contributes.configuration`."""
    about = each.about
    value: dict[str, Any]
    if isinstance(each.kind, type) and issubclass(each.kind, StrEnum):
        names = [str(choice) for choice in each.kind]
        texts = [f"%config.{each.key}.{name}%" for name in names]
        value = {"type": "string", "enum": names, "markdownEnumDescriptions": texts}
    elif each.kind is bool:
        value = {"type": "boolean"}
    elif each.kind is int:
        value = {"type": "integer", "minimum": about.least, "maximum": about.most}
    elif each.kind is str:
        value = {"type": "string", "maxLength": about.max_length}
    else:
        items = {"type": "string"}
        value = {
            "type": "array",
            "items": items,
            "maxItems": about.max_length,
            "uniqueItems": True,
        }
    default = list(each.default) if isinstance(each.default, tuple) else each.default
    text = {"markdownDescription": f"%config.{each.key}%"}
    return {**value, "default": default, "scope": str(about.scope), **text}


def texts(settings: Iterable[Described]) -> dict[str, str]:
    """English texts by the keys that `schema` refers to; names of settings become links."""
    settings = list(settings)
    found = {f"config.group.{group or 'general'}": title for group, title in GROUPS.items()}
    for each in settings:
        found[f"config.{each.key}"] = each.about.text
        for name, meaning in each.about.choices.items():
            found[f"config.{each.key}.{name}"] = meaning
    for each in settings:
        for key, text in found.items():
            found[key] = text.replace(f"`{each.key}`", f"`#{each.key}#`")
    return found


def groups(settings: Iterable[Described]) -> list[dict[str, Any]]:
    """The whole `contributes.configuration`. Raises KeyError for a group without a title."""
    by_group: dict[str, dict[str, Any]] = {name: {} for name in GROUPS}
    for each in settings:
        by_group[group_of(each.key)][each.key] = schema(each)
    return [
        {"title": f"%config.group.{name or 'general'}%", "properties": properties}
        for name, properties in by_group.items()
        if properties
    ]


def generated() -> dict[Path, str]:
    """The files as they should be."""
    settings = list(described())
    manifest_path, nls_path = FOLDER / "package.json", FOLDER / "package.nls.json"
    manifest = json.loads(manifest_path.read_text(encoding="utf-8"))
    manifest["contributes"]["configuration"] = groups(settings)
    manifest["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"] = [
        each.key for each in settings if each.about.scope is Scope.MACHINE
    ]
    nls = json.loads(nls_path.read_text(encoding="utf-8"))
    own = {key: text for key, text in nls.items() if not key.startswith("config.")}
    contents = {manifest_path: manifest, nls_path: {**own, **texts(settings)}}
    return {
        path: json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        for path, content in contents.items()
    }


def main() -> int:
    """Write, or with `--check` say what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if it would")
    check: bool = parser.parse_args().check
    stale = [path for path, text in generated().items() if path.read_text(encoding="utf-8") != text]
    for path in stale:
        print(f"{'out of date' if check else 'written'}: {path.name}")
        if not check:
            path.write_text(generated()[path], encoding="utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main())
