"""Sequence diagrams of two to four participants, and their Mermaid source."""

from __future__ import annotations

import random
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from glm_vision.drawn.diagram_words import GROUNDS, LABELS, MESSAGES, Box


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """From one participant to another, by their numbers from 0; a reply is drawn dashed."""

    sender: int
    receiver: int
    text: str
    reply: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SequenceDiagram:
    picture: Image.Image
    names: tuple[str, ...]
    messages: tuple[Message, ...]

    def mermaid(self) -> str:
        return sequence_source(list(self.names), self.messages)


def sequence_source(names: list[str], messages: tuple[Message, ...]) -> str:
    """Participants by number, so that any text is a name."""
    told = [f"    participant P{n + 1} as {_plain(name)}" for n, name in enumerate(names)]
    said = [
        f"    P{m.sender + 1}{'-->>' if m.reply else '->>'}P{m.receiver + 1}: {_plain(m.text)}"
        for m in messages
    ]
    return "\n".join(["sequenceDiagram", *told, *said])


def _plain(text: str) -> str:
    """Without what ends a statement."""
    return text.replace(";", ",").replace("#", " ").strip() or "?"


def draw_sequence(chooser: random.Random, font: ImageFont.FreeTypeFont) -> SequenceDiagram:
    """As Mermaid lays it out: boxes, lifelines under them, arrows with their texts above."""
    count = chooser.randrange(2, 5)
    names = tuple(chooser.sample(LABELS, count))
    messages: list[Message] = []
    for _ in range(chooser.randrange(2, 6)):
        sender, receiver = chooser.sample(range(count), 2)
        if messages and chooser.random() < 0.3:
            sender, receiver = messages[-1].receiver, messages[-1].sender
        reply = bool(messages) and (messages[-1].receiver, messages[-1].sender) == (
            sender,
            receiver,
        )
        text = chooser.choice(MESSAGES)
        messages.append(Message(sender=sender, receiver=receiver, text=text, reply=reply))
    pitch = font.getlength("M")
    wide = int(max(font.getlength(name) for name in names) + chooser.uniform(2, 4) * pitch)
    longest = max(font.getlength(message.text) for message in messages)
    step = int(max(wide + 1.5 * font.size, longest + 2.5 * font.size))
    tall, margin = int(font.size * chooser.uniform(1.8, 2.6)), int(font.size)
    row = int(font.size * chooser.uniform(2.2, 3.2))
    places = [margin + wide // 2 + number * step for number in range(count)]
    end = margin + tall + row * len(messages) + row
    mirrored = chooser.random() < 0.5
    height = end + (tall if mirrored else 0) + margin
    ground, line, fill = chooser.choice(GROUNDS)
    picture = Image.new("RGB", (places[-1] + wide // 2 + margin, height), ground)
    pen = ImageDraw.Draw(picture)
    thick = max(1, round(font.size / 11))
    ink = line if sum(fill) > 300 else (235, 235, 235)
    dashed = chooser.random() < 0.3
    for x, name in zip(places, names, strict=True):
        _stroke(pen, (x, margin + tall), (x, end), line, 1, dashed=dashed)
        for top in (margin, end) if mirrored else (margin,):
            box: Box = (x - wide // 2, top, x + wide // 2, top + tall)
            pen.rounded_rectangle(box, chooser.choice((0, 3)), fill, line, thick)
            pen.text((x, top + tall / 2), name, ink, font, anchor="mm")
    for number, message in enumerate(messages):
        y = margin + tall + row * (number + 1)
        start, stop = places[message.sender], places[message.receiver]
        head = max(5, int(0.5 * font.size))
        back = head if stop > start else -head
        _stroke(pen, (start, y), (stop - back, y), line, thick, dashed=message.reply)
        tip = (stop - (1 if back > 0 else -1), y)
        pen.polygon([tip, (stop - back, y - head // 2), (stop - back, y + head // 2)], line)
        text_ink = line if sum(ground) > 300 else (225, 225, 225)
        middle = ((start + stop) / 2, y - 0.35 * font.size)
        around = pen.textbbox(middle, message.text, font, anchor="ms")
        pen.rectangle((around[0] - 2, around[1], around[2] + 2, around[3]), ground)
        pen.text(middle, message.text, text_ink, font, anchor="ms")
    return SequenceDiagram(picture=picture, names=names, messages=tuple(messages))


def _stroke(
    pen: ImageDraw.ImageDraw,
    start: tuple[int, int],
    end: tuple[int, int],
    fill: tuple[int, int, int],
    thick: int,
    *,
    dashed: bool,
) -> None:
    """Straight along one axis; dashes of five pixels, gaps of three."""
    if not dashed:
        pen.line([start, end], fill, thick)
        return
    length = max(abs(end[0] - start[0]), abs(end[1] - start[1]))
    along = ((end[0] > start[0]) - (end[0] < start[0]), (end[1] > start[1]) - (end[1] < start[1]))
    for at in range(0, length, 8):
        stop = min(at + 4, length)
        a = (start[0] + along[0] * at, start[1] + along[1] * at)
        b = (start[0] + along[0] * stop, start[1] + along[1] * stop)
        pen.line([a, b], fill, thick)
