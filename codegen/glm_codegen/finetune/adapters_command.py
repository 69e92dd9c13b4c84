"""`glm-lsp adapters list|show|remove|export`: the adapters of this user."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glm_protocol.errors import ModelUnusable
from glm_protocol.folders import user_folders
from glm_runtime.adapter import Adapter, AdapterShelf


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glm-lsp adapters", description="Adapters made by `glm-lsp finetune`."
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|show|remove|export")
    listing = actions.add_parser("list", help="every adapter, published or kept aside")
    listing.add_argument("--json", action="store_true", help="print one JSON object")
    show = actions.add_parser("show", help="one adapter with its receipt, as JSON")
    show.add_argument("name")
    remove = actions.add_parser("remove", help="delete an adapter")
    remove.add_argument("name")
    export = actions.add_parser(
        "export", help="write a folder that vLLM and peft load, or a merged model"
    )
    export.add_argument("name")
    export.add_argument("folder", type=Path, help="to be made; must not be there")
    export.add_argument(
        "--merged", action="store_true", help="the whole model with the adapter in its weights"
    )
    return parser


def run(argv: Sequence[str]) -> int:
    """The `adapters` subcommand."""
    options = arguments().parse_args(argv)
    shelf = AdapterShelf(user_folders().home)
    match options.action:
        case "list":
            _list(shelf, as_json=options.json)
        case "show":
            print(json.dumps(_wire(shelf.get(options.name)), indent=1))
        case "remove":
            shelf.remove(options.name)
            print(f"removed {options.name}")
        case "export":
            # Imported here: torch takes seconds, and listing needs none of it.
            from glm_codegen.finetune.export import export_adapter, export_merged

            write = export_merged if options.merged else export_adapter
            write(shelf.get(options.name), options.folder)
            print(options.folder)
    return 0


def _wire(adapter: Adapter) -> dict[str, Any]:
    return {"name": adapter.name, "folder": str(adapter.folder), **adapter.manifest()}


def _list(shelf: AdapterShelf, *, as_json: bool) -> None:
    found = list(shelf.all())
    sound = [adapter for adapter in found if isinstance(adapter, Adapter)]
    for broken in (one for one in found if isinstance(one, ModelUnusable)):
        print(f"glm-lsp: {broken}", file=sys.stderr)
    if as_json:
        rows = [{**_wire(adapter), "gain": adapter.gain} for adapter in sound]
        for row in rows:
            del row["report"]
        print(json.dumps({"adapters": rows}))
        return
    if not sound:
        print("no adapters yet; make one with `glm-lsp finetune REPO`")
        return
    print(f"{'name':<28} {'model':<16} {'state':<11} {'gain':>7}  {'made':<10}  repository")
    for adapter in sound:
        gain = "–" if adapter.gain is None else f"{adapter.gain:+.3f}"
        state = "published" if adapter.published else "kept aside"
        made = time.strftime("%Y-%m-%d", time.localtime(adapter.created))
        print(
            f"{adapter.name:<28} {adapter.base:<16} {state:<11} {gain:>7}  {made}  {adapter.remote}"
        )
