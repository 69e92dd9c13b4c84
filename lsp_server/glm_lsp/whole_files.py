"""A change of several files in CodeGeeX4's form: whole files go in, whole files come out.

The question holds `###PATH: file` and its text for each, and so does the answer. Only what was
shown whole may be replaced, so that nothing is lost that the model never saw; new files may be
added, inside the folder. Nothing is written here, and nothing is deleted: the form has no word
for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from glm_context.secret_files import is_secret_file
from glm_context.secret_rules import redact
from glm_lsp.code_tasks import MAX_MATERIAL
from glm_protocol.errors import BadRequest
from glm_protocol.languages import language_id

MAX_CHANGES = 64
_PATH = re.compile(r"^[ \t]*###PATH:[ \t]*(\S.*?)[ \t]*$\n?", re.MULTILINE)
_FENCED = re.compile(r"(`{3,})[^\n`]*\n(.*)\n\1", re.DOTALL)
_LINE_END = re.compile(r"\r\n?")


@dataclass(frozen=True, kw_only=True, slots=True)
class FileChange:
    """One file as it shall be. `path` is relative; `old` is None for a new file."""

    path: str
    old: str | None
    new: str


def shown_whole(root: Path, paths: Iterable[str], *, room: int) -> dict[str, str]:
    """Texts of the files that fit into `room` characters, by path, as they are on disk.

    Left out: what does not fit, is no UTF-8 text, lies outside, or holds a secret, which would be
    blotted out in the question and so be lost in the answer.
    """
    shown: dict[str, str] = {}
    for path in paths:
        place = inside(root, path)
        if path in shown or place is None or is_secret_file(path) or not place.is_file():
            continue
        try:
            if place.stat().st_size > MAX_MATERIAL * 4:
                continue
            text = place.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            continue
        needed = len(text) + len(path) + 16
        if needed <= room and "\0" not in text and not redact(text, language_id(path))[1]:
            shown[path] = text
            room -= needed
    return shown


def as_material(shown: Mapping[str, str]) -> list[tuple[str, str]]:
    """The files with plain line ends, for the question."""
    return [(path, _LINE_END.sub("\n", text)) for path, text in shown.items()]


def changes_of(answer: str, root: Path, shown: Mapping[str, str]) -> tuple[FileChange, ...]:
    """The files of an answer that differ from what is there. Raises BadRequest."""
    parts = _PATH.split(answer)
    told = dict(zip(parts[1::2], parts[2::2], strict=True))
    if not told:
        raise BadRequest(
            "The answer names no file.", remedy="Say what shall change, or name another model."
        )
    if len(told) > MAX_CHANGES:
        raise BadRequest(f"The answer has {len(told)} files; at most {MAX_CHANGES} are taken.")
    found: list[FileChange] = []
    for name, text in told.items():
        path = name.removeprefix("./")
        place = inside(root, path)
        if place is None or is_secret_file(path):
            raise BadRequest(f"The answer names {path[:80]!r}, which is no file of the folder.")
        if path not in shown and place.exists():
            raise BadRequest(
                f"The answer replaces {path}, which the model was not shown whole.",
                remedy="Ask about fewer or smaller files, with this one among them.",
            )
        old = shown.get(path)
        new = _file_text(text)
        if old is not None and "\r\n" in old:
            new = new.replace("\n", "\r\n")
        if new != old:
            found.append(FileChange(path=path, old=old, new=new))
    return tuple(found)


def _file_text(text: str) -> str:
    """A file's text without the fences that some models put around it."""
    fenced = _FENCED.fullmatch(text.strip())
    return (text if fenced is None else fenced[2]).strip("\n") + "\n"


def inside(root: Path, path: str) -> Path | None:
    """Where a relative path of an answer lies; None where that is not inside `root`."""
    pure = PurePosixPath(path)
    strange = pure.is_absolute() or ".." in pure.parts or ".git" in pure.parts or not pure.parts
    if strange or "\\" in path or ":" in path or not path.isprintable() or path.endswith("/"):
        return None
    try:
        real = (root / pure).resolve()
        return real if real.is_relative_to(root.resolve()) and not real.is_dir() else None
    except (OSError, RuntimeError):
        return None
