"""Files are read with care and split where the editor shows the cursor."""

import os
from pathlib import Path

import pytest

from glm_lsp.cli.source_file import MAX_BYTES, read_source, split_at
from glm_protocol.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "line", "column", "before"),
    [
        ("", 1, 1, ""),
        ("ab\ncd", 2, 1, "ab\n"),
        ("ab\ncd", 1, 3, "ab"),
        ("ab\r\ncd", 1, 3, "ab"),
        ("ab\r\ncd", 2, 3, "ab\r\ncd"),
        ("ab\rcd", 2, 2, "ab\rc"),
        ("😀a\nb", 1, 2, "😀"),
        ("a\x0cb\u2028c\x85d\nx", 2, 1, "a\x0cb\u2028c\x85d\n"),
        ("a\n", 2, 1, "a\n"),
    ],
)
def test_split_at(text: str, line: int, column: int, before: str) -> None:
    prefix, suffix = split_at(text, line, column)
    assert prefix == before
    assert prefix + suffix == text


@pytest.mark.parametrize(("line", "column"), [(0, 1), (3, 1), (1, 0), (1, 4), (-1, 1)])
def test_a_place_outside_the_text_is_refused(line: int, column: int) -> None:
    with pytest.raises(BadRequest):
        split_at("ab\ncd", line, column)


def test_a_normal_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes("\ufeffx = 'é'\r\n".encode())
    assert read_source(file) == "x = 'é'\r\n"


def test_files_that_are_not_source_are_refused(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.py"
    os.mkfifo(fifo)
    binary = tmp_path / "a.bin"
    binary.write_bytes(b"a\0b")
    big = tmp_path / "big.py"
    big.write_bytes(b"x" * (MAX_BYTES + 1))
    for path in (fifo, binary, big, tmp_path, tmp_path / "absent", Path("/dev/zero")):
        with pytest.raises(BadRequest):
            read_source(path)
