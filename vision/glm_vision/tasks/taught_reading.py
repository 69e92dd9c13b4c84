"""Reading a screenshot with a model that was taught to read character cells (`cell_reading`).

The lines are found in the picture, each is laid before the model cell by cell, and many are read
at once. So a picture of any size can be read, and a line is read the same wherever it stands.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from glm_protocol.errors import Unsupported
from glm_vision.glyph_rows import Readings, readings
from glm_vision.layout import lay_out
from glm_vision.like_letters import likely_letters
from glm_vision.reading_view import COLUMNS, SEGMENTS, Ink, canvas_of, even_ink, strip_of
from glm_vision.regions import Box
from glm_vision.tasks.conversation import Conversation, Outcome, Picture, Piece, Task
from glm_vision.tasks.places import places_in
from glm_vision.text_lines import REGULAR, LetterSize, TextBlock, common_size, find_text

AT_ONCE = 8  # pictures of three segments, one step of the engine
# Share of the ink in step from which a whole picture is one text: pages of a terminal and of code
# have 0.24 and more, screens with panels or proportional text 0.10 and less.
ONE_TEXT = 0.16
UNSURE = 0.5  # a character below this is counted as doubtful
LEGIBLE = 0.5  # a row of a screen below this is an icon or a picture more often than text
IN_DOUBT = 0.03  # by so much a row must be surer letter by letter than as it stands
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadRow:
    """One line; `sure` is the mean over its letters, 0 to 1."""

    text: str
    sure: float
    doubtful: int


def read_task(conversation: Conversation) -> Task:
    """Every line of every picture, top to bottom."""
    texts: list[str] = []
    notes: list[str] = []
    doubtful = characters = 0
    for picture in conversation.pictures:
        read = yield from read_screen(conversation, picture.image)
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


def read_screen(
    conversation: Conversation, image: Image.Image
) -> Generator[Piece, None, ReadText | None]:
    """A picture of any kind: as one text where it is one, else block by block (`layout`)."""
    whole = find_text(image)
    yield ""
    if whole is None:
        return None
    if whole.regular >= REGULAR and whole.in_step >= ONE_TEXT:
        return (yield from read_block(conversation, whole))
    layout = lay_out(image)
    yield ""
    ways = readings(layout)
    if not ways:
        return (yield from read_block(conversation, whole))
    blocks = [
        block
        for way in ways
        for block in (way.fixed, *(row.text for row in way.spaced))
        if block is not None
    ]
    rows = iter((yield from read_blocks(conversation, blocks)))
    read = [_surer(way, rows) for way in ways]
    return ReadText(
        lines=tuple(line for one in read for line in ("", *one.lines) if one.lines)[1:],
        doubtful=sum(one.doubtful for one in read),
        regular=all(one.regular for one in read),
    )


def _surer(way: Readings, read: Iterator[list[ReadRow]]) -> ReadText:
    """Of each row the reading that the model was surer of; hardly sure of any, it is left out."""
    if way.fixed is not None and not way.spaced:
        return _joined(way.fixed, next(read))
    fixed = next(read) if way.fixed is not None else []
    spaced = [_completed(next(read)[0], row.known) for row in way.spaced]
    rows = [
        fixed[number] if fixed and fixed[number].sure > ours.sure - IN_DOUBT else ours
        for number, ours in enumerate(spaced)
    ]
    kept = [row for row in rows if row.sure >= LEGIBLE]
    return ReadText(
        lines=tuple(row.text for row in kept),
        doubtful=sum(row.doubtful for row in kept),
        regular=all(row in fixed for row in kept),
    )


def _completed(row: ReadRow, known: str) -> ReadRow:
    """With the letters that are known by their strokes."""
    text = "".join(
        mark if mark != " " else letter
        for mark, letter in zip(known, row.text.ljust(len(known)), strict=True)
    )
    text = text.replace("''", '"').rstrip()
    return ReadRow(text=likely_letters(text), sure=row.sure, doubtful=row.doubtful)


def read_block(conversation: Conversation, block: TextBlock) -> Generator[Piece, None, ReadText]:
    """Raises Unsupported where the model was not taught to read cells."""
    read = yield from read_blocks(conversation, [block])
    return _joined(block, read[0])


def read_blocks(
    conversation: Conversation, blocks: Sequence[TextBlock]
) -> Generator[Piece, None, list[list[ReadRow]]]:
    """The lines of each. Raises Unsupported where the model was not taught to read cells."""
    reader = conversation.model.cell_reader
    if reader is None:
        raise Unsupported("This model cannot read character cells.")
    parts = [
        (block, number, start)
        for block, found in enumerate(blocks)
        for number, line in enumerate(found.lines)
        for start in range(0, line.columns, COLUMNS)
    ]
    texts = [[""] * len(block.lines) for block in blocks]
    sure: list[list[list[float]]] = [[[] for _ in block.lines] for block in blocks]
    for first in range(0, len(parts), AT_ONCE * SEGMENTS):
        some = parts[first : first + AT_ONCE * SEGMENTS]
        strips = [_strip(blocks[block], number, start) for block, number, start in some]
        canvases = [canvas_of(strips[at : at + SEGMENTS]) for at in range(0, len(strips), SEGMENTS)]
        cells = reader.read(canvases)
        yield ""
        for at, (block, number, start) in enumerate(some):
            cell, column = cells[at // SEGMENTS], at % SEGMENTS * COLUMNS
            kept = min(blocks[block].lines[number].columns - start, COLUMNS)
            text = cell.text[column : column + kept]
            texts[block][number] = texts[block][number].ljust(start) + text
            sure[block][number] += cell.sure[column : column + kept]
    return [
        [_row(text.rstrip(), each) for text, each in zip(lines, sures, strict=True)]
        for lines, sures in zip(texts, sure, strict=True)
    ]


def _row(text: str, sure: list[float]) -> ReadRow:
    inked = [each for each, letter in zip(sure, text, strict=False) if letter != " "]
    return ReadRow(
        text=text,
        sure=sum(inked) / max(1, len(inked)),
        doubtful=sum(each < UNSURE for each in sure),
    )


def _joined(block: TextBlock, rows: Sequence[ReadRow]) -> ReadText:
    """With the empty lines above them."""
    lines: list[str] = []
    for line, row in zip(block.lines, rows, strict=True):
        lines += [""] * line.blank_before
        lines.append(row.text)
    return ReadText(
        lines=tuple(lines),
        doubtful=sum(row.doubtful for row in rows),
        regular=block.regular >= REGULAR,
    )


def _strip(block: TextBlock, number: int, start: int) -> Ink:
    """Columns from `start` on of one line."""
    return even_ink(
        strip_of(
            block.ink,
            left=block.left + start * block.pitch,
            baseline=block.lines[number].baseline,
            pitch=block.pitch,
            ascent=block.ascent,
        )
    )
