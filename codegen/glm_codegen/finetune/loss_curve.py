"""The loss curve as a PNG, drawn with Pillow: training loss, its running mean, held-out answers."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw

from glm_codegen.finetune.train_state import Look

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 900, 420, 62, 62, 34, 44
INK, PALE, LINE, HELD, SCORE = "#222222", "#d8dde3", "#9bb8d3", "#1b6ca8", "#c2571a"
Point = tuple[float, float]


def draw_curve(losses: Sequence[float], looks: Sequence[Look]) -> bytes:
    """PNG. The left axis is loss in nats, the right one how likely a true answer is."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    steps = max(len(losses), max((look.step for look in looks), default=1), 1)
    highest = max([*losses, *(look.loss for look in looks)], default=1.0) * 1.05 or 1.0

    def place(step: float, share: float) -> Point:
        x = LEFT + (WIDTH - LEFT - RIGHT) * step / steps
        return x, HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    for tick in range(6):
        share = tick / 5
        draw.line([place(0, share), place(steps, share)], fill=PALE)
        draw.text((8, place(0, share)[1] - 6), f"{highest * share:.2f}", fill=HELD)
        draw.text((WIDTH - RIGHT + 8, place(0, share)[1] - 6), f"{share:.0%}", fill=SCORE)
        step = steps * tick // 5
        draw.text((place(step, 0)[0] - 8, HEIGHT - BOTTOM + 8), str(step), fill=INK)
    points = [place(step + 1, loss / highest) for step, loss in enumerate(losses)]
    if len(points) > 1:
        draw.line(points, fill=LINE)
        draw.line(
            [place(step + 1, mean / highest) for step, mean in enumerate(running_mean(losses))],
            fill=INK,
            width=2,
        )
    _marks(draw, [place(look.step, look.loss / highest) for look in looks], HELD)
    _marks(draw, [place(look.step, look.score) for look in looks], SCORE)
    draw.text((LEFT, 10), "training loss (black: running mean)", fill=INK)
    draw.text((LEFT + 270, 10), "held-out loss of answers", fill=HELD)
    draw.text((LEFT + 470, 10), "how likely held-out answers are", fill=SCORE)
    stream = io.BytesIO()
    image.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def running_mean(values: Sequence[float], weight: float = 0.1) -> list[float]:
    """Exponential, started at the first value."""
    found: list[float] = []
    for value in values:
        found.append(value if not found else found[-1] + weight * (value - found[-1]))
    return found


def _marks(draw: ImageDraw.ImageDraw, points: Sequence[Point], colour: str) -> None:
    if len(points) > 1:
        draw.line(list(points), fill=colour, width=2)
    for x, y in points:
        draw.ellipse([x - 3, y - 3, x + 3, y + 3], fill=colour)
