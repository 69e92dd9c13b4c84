"""Every number, string and list that a caller can send has a maximum (T-14)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from glm_daemon.access import AccessRules
from glm_daemon.app import create_app
from glm_daemon.daemon_state import DaemonState
from glm_daemon.engine_pool import EnginePool
from glm_daemon.metrics import Metrics
from glm_daemon.model_table import ModelTable
from glm_daemon.serve_options import Patience
from glm_runtime.engine import EngineOptions

NEEDED = {
    "integer": ("maximum", "exclusiveMaximum"),
    "number": ("maximum", "exclusiveMaximum"),
    "string": ("maxLength", "enum", "const"),
    "array": ("maxItems",),
}


def openapi() -> dict[str, Any]:
    models = ModelTable(registry=Path("/nonexistent"), options=EngineOptions(model="fake"))
    metrics = Metrics()
    pool = EnginePool(models=models, metrics=metrics, patience=Patience())
    state = DaemonState(pool=pool, metrics=metrics, drain=lambda: None)
    return create_app(state, AccessRules()).openapi()


def unbounded(schema: Any, document: dict[str, Any], where: str) -> Iterator[str]:
    """Places below `schema` that lack a bound."""
    if isinstance(schema, list):
        for number, item in enumerate(schema):
            yield from unbounded(item, document, f"{where}.{number}")
    if not isinstance(schema, dict):
        return
    if ref := schema.get("$ref"):
        name = ref.rpartition("/")[2]
        yield from unbounded(document["components"]["schemas"][name], document, f"{where}/{name}")
    kind = schema.get("type")
    bounds = NEEDED.get(kind, ()) if isinstance(kind, str) else ()  # else a field called "type"
    if bounds and not any(word in schema for word in bounds):
        yield where
    extra = schema.get("additionalProperties")
    if kind == "object" and extra not in (None, False):
        bounded = isinstance(extra, dict) and "maxProperties" in schema  # values: walked below
        if not bounded:
            yield f"{where} (open mapping)"
    for key, value in schema.items():
        if key not in ("default", "enum", "title", "description"):
            yield from unbounded(value, document, f"{where}.{key}")


def test_everything_has_a_maximum() -> None:
    document = openapi()
    inputs = 0
    found: list[str] = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts = {key: operation.get(key) for key in ("requestBody", "parameters")}
            inputs += sum(part is not None for part in parts.values())
            found += unbounded(list(parts.values()), document, f"{method} {path}")
    assert inputs >= 4
    assert found == []


def test_the_walk_finds_what_it_should() -> None:
    schema = {"properties": {"n": {"type": "integer"}, "s": {"anyOf": [{"type": "string"}]}}}
    assert len(list(unbounded(schema, {}, "x"))) == 2
    mapping = {"type": "object", "additionalProperties": {"type": "string"}}
    assert len(list(unbounded(mapping, {}, "x"))) == 2
    assert len(list(unbounded({**mapping, "maxProperties": 4}, {}, "x"))) == 1
