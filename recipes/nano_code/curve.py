"""The loss curve as a picture: training loss, held-out loss, over tokens seen."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 900, 480, 60, 30, 20, 45
INK, GRID, LINE, MARK = "#222222", "#dddddd", "#1f6fb2", "#c8441b"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One line of the curve; `held_out` where it was measured."""

    step: int
    tokens: int
    seconds: float
    loss: float
    held_out: float | None
    rate: float


def read_curve(path: Path) -> tuple[Point, ...]:
    """The points of a curve.csv; steps that a resumed run took again count once, the last time."""
    points: dict[int, Point] = {}
    with path.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            points[int(row["step"])] = Point(
                step=int(row["step"]),
                tokens=int(row["tokens"]),
                seconds=float(row["seconds"]),
                loss=float(row["loss"]),
                held_out=float(row["held_out_loss"]) if row["held_out_loss"] else None,
                rate=float(row["rate"]),
            )
    return tuple(points[step] for step in sorted(points))


def draw_curve(points: tuple[Point, ...], path: Path) -> None:
    """Write a PNG of 900 x 480."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    most = max(point.tokens for point in points)
    low, high = int(min(point.loss for point in points)), 9

    def place(tokens: int, loss: float) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - RIGHT) * tokens / most
        y = TOP + (HEIGHT - TOP - BOTTOM) * (high - min(loss, high)) / (high - low)
        return x, y

    for level in range(low, high + 1):
        y = place(0, level)[1]
        draw.line((LEFT, y, WIDTH - RIGHT, y), fill=GRID)
        draw.text((LEFT - 25, y - 6), str(level), fill=INK)
    for part in range(5):
        x = place(most * part // 4, low)[0]
        draw.text((x - 15, HEIGHT - BOTTOM + 8), f"{most * part / 4e6:.1f}M", fill=INK)
    draw.text((LEFT, 8), "nano-code: weighted loss in nats; line: training, dots: held-out",
              fill=INK)  # fmt: skip
    draw.text((WIDTH - 130, HEIGHT - 20), "tokens seen", fill=INK)
    draw.line([place(point.tokens, point.loss) for point in points], fill=LINE, width=2)
    for point in points:
        if point.held_out is not None:
            x, y = place(point.tokens, point.held_out)
            draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=MARK)
    image.save(path, optimize=True)
