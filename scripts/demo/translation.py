"""Act: a function translated by the bundled translator, checked by the target's grammar."""

from __future__ import annotations

import json
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

from glm_lsp.cli.main import dispatch

SOURCE = '''def count_short_words(words: list[str], limit: int) -> int:
    """How many words have at most `limit` letters."""
    total = 0
    for word in words:
        if len(word) <= limit:
            total += 1
    return total
'''


def play(root: Path) -> None:
    """Translate to JavaScript and show both."""
    del root
    with tempfile.TemporaryDirectory(prefix="glm-demo-") as folder:
        file = Path(folder) / "words.py"
        file.write_text(SOURCE, encoding="utf-8")
        told = StringIO()
        with redirect_stdout(told):
            dispatch(["translate", str(file), "--to", "javascript", "--json"])
    done = json.loads(told.getvalue())
    parses = "parses" if done["parses"] else "does not parse"
    print(
        f"\nglm-lsp translate words.py --to javascript   ({done['model']}; the result {parses})\n"
    )
    for line in SOURCE.splitlines():
        print(f"  {line}")
    print()
    for line in done["text"].splitlines():
        print(f"  {line}")
    print(
        f"\n  {done['timings_ms']['total']:.0f} ms. Run your tests on what it writes: --check CMD\n"
    )
