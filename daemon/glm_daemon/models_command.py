"""`glm-lsp models`: list, show, add, remove, choose and convert models. Loads none of them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glm_protocol.errors import BadRequest
from glm_protocol.folders import user_folders
from glm_runtime.free_memory import free_cpu_bytes
from glm_runtime.model_family import FAMILIES
from glm_runtime.model_registry import ModelRegistry, ModelSpec
from glm_runtime.weight_files import weight_files

SHARE_OF_FREE = 0.8  # of the memory; the rest is for the KV cache and the user
SHOWN_KEYS = ("model_type", "hidden_size", "num_hidden_layers", "max_position_embeddings")


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glm-lsp models", description="The models that can be asked for."
    )
    parser.add_argument("--json", action="store_true", help="print JSON (list, info)")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    listing = actions.add_parser("list", help="every model; * marks the default of a family")
    info = actions.add_parser("info", help="what is known of one model without loading it")
    info.add_argument("name")
    add = actions.add_parser("add", help="register a folder with safetensors, or a hub id")
    add.add_argument("name")
    add.add_argument("source", metavar="PATH|ID")
    remove = actions.add_parser("remove", help="forget an added model; its files stay")
    remove.add_argument("name")
    default = actions.add_parser("default", help="use this model when none is named")
    default.add_argument("name")
    # Named here for the help alone: `run` hands its arguments on, see glm_codegen.convert.
    actions.add_parser("convert", help="published CodeGeeX and ChatGLM weights to safetensors")
    for action in (listing, info):
        hint = "print JSON"
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=hint)
    return parser


def describe(spec: ModelSpec) -> dict[str, Any]:
    """Plain facts of a model, from its folder where there is one. Raises BadRequest."""
    facts: dict[str, Any] = {
        "name": spec.name,
        "source": spec.source,
        "family": spec.family,
        "bundled": spec.bundled,
    }
    folder = spec.folder
    if folder is None:
        return facts
    config = folder / "config.json"
    try:
        keys = json.loads(config.read_text(encoding="utf-8"))
        weights = [file.stat().st_size for file in folder.glob("*.safetensors")]
    except (OSError, ValueError) as error:
        raise BadRequest(
            f"{config} cannot be read ({type(error).__name__}).",
            remedy="Fetch the model's folder again, or remove the model from the list.",
        ) from error
    facts |= {key: keys[key] for key in SHOWN_KEYS if key in keys}
    facts["architecture"] = (keys.get("architectures") or [""])[0]
    if "glm_trained_length" in keys:
        facts["trained_length"] = keys["glm_trained_length"]
    facts["weights_bytes"] = sum(weights)
    card = folder / "README.md"
    if card.is_file():
        facts["card"] = str(card)
    return facts


def show_list(registry: ModelRegistry, *, as_json: bool) -> None:
    defaults = {registry.default_of(family) for family in FAMILIES}
    models = registry.models()
    if as_json:
        rows = [
            {
                "name": spec.name,
                "source": spec.source,
                "family": spec.family,
                "default": spec.name in defaults,
            }
            for spec in models
        ]
        print(json.dumps(rows))
        return
    for spec in models:
        mark = "*" if spec.name in defaults else " "
        origin = "comes with glm-lsp" if spec.bundled else spec.source
        print(f"{mark} {spec.name:<24} {spec.family:<8} {origin}")
    if not models:
        print("no models; add one: glm-lsp models add NAME PATH")


def show_info(spec: ModelSpec, *, as_json: bool) -> None:
    facts = describe(spec)
    if as_json:
        print(json.dumps(facts))
        return
    for key, value in facts.items():
        print(f"{key.replace('_', ' '):<24} {value}")


def added(registry: ModelRegistry, name: str, source: str) -> str:
    """Register, after a look at the folder, so that a wrong one is said at once."""
    folder = Path(source).expanduser()
    need = memory_need(weight_files(folder)) if folder.is_dir() else ""
    spec = registry.add(name, source)
    return f"added {name}: {spec.source}{need}"


def memory_need(weights: Sequence[Path]) -> str:
    """What the weights take of this machine's memory, as a second line."""
    needed = sum(file.stat().st_size for file in weights)
    free = free_cpu_bytes()
    said = f"\nits weights take {needed / 1e9:.2g} GB, and {free / 1e9:.1f} GB of memory are free"
    if needed > SHARE_OF_FREE * free:
        said += ": too much for now; close other programs, or quantise it (see models convert)"
    return said


def run(argv: Sequence[str]) -> int:
    """The `models` subcommand. Raises GlmError."""
    if argv and argv[0] == "convert":
        from importlib import import_module

        pictures = import_module("glm_t2i.convert_command").run(argv[1:])
        if pictures is not None:
            return int(pictures)
        convert = import_module("glm_codegen.convert.command")
        return int(convert.run(argv[1:]))
    options = arguments().parse_args(argv)
    registry = ModelRegistry(Path(user_folders().registry))
    match options.action:
        case None | "list":
            show_list(registry, as_json=options.json)
        case "info":
            show_info(registry.resolve(options.name), as_json=options.json)
        case "add":
            print(added(registry, options.name, options.source))
        case "remove":
            registry.remove(options.name)
            print(f"removed {options.name}; its files are where they were")
        case "default":
            registry.set_default(options.name)
            print(f"the default is now {options.name}")
    for message in registry.messages:
        print(f"note: {message}")
    return 0
