"""Bad and odd pictures against the bundled vision model: `python -m bench.bad_pictures [--json]`.

Each is sent the whole way, then a real one. Fails when one takes 2 s of processor time (the engine
and its decoder together, so that a busy machine does not count), when the process grows by 50 MB
over the whole run, when one is neither answered nor refused with a sentence, or when the real
picture behind it is no longer read.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
from PIL import Image, ImageDraw, ImageFont

from glm_client.picture_file import image_data
from glm_protocol.answers import Chunk
from glm_protocol.chat import ChatMessage, ChatRequest, ImageData, Role
from glm_protocol.errors import GlmError
from glm_runtime.engine import EngineOptions
from glm_vision.vision_engine import VisionEngine, load_engine
from tests.vision.hostile_pictures import encode, handled, png, refused, sample

LONGEST_S, GROWTH_MB = 2.0, 50.0


@dataclass(frozen=True, kw_only=True)
class Met:
    """What one picture came to; `growth_mb` is of the engine's process, by it alone."""

    name: str
    outcome: str
    cpu_s: float
    wall_s: float
    growth_mb: float
    next_works: bool


def cases(folder: Path) -> Iterator[tuple[str, Callable[[], ImageData | None]]]:
    """Names, and how each picture is taken in."""

    def of(data: bytes) -> Callable[[], ImageData]:
        return lambda: ImageData(data=base64.b64encode(data).decode("ascii"))

    pipe = folder / "pipe.png"
    os.mkfifo(pipe)
    yield "a named pipe called .png", lambda: image_data(pipe)
    yield "no image at all", lambda: None
    yield "a folder called .png", lambda: image_data(folder)
    turned = sample().getexif()
    turned[0x0112] = 6
    yield "EXIF rotation", of(encode(sample(), "JPEG", exif=turned.tobytes()))
    yield "30,000 pixels wide, four high", of(png(30_000, 4))
    for name, data in refused():
        if data:
            yield name, of(data)
    for name, data, _ in handled():
        yield name, of(data)


def ask(engine: VisionEngine, image: ImageData | None) -> tuple[str, dict[str, Any]]:
    """The text and the report. Raises the GlmError that ended it."""
    message = ChatMessage(role=Role.USER, text="", images=(image,) if image else ())
    engine.submit(
        ChatRequest(id="bad", document="bad", messages=(message,), options={"task": "read"})
    )
    text = ""
    while engine.busy:
        for _, outcome in engine.step():
            if isinstance(outcome, GlmError):
                raise outcome
            if isinstance(outcome, Chunk):
                text += outcome.text
                if outcome.end is not None:
                    return text, dict(outcome.end.report)
    raise AssertionError("the engine ended without an end")


def measure(engine: VisionEngine, folder: Path) -> list[Met]:
    """Every case, each followed by a page of text."""
    page = Image.new("RGB", (300, 40), "white")
    ImageDraw.Draw(page).text((8, 8), "return total", "black", ImageFont.load_default(18))
    good = ImageData(data=base64.b64encode(encode(page, "PNG")).decode("ascii"))
    wanted, _ = ask(engine, good)
    assert wanted, "the page of text was not read"
    process = psutil.Process()
    met = []
    for name, take in cases(folder):
        before, began, spent = process.memory_info().rss, time.perf_counter(), _spent(process)
        try:
            _, report = ask(engine, take())
            outcome = "seen" + "".join(f"; {note}" for note in report["notes"][:1])
        except GlmError as error:
            outcome = f"refused: {error.message}"
        wall, cpu = time.perf_counter() - began, _spent(process) - spent
        growth = (process.memory_info().rss - before) / 2**20
        works = ask(engine, good)[0] == wanted
        met.append(
            Met(
                name=name,
                outcome=outcome,
                cpu_s=round(cpu, 3),
                wall_s=round(wall, 3),
                growth_mb=round(growth, 1),
                next_works=works,
            )
        )
    return met


def _spent(process: psutil.Process) -> float:
    """Processor seconds of the process and of its decoders, ended ones too."""
    own = process.cpu_times()
    alive = [child.cpu_times() for child in process.children()]
    return float(
        own.user
        + own.system
        + own.children_user
        + own.children_system
        + sum(times.user + times.system for times in alive)
    )


def main() -> int:
    """The table, and 1 where a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nano-vision")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    engine = load_engine(EngineOptions(model=options.model, threads=1, device="cpu"))
    with tempfile.TemporaryDirectory() as folder:
        before = psutil.Process().memory_info().rss
        met = measure(engine, Path(folder))
        whole = (psutil.Process().memory_info().rss - before) / 2**20
    engine.close()
    slow = [one.name for one in met if one.cpu_s >= LONGEST_S]
    broken = [one.name for one in met if not one.next_works]
    result = {
        "pictures": len(met),
        "slowest_cpu_s": max(one.cpu_s for one in met),
        "growth_mb": round(whole, 1),
        "largest_growth_mb": max(one.growth_mb for one in met),
        "too_slow": slow,
        "next_broken": broken,
    }
    if options.json:
        print(json.dumps({**result, "met": [asdict(one) for one in met]}))
    else:
        for one in met:
            print(f"{one.name:<32}{one.cpu_s:>7.3f} s{one.growth_mb:>7.1f} MB  {one.outcome[:90]}")
        print(json.dumps(result))
    return int(bool(slow or broken or whole >= GROWTH_MB))


if __name__ == "__main__":
    sys.exit(main())
