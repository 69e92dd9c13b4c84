"""The parser of Mermaid: what is drawn by mermaid.js passes, what is not is refused by line."""

from __future__ import annotations

import pytest

from glm_vision.tasks.mermaid import MermaidError, parse_mermaid

FLOW = """flowchart LR
    %% a remark
    A["Read (file)"] --> B{Valid?}
    B -->|yes| C[(Store)]
    B -- no --> D((End)):::bad
    A & C --> D; D -.-> A
    subgraph inner [Inner part]
        direction TB
        E --> F
    end
    style A fill:#f9f
    linkStyle 0 stroke:red
"""
SEQUENCE = """sequenceDiagram
    participant U as User
    actor S
    U->>S: login(name)
    alt known
        S-->>U: token
    else unknown
        S--xU: 401
    end
    Note over U,S: done
"""
CLASSES = """classDiagram
    class Shape {
        <<abstract>>
        +float area()
        -int count
    }
    Shape <|-- Circle : is a
    Circle "1" *-- "many" Point
    Point : +int x
"""


def test_a_flowchart_is_read() -> None:
    diagram = parse_mermaid(FLOW)
    assert (diagram.kind, diagram.direction) == ("flowchart", "LR")
    assert diagram.nodes["A"] == "Read (file)"
    assert diagram.nodes["D"] == "End"
    assert ("B", "C", "yes") in diagram.edges
    assert ("B", "D", "no") in diagram.edges
    assert {("A", "D", ""), ("C", "D", ""), ("D", "A", "")} <= set(diagram.edges)
    assert ("read (file)", "valid?") in diagram.edge_set()


def test_sequences_and_classes_are_read() -> None:
    sequence = parse_mermaid(SEQUENCE)
    assert sequence.nodes == {"U": "User", "S": "S"}
    assert [edge[:2] for edge in sequence.edges] == [("U", "S"), ("S", "U"), ("S", "U")]
    classes = parse_mermaid(CLASSES)
    assert set(classes.nodes) == {"Shape", "Circle", "Point"}
    assert ("Circle", "Shape", "is a") in classes.edges
    assert ("Point", "Circle", "") in classes.edges


@pytest.mark.parametrize(
    "text",
    [
        "graph TD\n  a --> b",
        "flowchart\n  a --> b",
        "flowchart TD\n  a---b\n  b===c\n  c-->d-->e",
        "flowchart TD\n  a-->|x|b",
        "flowchart TD\n  a([x])-->b[[y]]",
        'flowchart TD\n  a["()[]{}"]',
    ],
)
def test_it_parses(text: str) -> None:
    assert parse_mermaid(text).nodes


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("pie\n a: 1", 1),
        ("flowchart XY\n a --> b", 1),
        ("flowchart TD", 1),
        ("flowchart TD\n a -->", 2),
        ("flowchart TD\n a b", 2),
        ("flowchart TD\n a[open --> b", 2),
        ("flowchart TD\n a[(x] --> b", 2),
        ("flowchart TD\n a[x (y)] --> b", 2),
        ("flowchart TD\n a --> end", 2),
        ("flowchart TD\n a - b", 2),
        ("flowchart TD\n subgraph x\n a --> b", 3),
        ("flowchart TD\n end", 2),
        ("sequenceDiagram\n A->>B", 2),
        ("sequenceDiagram\n loop x\n A->>B: y", 3),
        ("classDiagram\n A <|- B", 2),
        ("classDiagram\n class A {\n +int x", 3),
        ("flowchart TD\n" + "a" * 60_000, 1),
    ],
)
def test_it_does_not_parse(text: str, line: int) -> None:
    with pytest.raises(MermaidError) as raised:
        parse_mermaid(text)
    assert raised.value.line == line
