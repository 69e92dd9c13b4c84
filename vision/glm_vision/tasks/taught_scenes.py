"""Scenes with a taught model: described, counted, added up, located.

What stands apart from the ground is found by `regions`; its kind is the model's word, its colour
the nearest of those that have names here. Things that touch count as one.
"""

from __future__ import annotations

import re
from collections.abc import Generator

import numpy as np
from PIL import Image

from glm_protocol.errors import Unsupported
from glm_vision.drawn import words
from glm_vision.drawn.scene import Scene, Thing
from glm_vision.grounding import format_box
from glm_vision.regions import Region, box_area, distance_from_ground, find_regions
from glm_vision.tasks.conversation import Conversation, Outcome, Picture, Piece, Task
from glm_vision.thing_view import MOST, cell_of, things_canvas

APART = 40  # of 255: from here on a pixel is not the ground
_LEAST = 0.0004  # of the picture: smaller specks are no things
_LEAST_SIDE = 5  # pixels


def describe_task(conversation: Conversation) -> Task:
    """`2 red circles, 1 blue square`, one line a picture."""
    texts = []
    for picture in conversation.pictures:
        scene = yield from see(conversation, picture)
        texts.append(scene.described() or "Nothing stands apart from the ground.")
    return Outcome(text="\n".join(texts))


def count_task(conversation: Conversation) -> Task:
    """How many of one kind, or of several together."""
    wanted = things_in(conversation.question) or ["shape"]
    scene = yield from see(conversation, conversation.pictures[-1])
    counts = [scene.count(name) for name in wanted]
    return Outcome(
        text=str(sum(counts)),
        valid=True,
        details={"counts": dict(zip(wanted, counts, strict=True))},
    )


def find_task(conversation: Conversation) -> Task:
    """Boxes of what the question names."""
    wanted = things_in(conversation.question)
    picture = conversation.pictures[-1]
    scene = yield from see(conversation, picture)
    found = [thing for thing in scene.things if {thing.name, thing.shape, "shape"} & set(wanted)]
    if not found:
        known = f"{', '.join(words.COLOURS)}; {', '.join(words.SHAPES)}"
        note = "Nothing of that kind was found." if wanted else f"It knows only: {known}."
        return Outcome(text="", valid=False, notes=(note,))
    size = {"width": picture.width, "height": picture.height}
    parts = [format_box(*thing.box, **size)[2:-2] for thing in found]
    return Outcome(
        text="[[" + ";".join(parts) + "]]", boxes=tuple(t.box for t in found), valid=True
    )


def see(conversation: Conversation, picture: Picture) -> Generator[Piece, None, Scene]:
    """Its things in reading order, boxes in source pixels. Raises Unsupported."""
    reader = conversation.model.cell_reader
    if reader is None:
        raise Unsupported("This model cannot name what stands in a cell.")
    image = picture.image
    regions = things_of(image)[:MOST]
    yield ""
    if not regions:
        return Scene(picture=image, things=())
    canvas = things_canvas([cell_of(image, region.box) for region in regions])
    shapes = reader.name(canvas, len(regions), words.SHAPES)
    colours = np.asarray(image)
    across, down = picture.width / image.width, picture.height / image.height
    things = []
    for region, shape in zip(regions, shapes, strict=True):
        left, top, right, bottom = region.box
        box = (int(left * across), int(top * down), int(right * across), int(bottom * down))
        things.append(Thing(colour=_colour(colours, region), shape=shape, box=box))
    return Scene(picture=image, things=tuple(things))


def things_of(image: Image.Image) -> list[Region]:
    """Regions large enough to be seen, in reading order."""
    least = max(12, int(_LEAST * image.width * image.height))
    found = find_regions(distance_from_ground(image) > APART, least=least)
    large = [
        region
        for region in found
        if min(region.box[2] - region.box[0], region.box[3] - region.box[1]) >= _LEAST_SIDE
        and box_area(region.box) < 0.9 * image.width * image.height
    ]
    return sorted(large, key=lambda region: (region.box[1], region.box[0]))


def _colour(colours: np.ndarray, region: Region) -> str:
    """The name whose colour is nearest to the region's middle one."""
    pixels = np.concatenate([colours[row, start:end] for row, start, end in region.runs])
    middle = np.median(pixels, axis=0)
    names = list(words.COLOURS)
    distances = [float(np.abs(middle - np.array(words.COLOURS[name])).sum()) for name in names]
    return names[distances.index(min(distances))]


def things_in(question: str) -> list[str]:
    """The things that a question names, as "red circle", in order, singular."""
    colours, shapes = "|".join(words.COLOURS), "|".join((*words.SHAPES, "shape"))
    found = re.findall(rf"\b(?:({colours}) )?({shapes})(?:e?s)?\b", question.lower())
    return [f"{colour} {shape}".strip() for colour, shape in found]
