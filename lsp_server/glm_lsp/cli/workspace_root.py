"""The workspace that a file on the command line belongs to, and what is known of it.

An editor says which folders are open; here the nearest folder with version control above the file
is taken. Without one nothing is indexed: a home folder is no workspace.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glm_context.gathered import CursorSite, Gathered
from glm_context.index_build import BuildProgress
from glm_context.secret_files import is_secret_file
from glm_context.secret_rules import redact
from glm_context.workspace_context import WorkspaceContext
from glm_protocol.completion import CodeContext
from glm_protocol.errors import BadRequest

MARKS = (".git", ".hg", ".svn", ".jj", ".glmignore")
SHOWN_FROM = 400  # files; fewer are read before anybody wonders


def workspace_root(file: Path) -> Path | None:
    """The nearest folder above the file that has one of `MARKS`; never the home folder or /."""
    home = Path(os.path.realpath(Path.home()))
    for folder in Path(os.path.realpath(file)).parents:
        if folder in (home, Path(folder.anchor)):
            return None
        if any((folder / mark).exists() for mark in MARKS):
            return folder
    return None


@contextmanager
def opened(root: Path | None) -> Iterator[WorkspaceContext | None]:
    """The workspace of a root with its index up to date; None without a root."""
    if root is None:
        yield None
        return
    with WorkspaceContext(root) as workspace:
        try:
            workspace.build(_report)
        except (OSError, sqlite3.Error) as error:
            print(f"glm-lsp: no index: {error}", file=sys.stderr)
        workspace.refresh_changes(wait=True)
        yield workspace


def site_of(file: Path, root: Path | None, language: str, prefix: str, suffix: str) -> CursorSite:
    """The cursor between two texts. Raises BadRequest for a file that holds secrets by its name."""
    real = Path(os.path.realpath(file))
    inside = root is not None and real.is_relative_to(root)
    path = real.relative_to(root).as_posix() if inside and root is not None else file.name
    if is_secret_file(path) or is_secret_file(file.name):
        raise BadRequest(
            f"{file.name} is a file of secrets; its text is given to no model.",
            remedy="Name a source file.",
        )
    before, after = unix(prefix), unix(suffix)
    return CursorSite(path=path, language=language, text=before + after, offset=len(before))


def code_context(
    site: CursorSite, gathered: Gathered
) -> tuple[CodeContext, dict[str, tuple[str, ...]]]:
    """What the model gets, secrets taken out, and the kinds that were in prefix and suffix."""
    prefix, before = redact(site.text[: site.offset], site.language)
    suffix, after = redact(site.text[site.offset :], site.language)
    context = CodeContext(
        path=site.path,
        language=site.language,
        prefix=prefix,
        suffix=suffix,
        snippets=gathered.snippets,
    )
    found = {"prefix": before, "suffix": after}
    return context, {where: kinds for where, kinds in found.items() if kinds}


def unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _report(progress: BuildProgress) -> None:
    if progress.files >= SHOWN_FROM and sys.stderr.isatty():
        end = "\n" if progress.finished else ""
        print(
            f"\rreading the workspace: {progress.done} of {progress.files} files",
            end=end,
            file=sys.stderr,
            flush=True,
        )
