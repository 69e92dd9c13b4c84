"""The tasks for a model that was taught to read cells: which strategy a question gets.

Free words are matched to what the model can do; what matches nothing is described, and a note says
so. Reading, scenes and drawings have files of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from glm_vision.tasks.conversation import Conversation, Outcome, Task
from glm_vision.tasks.taught_charts import chart_task
from glm_vision.tasks.taught_diagrams import diagram_task
from glm_vision.tasks.taught_reading import error_task, read_task
from glm_vision.tasks.taught_scenes import count_task, describe_task, find_task
from glm_vision.tasks.taught_screens import screen_task

_KNOWN = (
    "This small model knows a few questions only: read, error, diagram, chart, ui, how many,"
    " where is, describe. For others add a larger one: `glm-lsp models add`."
)
_BY_WORDS = (
    ("count", r"\bhow many\b|\bcount\b"),
    ("find", r"\bwhere\b|\blocate\b|\bfind\b|\bbox\b"),
    ("error", r"\berror\b|\btraceback\b|\bexception\b|\bwrong\b|\bfail"),
    ("diagram", r"\bdiagram\b|\bmermaid\b|\bflow ?chart\b"),
    ("chart", r"\bchart\b|\bplot\b|\bcsv\b|\bbars?\b"),
    ("ui", r"\bhtml\b|\bui\b|\bscreen\b|\bmock"),
    ("read", r"\bread\b|\btext\b|\bwritten\b|\bsays?\b|\bcode\b|\bocr\b|\btranscri"),
    ("describe", r"\bdescribe\b|\bdrawn\b|\bsee\b|\bpicture\b|\bimage\b"),
)


def taught_task(task: str, conversation: Conversation) -> Task:
    """The strategy of a task; "ask" goes by the question's words."""
    if not conversation.pictures:
        return _without_picture()
    if task != "ask":
        return _TASKS[task](conversation)
    asked = conversation.question.lower()
    chosen = next((name for name, pattern in _BY_WORDS if re.search(pattern, asked)), "")
    return _TASKS[chosen](conversation) if chosen else _unknown(conversation)


def _unknown(conversation: Conversation) -> Task:
    outcome = yield from describe_task(conversation)
    return Outcome(text=outcome.text, notes=(*outcome.notes, _KNOWN))


def _without_picture() -> Task:
    yield ""
    note = "This model answers questions about pictures; there is none."
    return Outcome(text="", valid=False, notes=(note,))


_TASKS: dict[str, Callable[[Conversation], Task]] = {
    "read": read_task,
    "error": error_task,
    "ui": screen_task,
    "diagram": diagram_task,
    "chart": chart_task,
    "find": find_task,
    "describe": describe_task,
    "count": count_task,
}
