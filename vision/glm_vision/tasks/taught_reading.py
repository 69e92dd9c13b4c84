"""Reading a screenshot with a model that was taught to read character cells (`cell_reading`).

The lines are found in the picture, each is laid before the model cell by cell, and many are read
at once. So a picture of any size can be read, and a line is read the same wherever it stands.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

from PIL import Image

from glm_protocol.errors import Unsupported
from glm_vision.reading_view import COLUMNS, SEGMENTS, canvas_of, even_ink, strip_of
from glm_vision.regions import Box
from glm_vision.tasks.conversation import Conversation, Outcome, Picture, Piece, Task
from glm_vision.tasks.places import places_in
from glm_vision.text_lines import REGULAR, LetterSize, TextBlock, common_size, find_text
from glm_vision.vision_model import CellText

AT_ONCE = 8  # pictures of three segments, one step of the engine
UNSURE = 0.5  # a character below this is counted as doubtful
_IRREGULAR = (
    "The letters are not evenly spaced; this model reads fixed-width fonts, so expect mistakes."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadText:
    """Lines with indentation and blank lines, and how many characters were doubtful."""

    lines: tuple[str, ...]
    doubtful: int = 0
    regular: bool = True

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def read_task(conversation: Conversation) -> Task:
    """Every line of every picture, top to bottom."""
    texts: list[str] = []
    notes: list[str] = []
    doubtful = characters = 0
    for picture in conversation.pictures:
        read = yield from read_picture(conversation, picture.image)
        if read is None:
            notes.append("No text was found in the picture.")
            continue
        if not read.regular:
            notes.append(_IRREGULAR)
        doubtful += read.doubtful
        characters += sum(len(line) for line in read.lines)
        yield read.text if not texts else f"\n\n{read.text}"
        texts.append(read.text)
    if doubtful:
        notes.append(f"{doubtful} of {characters} characters are doubtful.")
    return Outcome(text="\n\n".join(texts), notes=tuple(notes), details={"doubtful": doubtful})


def error_task(conversation: Conversation) -> Task:
    """What is read, and the places that it names. No explanation: the model has none to give."""
    read = yield from read_task(conversation)
    places = places_in(read.text)
    return Outcome(
        text=read.text,
        valid=bool(places),
        notes=read.notes if places else (*read.notes, "No file and line were found in it."),
        details={**read.details, "places": places},
    )


def read_picture(
    conversation: Conversation, image: Image.Image, *, size: LetterSize | None = None
) -> Generator[Piece, None, ReadText | None]:
    """None where no text is found."""
    block = find_text(image, size=size)
    yield ""
    if block is None:
        return None
    return (yield from read_block(conversation, block))


def in_source(box: Box, picture: Picture) -> Box:
    """Of the picture before it was scaled down."""
    across, down = picture.width / picture.image.width, picture.height / picture.image.height
    return (
        int(box[0] * across),
        int(box[1] * down),
        int(box[2] * across),
        int(box[3] * down),
    )


def read_labels(
    conversation: Conversation, labels: Sequence[Image.Image]
) -> Generator[Piece, None, list[str]]:
    """What is written in each cut of the picture, as one line; all in one font."""
    size = common_size(labels)
    texts = []
    for label in labels:
        lines = yield from read_lines(conversation, label, size=size)
        texts.append(" ".join(lines))
    return texts


def read_lines(
    conversation: Conversation, image: Image.Image, *, size: LetterSize | None = None
) -> Generator[Piece, None, list[str]]:
    """Lines that are not empty, their blanks made one each."""
    read = yield from read_picture(conversation, image, size=size)
    lines = [" ".join(line.split()) for line in (read.lines if read is not None else ())]
    return [line for line in lines if line]


def read_block(conversation: Conversation, block: TextBlock) -> Generator[Piece, None, ReadText]:
    """Raises Unsupported where the model was not taught to read cells."""
    reader = conversation.model.cell_reader
    if reader is None:
        raise Unsupported("This model cannot read character cells.")
    parts = [
        (number, start)
        for number, line in enumerate(block.lines)
        for start in range(0, line.columns, COLUMNS)
    ]
    texts = [""] * len(block.lines)
    doubtful = 0
    for first in range(0, len(parts), AT_ONCE * SEGMENTS):
        some = parts[first : first + AT_ONCE * SEGMENTS]
        cells = reader.read(_canvases(block, some))
        yield ""
        for at, (number, start) in enumerate(some):
            text, unsure = _segment(cells[at // SEGMENTS], at % SEGMENTS)
            kept = block.lines[number].columns - start
            texts[number] = texts[number].ljust(start) + text[:kept]
            doubtful += sum(unsure[: min(kept, COLUMNS)])
    lines: list[str] = []
    for line, text in zip(block.lines, texts, strict=True):
        lines += [""] * line.blank_before
        lines.append(text.rstrip())
    return ReadText(lines=tuple(lines), doubtful=doubtful, regular=block.regular >= REGULAR)


def _segment(cells: CellText, place: int) -> tuple[str, list[bool]]:
    start, end = place * COLUMNS, (place + 1) * COLUMNS
    return cells.text[start:end], [sure < UNSURE for sure in cells.sure[start:end]]


def _canvases(block: TextBlock, parts: list[tuple[int, int]]) -> list[Image.Image]:
    strips = [
        even_ink(
            strip_of(
                block.ink,
                left=block.left + start * block.pitch,
                baseline=block.lines[number].baseline,
                pitch=block.pitch,
                ascent=block.ascent,
            )
        )
        for number, start in parts
    ]
    return [canvas_of(strips[at : at + SEGMENTS]) for at in range(0, len(strips), SEGMENTS)]
