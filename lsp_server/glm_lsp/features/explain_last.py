"""`glm/explainLast`: why the last completion said what it said, or nothing.

Which words stand in it: docs/quality.md, "Why no suggestion?". Never any code.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from glm_lsp.json_body import JsonObject
from glm_lsp.params import read_uri

if TYPE_CHECKING:
    from glm_lsp.generation import Generation
    from glm_lsp.server import LanguageServer

SENTENCES = {
    "": "The suggestion was shown.",
    "mid_line": "The cursor stands in the middle of a line; while typing nothing is offered there.",
    "between_lines": "It would stand between two finished lines; ask for it by hand.",
    "confidence": "The model was not sure enough; the dial is `glm.inlineCompletion.quiet`.",
    "parse": "The suggestion would have broken the file's syntax.",
    "filters": "The filters left nothing of it: see `cut_by`.",
}


def explain_last(server: LanguageServer, params: JsonObject) -> JsonObject:
    """The report on a document's last completion; without one, on the newest of all."""
    uri = read_uri(params) if "textDocument" in params else server.completer.newest
    generation = None if uri is None else server.completer.last_of(uri)
    if uri is None or generation is None:
        return {"found": False, "why": why_none(server, uri)}
    assembly = server.knowledge.last.get(uri)
    report: dict[str, Any] = {
        "found": True,
        "uri": uri,
        "trigger": generation.trigger,
        "why": why(generation),
        "shown": bool(generation.text),
        "context": None if assembly is None else without_texts(asdict(assembly)),
    }
    if generation.error is not None:
        report["error"] = {"code": generation.error.code, "message": str(generation.error)}
    if generation.end is not None:
        end = asdict(generation.end)
        kept = {k: v for k, v in end["report"].items() if k not in ("final", "alternatives")}
        report |= {**kept, "model": end["model"], "adapter": end["adapter"],
                   "finish": end["finish"], "timings_ms": end["timings_ms"],
                   "tokens": end["tokens"]}  # fmt: skip
    return report


def why(generation: Generation) -> str:
    """One sentence for a person."""
    if generation.error is not None:
        return str(generation.error)
    if generation.end is None:
        return "It was not finished in time, or a newer request took its place."
    gate = generation.end.report.get("gate")
    withheld = str(gate.get("withheld", "")) if isinstance(gate, dict) else ""
    if not withheld and not generation.text.strip():
        return "The model had nothing to add."
    return SENTENCES.get(withheld, f"It was withheld: {withheld}.")


def why_none(server: LanguageServer, uri: str | None) -> str:
    """Why there was no completion to explain."""
    document = None if uri is None else server.documents.get(uri)
    if document is None:
        return "No completion was asked for yet."
    if document.unusable is not None:
        return document.unusable
    if server.knowledge.is_secret(document):
        return "This is a file of secrets by its name: its text goes nowhere."
    if not server.document_settings.of(document.uri).enabled_for(document.language):
        return f"Completions are switched off for {document.language}."
    return "The editor has asked for no completion here yet."


def without_texts(assembly: dict[str, Any]) -> dict[str, Any]:
    """The snippets by place and score, their code left out."""
    snippets = [
        {key: value for key, value in snippet.items() if key != "text"}
        for snippet in assembly["snippets"]
    ]
    return {**assembly, "snippets": snippets}
