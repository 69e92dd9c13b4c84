"""Sequences of small CogView models: places of codes, and the released layout as a case of it."""

from __future__ import annotations

import pytest

from glm_protocol.errors import PromptTooLong
from glm_t2i.nano_layout import NanoLayout
from glm_t2i.pipelines.cogview_drawing import text_context
from glm_t2i.pipelines.vocabulary import CogViewIds

IDS = CogViewIds(image_tokens=20, text_tokens=10)
CODES = list(range(8, 16)) * 8


def test_a_place_in_the_picture_has_one_position_whatever_the_text() -> None:
    layout = NanoLayout(ids=IDS, edge=8, image_position=16)
    for text in ([], [21], [21, 22, 23]):
        ids, positions = layout.drawing_sequence(text, CODES)
        start = ids.index(IDS.command("[BOI1]")) + 1
        assert ids[start:-1] == CODES
        assert positions[start:-1] == list(range(16, 80))
        assert max(positions) < layout.positions
    ids, positions = layout.caption_sequence([21, 22], CODES)
    assert ids[2:66] == CODES
    assert positions[2:66] == list(range(16, 80))
    assert positions[-3:] == [0, 1, 2]


def test_released_layout_counts_on() -> None:
    layout = NanoLayout(ids=IDS, edge=32, image_position=0, most_text=61)
    ids, positions = layout.drawing_context([21, 22])
    assert ids == text_context(IDS, [21, 22])
    assert positions == list(range(len(ids)))
    ids, positions = layout.caption_sequence([21, 22], [3] * 1024)
    assert positions == list(range(len(ids)))
    assert layout.positions == 1089  # rows of the released table


def test_long_text_is_refused_by_its_count() -> None:
    layout = NanoLayout(ids=IDS, edge=8, image_position=16)
    assert len(layout.text_ids(range(10))) == 10
    with pytest.raises(PromptTooLong, match="14 pieces; this model reads 13"):
        layout.text_ids([1] * 14)


@pytest.mark.parametrize(("edge", "start"), [(12, 16), (8, 3)])
def test_sizes_without_a_command_are_refused(edge: int, start: int) -> None:
    with pytest.raises(ValueError):
        NanoLayout(ids=IDS, edge=edge, image_position=start)
