"""The receipt as one HTML page that needs nothing else: numbers, curve, examples, files.

Every text of the repository is escaped; no script, nothing is fetched.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:960px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0}
td,th{border:1px solid #ccd;padding:.3em .7em;text-align:right}
th:first-child,td:first-child{text-align:left}
pre{background:#f4f6f8;padding:.6em;overflow:auto;margin:.2em 0}
.verdict{font-size:1.2em;padding:.6em 1em;background:#eef6ee;border-left:5px solid #3a8a3a}
.verdict.no{background:#fbf1ea;border-color:#c2571a}img{max-width:100%}
"""
NAMES = {
    "base": "base",
    "base_retrieval": "base + retrieval",
    "adapter": "adapter",
    "adapter_retrieval": "adapter + retrieval",
    "gain": "gain, with retrieval",
    "gain_without_retrieval": "gain, without retrieval",
}
MEASURES = {
    "exact": "exact match",
    "edit_similarity": "edit similarity",
    "identifier_f1": "identifier F1",
}


def report_page(
    name: str, receipt: Mapping[str, Any], examples: Sequence[Mapping[str, str]], curve: bytes
) -> str:
    """The page."""
    published = bool(receipt.get("published"))
    image = base64.b64encode(curve).decode("ascii")
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(name)}</title>"
        f"<style>{STYLE}</style><h1>Adapter {escape(name)}</h1>",
        f'<p class="verdict{"" if published else " no"}">'
        f"{'Published.' if published else 'Kept aside.'} {escape(str(receipt['reason']))}</p>",
        _scores(receipt),
        f"<p>{receipt['questions']} questions about {escape(str(receipt['snapshot']['split']))}; "
        "95 % intervals in brackets, drawn over files.</p>",
        f'<h2>Training</h2><img alt="loss over steps" src="data:image/png;base64,{image}">',
        _general(receipt),
        _files(receipt["files"]),
        "<h2>Where it changed the answer most</h2>",
        *map(_example, examples),
    ]
    return "\n".join(parts) + "</html>\n"


def _cell(interval: Mapping[str, Any]) -> str:
    if interval["value"] is None:
        return "<td>–</td>"
    return f"<td>{interval['value']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]</td>"


def _scores(receipt: Mapping[str, Any]) -> str:
    head = "".join(f"<th>{title}</th>" for title in MEASURES.values())
    rows = "".join(
        f"<tr><td>{title}</td>{''.join(_cell(receipt[key][one]) for one in MEASURES)}</tr>"
        for key, title in NAMES.items()
    )
    return f"<table><tr><th></th>{head}</tr>{rows}</table>"


def _general(receipt: Mapping[str, Any]) -> str:
    general, canary = receipt["general"], receipt["canary"]
    bits = ", ".join(f"{one:.1f}" for one in canary.get("exposure_bits", []))
    return (
        "<h2>What it costs</h2><p>General code, edit similarity: base"
        f" {general['base']['edit_similarity']['value']}, adapter"
        f" {general['adapter']['edit_similarity']['value']}.</p>"
        f"<p>Exposure of planted numbers: {bits or '–'} of 8 bits (8: remembered).</p>"
    )


def _files(files: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(reason)}</td><td>{count}</td></tr>"
        for reason, count in files["rejected"].items()
    )
    secrets = "".join(f"<li>{escape(where)}</li>" for where in files["secrets"])
    return (
        f"<h2>Files</h2><p>{files['kept']} kept.</p><table><tr><th>left out</th><th></th></tr>"
        f"{rows}</table><ul>{secrets}</ul>"
    )


def _example(example: Mapping[str, str]) -> str:
    return (
        f"<h3>{escape(example['path'])} ({escape(example['change'])})</h3>"
        f"<pre>{escape(example['before_cursor'])}▮</pre>"
        f"<p>written</p><pre>{escape(example['truth'])}</pre>"
        f"<p>base + retrieval</p><pre>{escape(example['base'])}</pre>"
        f"<p>adapter + retrieval</p><pre>{escape(example['adapter'])}</pre>"
    )
