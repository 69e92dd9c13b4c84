"""Diagrams with a taught model: geometry says where, the model reads what is written.

Which kind it is, the drawing says: lifelines make a sequence, boxes that stand on one another
classes, anything else a flowchart. The Mermaid is put together here and checked by the same parser
as anybody's.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from glm_vision.arrow_ends import find_arrows
from glm_vision.class_boxes import FoundClass, find_classes, mark_of
from glm_vision.drawn.class_diagram import DrawnClass, Relation, class_source
from glm_vision.drawn.flow_diagram import mermaid_of, reading_key
from glm_vision.drawn.sequence_diagram import Message, sequence_source
from glm_vision.lifelines import FoundSequence, find_sequence
from glm_vision.regions import Box, Mask, distance_from_ground, enclosed_boxes, grown
from glm_vision.tasks.answer_check import check_mermaid
from glm_vision.tasks.conversation import Conversation, Outcome, Piece, Task
from glm_vision.tasks.taught_reading import in_source, read_labels, read_lines
from glm_vision.text_lines import common_size

LINE = 60  # of 255: from here on a pixel is a stroke and not the filling of a box

Source = Generator[Piece, None, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundBoxes:
    """What stands in a diagram before anything is read."""

    lines: Mask
    boxes: tuple[Box, ...]


def find_boxes(image: Image.Image) -> FoundBoxes:
    """Outlined boxes in reading order."""
    lines = distance_from_ground(image) > LINE
    boxes = enclosed_boxes(lines)
    boxes.sort(key=lambda box: reading_key(box, image.height))
    return FoundBoxes(lines=lines, boxes=tuple(boxes))


def diagram_task(conversation: Conversation) -> Task:
    """The last picture as Mermaid."""
    picture = conversation.pictures[-1]
    found = find_boxes(picture.image)
    yield ""
    if not found.boxes:
        return Outcome(text="", valid=False, notes=("No boxes were found in the picture.",))
    sequence = find_sequence(found.lines, found.boxes)
    classes = find_classes(found.boxes)
    boxes: list[Box] = list(found.boxes)
    if sequence is not None:
        text = yield from _sequence(conversation, picture.image, sequence)
        boxes = list(sequence.participants)
    elif any(len(one.parts) > 1 for one in classes):
        text = yield from _classes(conversation, picture.image, found.lines, classes)
        boxes = [one.box for one in classes]
    else:
        text = yield from _flow(conversation, picture.image, found)
    checked = check_mermaid(text)
    notes = () if checked.valid else (f"It does not parse: {checked.problem}.",)
    return Outcome(
        text=checked.text,
        boxes=tuple(in_source(box, picture) for box in boxes),
        valid=checked.valid,
        notes=notes,
    )


def _flow(conversation: Conversation, image: Image.Image, found: FoundBoxes) -> Source:
    boxes = list(found.boxes)
    edges = tuple(find_arrows(found.lines, boxes))
    cuts = [image.crop(grown(box, -1)) for box in boxes]
    labels = [spelt(label) for label in (yield from read_labels(conversation, cuts))]
    return mermaid_of(labels, edges, _direction(boxes, edges))


def _sequence(conversation: Conversation, image: Image.Image, found: FoundSequence) -> Source:
    names = yield from read_labels(
        conversation, [image.crop(grown(box, -1)) for box in found.participants]
    )
    names = [spelt(name) for name in names]
    columns = [(box[0] + box[2]) // 2 for box in found.participants]
    cuts = [
        _without_lifelines(image, message.label, columns)
        for message in found.messages
        if message.label[3] - message.label[1] > 4
    ]
    texts = iter((yield from read_labels(conversation, cuts)))
    messages = tuple(
        Message(
            sender=message.sender,
            receiver=message.receiver,
            text=next(texts) if message.label[3] - message.label[1] > 4 else "",
            reply=not message.solid,
        )
        for message in found.messages
    )
    return sequence_source(names, messages)


def _without_lifelines(image: Image.Image, label: Box, columns: list[int]) -> Image.Image:
    """The label's cut, lifelines that cross it painted over with the ground beside them."""
    pixels = np.asarray(image.crop(label)).copy()
    ground = np.median(pixels.reshape(-1, 3), axis=0).astype(pixels.dtype)
    inked = np.abs(pixels.astype(int) - ground.astype(int)).max(axis=2) > LINE // 2
    for column in (column - label[0] for column in columns):
        if not 0 <= column < inked.shape[1]:
            continue
        on, around = (
            inked[:, max(0, column - 2) : column + 3],
            inked[:, max(0, column - 7) : column + 8],
        )
        alone = on.any(axis=1) & (on.sum(axis=1) == around.sum(axis=1))  # letters are wider
        pixels[alone, max(0, column - 2) : column + 3] = ground
    return Image.fromarray(pixels)


def _classes(
    conversation: Conversation, image: Image.Image, lines: Mask, found: list[FoundClass]
) -> Source:
    boxes = [one.box for one in found]
    cuts = [[image.crop(grown(part, -1)) for part in one.parts] for one in found]
    size = common_size([cut for parts in cuts for cut in parts])
    classes = []
    for parts in cuts:
        texts = []
        for part in parts:
            texts.append((yield from read_lines(conversation, part, size=size)))
        members = tuple(line for lines in texts[1:] for line in lines)
        classes.append(DrawnClass(name=spelt("".join(texts[0])), members=members))
    relations = [
        Relation(plain=a, marked=b, kind=mark_of(lines, boxes[b], boxes[a]))
        for a, b in find_arrows(lines, boxes)
    ]
    return class_source(classes, relations)


_LEADING = str.maketrans("0158", "OISB")
_WITHIN = str.maketrans("01", "ol")


def spelt(name: str) -> str:
    """A name with letters where digits were read that no name has there: before a small letter at
    its start, and 0 and 1 between small letters."""
    if re.match(r"[0158][a-z]", name):
        name = name[0].translate(_LEADING) + name[1:]
    return re.sub(r"(?<=[a-z])[01](?=[a-z])", lambda digit: digit[0].translate(_WITHIN), name)


def _direction(boxes: list[Box], edges: tuple[tuple[int, int], ...]) -> str:
    """Down, unless the arrows run mostly sideways."""
    across = down = 0
    for a, b in edges:
        across += abs(boxes[a][0] + boxes[a][2] - boxes[b][0] - boxes[b][2])
        down += abs(boxes[a][1] + boxes[a][3] - boxes[b][1] - boxes[b][3])
    return "LR" if across > down else "TD"
