"""File names to language ids."""

import pytest

from glm_protocol.languages import language_id


@pytest.mark.parametrize(
    ("path", "language"),
    [("a/b.py", "python"), ("B.TS", "typescript"), ("Makefile", "makefile"), ("x", "plaintext")],
)
def test_language_id(path: str, language: str) -> None:
    assert language_id(path) == language
