"""Reads a prompt that a client has marked up for one model family, so that any model can take it.

Clients of `/v1/completions` often put the control tokens of the model they were written for into
the text of the prompt. For another model those are noise, and for the same model they would be
text too, since text never becomes a control token here. So the markup is read back into what it
says (prefix, suffix, path, related files), and the loaded model's own format writes it anew.

A prompt is taken for marked up only where each marker of a family stands in it exactly once and
the last one ends it: code that speaks of markers is left alone, and so is what is ambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from glm_codegen.prompt_formats.fim_families import FAMILIES, FimFamily
from glm_codegen.prompt_formats.language_names import language_id_of
from glm_codegen.prompt_formats.markup import PartKind, parts_of, spelled
from glm_protocol.completion import MAX_SNIPPETS, CodeContext, CompletionMode, Snippet
from glm_protocol.languages import language_id

_MAX_SNIPPET = 65_536  # characters, as on the wire
_OPENINGS = (
    *("[gMASK]", "<sop>", "sop", "<|user|>", "<s>", "<bos>", "<|endoftext|>"),
    *("<｜begin▁of▁sentence｜>", "<[begin▁of▁sentence]>", "<|begin_of_text|>"),
)
_OPENING = re.compile(rf"(?:\s*(?:{'|'.join(map(re.escape, _OPENINGS))}))*\s?")
_CLOSING = re.compile(r"\s*(?:<\|assistant\|>\s*)?")
_REPOSITORY = re.compile(r"\s*<\|?repo_?name\|?>[^\n<]*\n?")
_HEADER = re.compile(r"###(?P<key>LANGUAGE|MODE):[ ]?(?P<value>[^\n]*)\n?")
_REFERENCE = "###REFERENCE:"
_PLAUSIBLE_PATH = re.compile(r"[^\s<>|]{1,255}")


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkedUp:
    """What a prompt said. `family` names the row whose markers it had; `mode` where it told."""

    family: str
    context: CodeContext
    mode: CompletionMode | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cut:
    family: FimFamily
    head: str
    prefix: str
    suffix: str


def read_marked_up(text: str) -> MarkedUp | None:
    """The parts of a marked-up prompt; None for text that is none."""
    cuts = [cut for family in FAMILIES if (cut := _cut(text, family)) is not None]
    if not cuts:
        return None
    # Families share markers: the one whose mark of a file occurs is meant, else the plainest.
    marked = (cut for cut in cuts if _file_mark(cut.family) and _file_mark(cut.family) in text)
    cut = next(marked, cuts[-1])
    return _read(cut)


def _cut(text: str, family: FimFamily) -> _Cut | None:
    """Cut at the family's markers, in whichever order prefix and suffix stand."""
    markers = {field: spelled(family.marker(field)) for field in ("prefix", "suffix")}
    if family.middle is not None:
        markers["middle"] = spelled(family.middle)
    if any(text.count(marker) != 1 for marker in markers.values()):
        return None
    order = sorted(markers, key=lambda field: text.index(markers[field]))
    if order[-1] != ("prefix" if family.middle is None else "middle"):
        return None
    head, rest = text.split(markers[order[0]])
    found: dict[str, str] = {}
    for field, following in pairwise(order):
        found[field], rest = rest.split(markers[following])
        if family.marker("prefix").startswith("▁"):
            found[field] = found[field].removesuffix(" ")
    if family.middle is None:
        found["prefix"] = rest
        if not _OPENING.fullmatch(head):
            return None
    elif not _CLOSING.fullmatch(rest):
        return None
    return _Cut(
        family=family,
        head=head[_end_of_opening(head) :],
        prefix=found["prefix"].removeprefix(family.prefix_lead),
        suffix=found["suffix"],
    )


def _end_of_opening(head: str) -> int:
    found = _OPENING.match(head)
    return found.end() if found is not None else 0


def _file_mark(family: FimFamily) -> str:
    """What stands beside the path of a related file; '' where nothing tells it from code."""
    parts = parts_of(family.reference)
    place = next((i for i, part in enumerate(parts) if part.text == "path"), None)
    if place is None:
        return ""
    part = parts[place - 1]  # of the first part: the last one, a separator
    mark = spelled(part.text) if part.kind is PartKind.CONTROL else part.text.split("\n")[-1]
    return mark if len(mark) >= 3 else ""


def _read(cut: _Cut) -> MarkedUp:
    mark = _file_mark(cut.family)
    header = {found["key"]: found["value"] for found in _HEADER.finditer(cut.head)}
    head = _HEADER.sub("", cut.head)
    prefix, path = cut.prefix, ""
    files: list[tuple[str, str]] = []
    if mark and mark in head:
        lead, *files = _files(
            head, mark, separates=parts_of(cut.family.reference)[0].text == "path"
        )
        if files and not files[-1][1].strip():  # a path without code: the file at the cursor
            path = files.pop()[0]
            first, newline, rest = prefix.partition("\n")
            if not path and newline and _PLAUSIBLE_PATH.fullmatch(first):
                path, prefix = first, rest
        prefix = lead[1] + prefix
    elif mark and cut.family.middle is None and prefix.startswith(mark):
        _, *files = _files(prefix, mark, separates=False)
        path, prefix = files.pop()
    else:
        prefix = _REPOSITORY.sub("", head).lstrip("\n") + prefix
    mode = header.get("MODE", "").strip().lower()
    return MarkedUp(
        family=cut.family.name,
        context=CodeContext(
            path=path[:4096],
            language=language_id_of(header.get("LANGUAGE", "").strip()) or _language(path),
            prefix=prefix,
            suffix=cut.suffix,
            snippets=tuple(_snippets(files)),
        ),
        mode=CompletionMode(mode) if mode in ("line", "block") else None,
    )


def _files(text: str, mark: str, *, separates: bool) -> list[tuple[str, str]]:
    """(what no file claims: '', text), then (path, code) of each file.

    `separates`: the mark stands behind each file, not before its path.
    """
    chunks = text.split(mark)
    lead = "" if separates else _REPOSITORY.sub("", chunks.pop(0))
    files = [("", lead.replace(_REFERENCE, "").lstrip("\n"))]
    for chunk in chunks:
        path, _, code = chunk.partition("\n")
        code = code.removesuffix("\n").removesuffix(_REFERENCE) if _REFERENCE in code else code
        files.append((path.strip(), code))
    return files


def _language(path: str) -> str:
    return language_id(path) if path else ""


def _snippets(files: list[tuple[str, str]]) -> Iterator[Snippet]:
    for number, (path, code) in enumerate(files[:MAX_SNIPPETS]):
        yield Snippet(id=f"marked-{number}", path=path[:4096], text=code[:_MAX_SNIPPET])
