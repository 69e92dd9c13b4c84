"""What the model writes where docstrings were taken away: `python -m bench.documentation [COUNT]`.

Functions of this repository, drawn with a fixed seed, one a file. Prints each line beside the
author's own, then how many there were, the requests each took and the seconds. Judges nothing.
"""

from __future__ import annotations

import ast
import asyncio
import random
import statistics
import sys
import time
from pathlib import Path

from glm_client.daemon_client import DaemonClient
from glm_context.syntax import Syntax
from glm_lsp.code_tasks import Source
from glm_lsp.comment_hole import documentation_hole, enclosing
from glm_lsp.comment_writing import write_comments
from glm_protocol.answers import End
from glm_protocol.completion import CompletionRequest
from glm_protocol.errors import GlmError, Unsupported

ROOT = Path(__file__).parents[1]
FOLDERS = ("lsp_server", "daemon", "runtime")
SEED, COUNT = 1, 35


def bared(text: str, chance: random.Random) -> tuple[ast.FunctionDef, list[str], str] | None:
    """A function, the lines without its docstring, and the docstring's first line."""
    found = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) and len(node.body) > 2
    ]
    if not found:
        return None
    function = chance.choice(found)
    docstring, lines = function.body[0], text.split("\n")
    words = (ast.get_docstring(function) or "").split("\n")[0]
    del lines[docstring.lineno - 1 : docstring.end_lineno]
    return function, lines, words


async def measure(count: int) -> None:
    chance = random.Random(SEED)
    files = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
    chance.shuffle(files)
    seconds: list[float] = []
    requests = written = 0
    async with DaemonClient() as client:
        await client.connect()

        async def ask(request: CompletionRequest) -> tuple[str, End]:
            nonlocal requests
            requests += 1
            answer = await client.whole(request)
            return answer.text, answer.end

        with Syntax() as syntax:
            for file in files:
                if len(seconds) == count:
                    break
                made = bared(file.read_text(encoding="utf-8"), chance)
                if made is None:
                    continue
                function, lines, words = made
                source = Source(path=file.name, language="python", lines=lines)
                unit = enclosing(syntax.units("\n".join(lines), "python"), function.lineno)
                try:
                    hole = documentation_hole(lines, "python", unit)
                except GlmError:
                    continue
                began = time.perf_counter()
                try:
                    line = (await write_comments(ask, source, hole)).lines[0].strip()
                    written += 1
                except Unsupported:
                    line = "(nothing)"
                seconds.append(time.perf_counter() - began)
                print(f"{function.name}\n  model:  {line}\n  author: {words}")
    print(
        f"{written} of {len(seconds)} got a line; {requests / len(seconds):.2f} requests each,"
        f" median {statistics.median(seconds):.2f} s, longest {max(seconds):.2f} s"
    )


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT))
