"""The wire pair survives a round trip, and its bounds hold where bytes enter."""

import json

import pytest
from pydantic import TypeAdapter, ValidationError

from glm_protocol import (
    Chunk,
    CodeContext,
    CompletionRequest,
    End,
    FinishReason,
    Snippet,
    Timings,
    TokenCounts,
)
from glm_protocol.completion import MAX_SNIPPETS
from glm_protocol.request_fields import MAX_TEXT

REQUESTS = TypeAdapter(CompletionRequest)


def request(**changes: object) -> dict[str, object]:
    context = CodeContext(
        path="a.py",
        language="python",
        prefix="def f(",
        suffix=")",
        snippets=(Snippet(id="s1", path="b.py", text="x = 1"),),
    )
    wire = CompletionRequest(id="r1", document="file:///a.py", context=context).to_wire()
    return json.loads(json.dumps({**wire, **changes}))


def test_a_request_survives_json() -> None:
    wire = request()
    assert (
        REQUESTS.validate_python(wire).to_wire()
        == REQUESTS.validate_json(json.dumps(wire)).to_wire()
    )
    assert REQUESTS.validate_python(wire).context.snippets[0].text == "x = 1"


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"id": "x" * 65},
        {"max_tokens": 0},
        {"max_tokens": 10**9},
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"deadline_ms": 0},
        {"stop": ["x"] * 17},
        {"stop": [""]},
        {"mode": "novel"},
        {"seed": -1},
        {"unknown": 1},
        {
            "context": {
                "path": "a",
                "language": "python",
                "prefix": "x" * (MAX_TEXT + 1),
                "suffix": "",
            }
        },
        {
            "context": {
                "path": "a",
                "language": "python",
                "prefix": "",
                "suffix": "",
                "snippets": [{"id": "s", "path": "", "text": ""}] * (MAX_SNIPPETS + 1),
            }
        },
    ],
)
def test_a_request_out_of_bounds_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        REQUESTS.validate_python(request(**changes))


def test_chunks_survive_json() -> None:
    end = End(
        finish=FinishReason.STOP,
        model="nano-code",
        timings_ms=Timings(prefill=1.5),
        tokens=TokenCounts(prompt=3, reused=2, generated=1),
    )
    for chunk in (Chunk(text="a\n"), Chunk(end=end)):
        assert Chunk.from_wire(json.loads(json.dumps(chunk.to_wire()))) == chunk


@pytest.mark.parametrize(
    "wire", [{}, {"text": "x", "end": {}}, {"text": "x", "end": {"finish": "never", "model": "m"}}]
)
def test_a_malformed_chunk_is_refused(wire: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Chunk.from_wire(wire)
