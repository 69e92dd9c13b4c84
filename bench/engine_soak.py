"""One engine for thousands of requests: `python -m bench.engine_soak [--requests 10000]`.

Sixteen documents of four tenants ask in turn, type on, begin anew, and go away in the middle, in a
process that holds nothing but the engine, as a worker does. Fails when the process holds more than
the weights, keys and values and 350 MB, or when its memory beside keys and values grows by more
than 16 MB after the first fifth, or when an answer to the same question is not the same at the end.
"""

from __future__ import annotations

import argparse
import random
import sys
from dataclasses import dataclass, field

import psutil  # type: ignore[import-untyped]

from glm_codegen.code_engine import CodeEngine, load_engine
from glm_protocol.answers import Chunk
from glm_protocol.completion import CodeContext, CompletionRequest
from glm_protocol.errors import GlmError
from glm_runtime.engine import EngineOptions

DOCUMENTS, TENANTS = 16, 4
ALLOWED_MB, GROWTH_MB = 350.0, 16.0
LINES = (
    "def area(width, height):", "    return width * height", "class Shape:",
    "    def __init__(self, name):", "        self.name = name", "for item in items:",
    "    total += item.price", "if value is None:", "    raise ValueError(name)", "import json",
)  # fmt: skip


@dataclass(kw_only=True)
class Tally:
    """What happened; memory in MB beside keys and values after each tenth."""

    ended: int = 0
    errors: list[str] = field(default_factory=list)
    cancelled: int = 0
    memory_mb: list[float] = field(default_factory=list)
    bound_mb: float = 0.0
    same: bool = True

    @property
    def failed(self) -> bool:
        grown = self.memory_mb[-1] - self.memory_mb[1] > GROWTH_MB
        return bool(self.errors) or grown or self.memory_mb[-1] > self.bound_mb or not self.same

    def table(self) -> str:
        rows = {
            "requests that ended": self.ended,
            "cancelled in the middle": self.cancelled,
            "errors": len(self.errors),
            "memory beside keys and values after a fifth and at the end": (
                f"{self.memory_mb[1]:.0f} and {self.memory_mb[-1]:.0f} MB"
            ),
            "weights and 350 MB": f"{self.bound_mb:.0f} MB",
            "the first question's answer at the end": "the same" if self.same else "another",
        }
        lines = [f"| {name} | {value} |" for name, value in rows.items()]
        return "\n".join(["| what | |", "| --- | --- |", *lines])


def request_of(number: int, document: int, text: str) -> CompletionRequest:
    context = CodeContext(path=f"{document}.py", language="python", prefix=text, suffix="\n")
    return CompletionRequest(
        id=f"r{number}", document=f"d{document}", context=context, max_tokens=4
    )


def answer(engine: CodeEngine, text: str) -> str:
    """Of a stranger's question, so that nothing at hand is used."""
    asked = engine.submit(request_of(-1, DOCUMENTS, text))
    said = ""
    while engine.busy:
        for request_id, piece in engine.step():
            if request_id == asked and isinstance(piece, Chunk):
                said += piece.text
    return said


def soak(engine: CodeEngine, requests: int, seed: int) -> Tally:
    tally, draw = Tally(), random.Random(seed)
    texts = [LINES[document % len(LINES)] for document in range(DOCUMENTS)]
    question = "\n".join(LINES) + "\ntotal = "
    first = answer(engine, question)
    for number in range(requests):
        document = draw.randrange(DOCUMENTS)
        longer = texts[document] + draw.choice((" ", "x", "(", "\n" + draw.choice(LINES)))
        texts[document] = longer if len(longer) < 1500 else draw.choice(LINES)
        asked = request_of(number, document, texts[document])
        engine.submit(asked, tenant=f"tcp:{document % TENANTS}")
        for _ in range(draw.randrange(4)):
            for _, outcome in engine.step():
                if isinstance(outcome, GlmError):
                    tally.errors.append(str(outcome))
                elif outcome.end is not None:
                    tally.ended += 1
        if draw.random() < 0.2:
            engine.cancel(asked.id)
            tally.cancelled += 1
        if (number + 1) % (requests // 10) == 0:
            held = psutil.Process().memory_info().rss - engine.kv_bytes
            tally.memory_mb.append(held / 1e6)
    tally.same = answer(engine, question) == first
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nano-code")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    engine = load_engine(EngineOptions(model=options.model))
    tally = soak(engine, options.requests, options.seed)
    tally.bound_mb = engine.info.memory_bytes / 1e6 + ALLOWED_MB
    print(tally.table())
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
