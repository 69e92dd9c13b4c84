"""The object that `glm-lsp eval repo --json` prints, its table, and the comparison of two.

    {"format": 1, "repository", "model", "adapter", "settings", "metrics": {"all": …,
     "kind": {kind: …}, "language": {language: …}}, "latency_ms": {stage: {"p50", "p95"}},
     "holes": [figures of each place, no code]}

A group of metrics is {name: {"value", "low", "high", "n"}}.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from glm_codegen.evaluate.intervals import estimate, quantile
from glm_protocol.errors import BadRequest

FORMAT = 1
METRICS = {
    "exact": "exact match",
    "similarity": "edit similarity",
    "identifier_f1": "identifier F1",
    "keystrokes_saved": "keystrokes saved",
    "broken": "breaks the parse",
    "suffix_repetition": "repeats the suffix",
    "shown": "shown at the dial",
    "quiet": "quiet where nothing is missing",
}
STAGES = ("prompt_ms", "prefill_ms", "decode_ms", "first_ms", "total_ms")
Figures = Mapping[str, Any]


def metrics_of(holes: Sequence[Figures]) -> dict[str, Any]:
    """Each metric over those places that have it."""
    found = {}
    for name in METRICS:
        one = estimate([float(hole[name]) for hole in holes if name in hole])
        if one is not None:
            found[name] = asdict(one)
    return found


def evaluation(
    holes: Sequence[Figures], *, repository: str, model: str, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The whole object."""

    def grouped(key: str) -> dict[str, Any]:
        names = sorted({str(hole[key]) for hole in holes})
        return {name: metrics_of([h for h in holes if h[key] == name]) for name in names}

    latency = {}
    for stage in STAGES:
        values = [float(hole[stage]) for hole in holes if stage in hole]
        if values:
            latency[stage.removesuffix("_ms")] = {
                "p50": round(quantile(values, 0.5), 1),
                "p95": round(quantile(values, 0.95), 1),
            }
    return {
        "format": FORMAT,
        "repository": repository,
        "model": model,
        "settings": dict(settings),
        "metrics": {
            "all": metrics_of(holes),
            "kind": grouped("kind"),
            "language": grouped("language"),
        },
        "latency_ms": latency,
        "holes": [dict(hole) for hole in holes],
    }


def read_evaluation(path: Path) -> dict[str, Any]:
    """Raises BadRequest for a file that is none."""
    try:
        wire = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadRequest(f"{path} cannot be read ({error}).") from error
    if not isinstance(wire, dict) or wire.get("format") != FORMAT or "holes" not in wire:
        raise BadRequest(
            f"{path} is no evaluation.", remedy="Make one: glm-lsp eval repo PATH --json > A.json"
        )
    return wire


def comparison(a: Figures, b: Figures) -> dict[str, Any]:
    """`b` minus `a` over the places that both have, with paired intervals, by group."""
    held = {hole["id"]: hole for hole in a["holes"]}
    pairs = [(held[hole["id"]], hole) for hole in b["holes"] if hole["id"] in held]
    if not pairs:
        raise BadRequest(
            "The two runs have no place in common.",
            remedy="Run both on the same files with the same --holes and --seed.",
        )

    def differences(chosen: Iterable[tuple[Figures, Figures]]) -> dict[str, Any]:
        chosen = list(chosen)
        found = {}
        for name in METRICS:
            both = [(one, two) for one, two in chosen if name in one and name in two]
            gap = estimate([float(two[name]) - float(one[name]) for one, two in both])
            if gap is not None:
                a_mean = sum(float(one[name]) for one, _ in both) / len(both)
                b_mean = sum(float(two[name]) for _, two in both) / len(both)
                found[name] = {"a": round(a_mean, 4), "b": round(b_mean, 4), **asdict(gap)}
        return found

    def grouped(key: str) -> dict[str, Any]:
        names = sorted({str(one[key]) for one, _ in pairs})
        return {name: differences(p for p in pairs if p[0][key] == name) for name in names}

    return {
        "format": FORMAT,
        "a": {"repository": a["repository"], "model": a["model"], "settings": a["settings"]},
        "b": {"repository": b["repository"], "model": b["model"], "settings": b["settings"]},
        "differences": {
            "all": differences(pairs),
            "kind": grouped("kind"),
            "language": grouped("language"),
        },
    }


def _percent(one: Figures) -> str:
    return f"{100 * one['value']:6.1f} ({100 * one['low']:.1f} to {100 * one['high']:.1f})"


def table(wire: Figures) -> str:
    """An evaluation for people, in percent with 95 % intervals."""
    lines = [f"{wire['repository']}, {wire['model']}: {len(wire['holes'])} places"]
    groups = {"all": wire["metrics"]["all"], **wire["metrics"]["kind"]}
    for group, found in groups.items():
        for name, one in found.items():
            lines.append(f"  {group:<11}{METRICS[name]:<32}{_percent(one):<26}{one['n']:>5}")
    for stage, one in wire["latency_ms"].items():
        lines.append(f"  {stage + ' ms':<43}p50 {one['p50']}, p95 {one['p95']}")
    return "\n".join(lines)


def comparison_table(wire: Figures) -> str:
    """A comparison for people: both means and the difference, in percent."""
    lines = [f"{'':<11}{'':<32}{'A':>7}{'B':>7}   B - A (95 %)"]
    groups = {"all": wire["differences"]["all"], **wire["differences"]["kind"]}
    for group, found in groups.items():
        for name, one in found.items():
            lines.append(
                f"{group:<11}{METRICS[name]:<32}{100 * one['a']:>7.1f}{100 * one['b']:>7.1f}"
                f"{_percent(one):>26}{one['n']:>6}"
            )
    return "\n".join(lines)
