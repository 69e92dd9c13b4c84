"""Whether context works here: a small workspace is indexed and asked one real question.

Part of `glm-lsp doctor`. Also says what is known of the workspace that the command was started in.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from pathlib import Path

from glm_context.gathered import CursorSite
from glm_context.index_folder import index_folder
from glm_context.index_store import IndexStore
from glm_context.workspace_context import WorkspaceContext
from glm_lsp.cli.workspace_root import workspace_root
from glm_protocol.folders import user_folders

SHOP = """\
class Basket:
    def total_price(self, discount_rate: float) -> float:
        return sum(item.price for item in self.items) * (1 - discount_rate)
"""
TILL = "from shop.basket import Basket\n\n\ndef pay(basket: Basket):\n    basket.total_price("


def check_retrieval() -> tuple[str, str, str]:
    """(state, text, remedy) in the doctor's words. Raises nothing."""
    try:
        with tempfile.TemporaryDirectory(prefix="glm-lsp-doctor-") as folder:
            text = _ask(Path(folder))
    except (OSError, sqlite3.Error) as error:
        return (
            "fault",
            f"the index of a sample workspace failed: {type(error).__name__}: {error}",
            "Python's sqlite3 has to have FTS5; the temporary folder has to be writable.",
        )
    if text is None:
        return (
            "fault",
            "a definition of a sample workspace was not found",
            "Report this with the output of `glm-lsp --version`.",
        )
    state, parser = text
    remedy = "" if state == "ok" else "Reinstall: pip install --force-reinstall glm-lsp"
    return state, f"{parser}; {_here()}", remedy


def _ask(folder: Path) -> tuple[str, str] | None:
    root = folder / "workspace"
    (root / "shop").mkdir(parents=True)
    (root / "shop" / "basket.py").write_text(SHOP, encoding="utf-8")
    site = CursorSite(path="till.py", language="python", text=TILL, offset=len(TILL))
    with WorkspaceContext(root, home=folder / "home") as workspace:
        workspace.build()
        workspace.gather(site)
        began = time.perf_counter()
        gathered = workspace.gather(site)
        took = 1e3 * (time.perf_counter() - began)
        parsed = workspace.syntax.outline(TILL, "python").parsed
    found = next((s for s in gathered.snippets if "def total_price" in s.text), None)
    if found is None:
        return None
    if not parsed:
        return "note", f"found by name in {took:.1f} ms, but no text is parsed (tree-sitter)"
    return "ok", f"found a definition ({found.source}) in {took:.1f} ms, parser ready"


def _here() -> str:
    """What is known of the workspace around the current folder."""
    root = workspace_root(Path.cwd() / "file")
    if root is None:
        return "no workspace here"
    try:
        store = IndexStore(index_folder(user_folders().home, root).file, write=False)
    except (OSError, ValueError, sqlite3.Error):
        return f"{root} is not indexed yet (an editor or `glm-lsp context` does it)"
    try:
        files, chunks, symbols, withheld = store.counts()
    except sqlite3.Error:
        return f"the index of {root} is unreadable and will be built again"
    finally:
        store.close()
    return (
        f"{root}: {files:,} files, {symbols:,} symbols, {chunks:,} chunks, {withheld:,} secrets "
        "left out"
    )
