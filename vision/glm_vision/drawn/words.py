"""The questions that nano-vision was taught, and the words that drawn pictures are told by.

Its tokenizer holds one token for each entry of QUESTION_WORDS: append only, never reorder.
"""

from __future__ import annotations

COLOURS = {
    "red": (214, 48, 49),
    "green": (39, 154, 72),
    "blue": (41, 98, 214),
    "yellow": (240, 196, 25),
    "purple": (128, 60, 170),
    "orange": (240, 130, 30),
}
SHAPES = ("circle", "square", "triangle", "star", "cross")
ELEMENTS = ("heading", "button", "input", "checkbox", "text")

READ_LINE = "Read line {line}."
DESCRIBE = "What is drawn?"
COUNT = "How many {things}?"
COUNT_SUM = "How many {things} and {others}?"
WHERE = "Where is the {thing}?"
NODES = "Where are the nodes?"
ARROWS = "Which arrows?"
BARS = "Where are the bars?"
POINTS = "Where are the points?"
SCREEN = "Which elements?"

QUESTION_WORDS = (
    *("Question:", " Answer:", " Read line "),
    *(" What is drawn?", " How many", " Where is the", " Where are the", " Which"),
    *(" nodes", " arrows", " bars", " points", " elements", " shapes", " and"),
    *(f" {colour}" for colour in COLOURS),
    *(f" {shape}" for shape in SHAPES),
    *(f" {element}" for element in ELEMENTS),
    *("[[", "]]", " line", " diagram", " chart", " screen", " code"),
)
