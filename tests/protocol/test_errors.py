"""Every leaf of the error tree has its own code, a remedy, and crosses the wire as itself."""

import pytest

from glm_protocol.errors import GlmError, from_wire, leaves


@pytest.mark.parametrize("code", sorted(leaves()))
def test_each_error_crosses_the_wire(code: str) -> None:
    error = leaves()[code]("It failed.")
    again = from_wire(error.to_wire())
    assert type(again) is leaves()[code]
    assert again.message == "It failed."
    assert again.remedy == error.remedy
    assert error.remedy.endswith((".", "`."))
    assert 400 <= error.http_status < 600


@pytest.mark.parametrize("wire", [None, [], {}, {"error": "x"}, {"error": {"code": "new"}}])
def test_an_unreadable_error_is_still_an_error(wire: object) -> None:
    assert type(from_wire(wire)) is GlmError
