"""Documentation for functions of this repository whose own was taken away, by the bundled model.

It has not learnt to explain code; what it writes is printed as it comes, with the author's words.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from glm_lsp.cli.main import dispatch

FILE = "lsp_server/glm_lsp/cli/source_file.py"
FUNCTIONS = ("def read_source", "def split_at")


def without_docstrings(text: str) -> tuple[str, dict[str, str]]:
    """The text with the docstring of each of `FUNCTIONS` taken out, and their first lines."""
    words: dict[str, str] = {}
    for head in FUNCTIONS:
        start = text.index('"""', text.index(head))
        end = text.index('"""', start + 3) + 3
        words[head] = text[start + 3 : end - 3].strip().split("\n")[0]
        first = text.rindex("\n", 0, start) + 1
        text = text[:first] + text[end:].removeprefix("\n")
    return text, words


def play(root: Path) -> None:
    """Take the docstrings away and have new ones written: `glm-lsp chat document FILE --line N`."""
    text, words = without_docstrings((root / FILE).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="glm-demo-") as folder:
        file = Path(folder) / Path(FILE).name
        file.write_text(text, encoding="utf-8")
        for head in FUNCTIONS:
            line = text[: text.index(head)].count("\n") + 1
            began = time.perf_counter()
            print(f"$ glm-lsp chat document {file.name} --line {line}")
            dispatch(["chat", "document", str(file), "--line", str(line)])
            print(f"  the author wrote: {words[head]}")
            print(f"  {time.perf_counter() - began:.1f} s\n")
