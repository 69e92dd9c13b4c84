"""`glm-lsp eval vision`: scores of a model that sees, by category, on pictures drawn afresh.

The pictures go the whole way that a user's do: encoded, decoded under limits, through the task.
"""

from __future__ import annotations

import argparse
import base64
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from glm_protocol.answers import Chunk
from glm_protocol.chat import ChatMessage, ChatRequest, ImageData, Role
from glm_runtime.engine import EngineOptions
from glm_vision.evaluate.cases import Answered, Case, cases
from glm_vision.evaluate.font_files import FOLDERS, FontFiles, find_fonts
from glm_vision.evaluate.screens import measure_screens, read_screens, screens_table
from glm_vision.vision_engine import VisionEngine, load_engine

SHOWN = 24  # failures on a sheet


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="glm-lsp eval vision", description=__doc__)
    parser.add_argument("--model", default="nano-vision", help="name or folder (nano-vision)")
    parser.add_argument("--count", type=int, default=40, help="pictures a category (40)")
    parser.add_argument("--seed", type=int, default=1, help="draws other pictures")
    parser.add_argument("--fonts", type=Path, help="folder of fonts (default: the system's)")
    parser.add_argument("--failures", type=Path, help="write a sheet of failures to this PNG")
    parser.add_argument(
        "--screens", type=Path, help="read real screenshots of this folder instead (see screens.py)"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def ask(engine: VisionEngine, picture: Image.Image, question: str = "", task: str = "") -> Answered:
    """The whole answer; an error is an answer without text."""
    stream = BytesIO()
    picture.save(stream, "PNG")
    image = ImageData(data=base64.b64encode(stream.getvalue()).decode("ascii"))
    request = ChatRequest(
        id="eval",
        document="eval",
        messages=(ChatMessage(role=Role.USER, text=question, images=(image,)),),
        options={"task": task} if task else {},
        max_tokens=256,
    )
    text, report = "", dict[str, Any]()
    engine.submit(request)
    while engine.busy:
        for _, outcome in engine.step():
            if isinstance(outcome, Chunk):
                text += outcome.text
                report = dict(outcome.end.report) if outcome.end else report
            else:
                report = {"error": str(outcome)}
    return Answered(text=text, boxes=report.get("boxes") or [], report=report)


def run(argv: Sequence[str]) -> int:
    """The `eval vision` subcommand. Raises GlmError."""
    options = arguments().parse_args(argv)
    engine = load_engine(EngineOptions(model=options.model, threads=options.threads))
    try:
        if options.screens is not None:
            result = measured_screens(engine, options.screens, seed=options.seed)
            told = screens_table(result)
        else:
            fonts = find_fonts((options.fonts,) if options.fonts else FOLDERS)
            result, sheet = measured(engine, fonts, count=options.count, seed=options.seed)
            told = table(result)
            if options.failures is not None:
                sheet.save(options.failures)
    finally:
        engine.close()
    print(json.dumps(result) if options.json else told)
    return 0


def measured(
    engine: VisionEngine, fonts: FontFiles, *, count: int, seed: int
) -> tuple[dict[str, Any], Image.Image]:
    """Scores by category, and a sheet of what went wrong."""
    scores: dict[str, list[float]] = defaultdict(list)
    seconds: dict[str, float] = defaultdict(float)
    valid: list[bool] = []
    failed: list[tuple[Case, Answered]] = []
    for case in cases(count, seed, fonts):
        began = time.perf_counter()
        got = ask(engine, case.picture, case.question, case.task)
        seconds[case.category] += time.perf_counter() - began
        score = float(case.score(got))
        scores[case.category].append(score)
        if case.task == "diagram":
            valid.append(got.report.get("valid") is True)
        if score < 0.8:
            failed.append((case, got))
    result = {
        "model": engine.info.model,
        "seed": seed,
        "fonts": {"known": len(fonts.trained), "unseen": len(fonts.unseen)},
        "scores": {
            name: {
                "mean": round(sum(found) / len(found), 4),
                "whole": round(sum(score >= 1 for score in found) / len(found), 4),
                "n": len(found),
                "seconds": round(seconds[name] / len(found), 3),
            }
            for name, found in scores.items()
        },
        "mermaid_parses": round(sum(valid) / max(1, len(valid)), 4),
    }
    return result, sheet_of(failed[: 2 * SHOWN : 2] or failed)


def measured_screens(engine: VisionEngine, folder: Path, *, seed: int) -> dict[str, Any]:
    """Of real screenshots. Raises BadRequest where there is none."""

    def read(picture: Image.Image) -> str:
        return ask(engine, picture, task="read").text

    result = measure_screens(read_screens(folder), read, seed=seed)
    return {**result, "model": engine.info.model}


def table(result: dict[str, Any]) -> str:
    """For people: the mean score, and the share of answers without a fault."""
    lines = [f"{'category':<24}{'score':>8}{'faultless':>11}{'pictures':>10}{'s each':>8}"]
    for name, row in result["scores"].items():
        lines.append(
            f"{name:<24}{row['mean']:>8.3f}{row['whole']:>11.3f}{row['n']:>10}{row['seconds']:>8.2f}"
        )
    lines.append(f"Mermaid that parses: {result['mermaid_parses']:.3f}")
    return "\n".join(lines)


def sheet_of(failed: Sequence[tuple[Case, Answered]]) -> Image.Image:
    """Small pictures with what was expected and what came."""
    wide, tall, columns = 300, 230, 4
    shown = failed[:SHOWN]
    rows = max(1, -(-len(shown) // columns))
    sheet = Image.new("RGB", (wide * columns, tall * rows), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=11)
    for number, (case, got) in enumerate(shown):
        x, y = number % columns * wide, number // columns * tall
        small = case.picture.copy()
        small.thumbnail((wide - 12, tall - 80))
        sheet.paste(small, (x + 6, y + 4))
        told = (case.category, f"want: {case.expected!r}"[:60], f"got: {got.text!r}"[:60])
        for line, text in enumerate(told):
            pen.text((x + 6, y + tall - 70 + 16 * line), text, "black", font)
    return sheet
