"""The tasks for a model that was taught to read cells: which strategy a question gets.

Words that name a task choose it; any other question is answered by what kind of picture it is
(`taught_question`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from glm_vision.tasks.conversation import Conversation, Outcome, Task
from glm_vision.tasks.taught_charts import chart_task
from glm_vision.tasks.taught_diagrams import diagram_task
from glm_vision.tasks.taught_question import question_task
from glm_vision.tasks.taught_reading import error_task, read_task
from glm_vision.tasks.taught_scenes import count_task, find_task
from glm_vision.tasks.taught_screens import screen_task

_BY_WORDS = (
    ("count", r"\bhow many\b|\bcount\b"),
    ("find", r"\bwhere\b|\blocate\b|\bfind\b|\bbox\b"),
    ("error", r"\berror\b|\btraceback\b|\bexception\b|\bwrong\b|\bfail"),
    ("diagram", r"\bdiagram\b|\bmermaid\b|\bflow ?chart\b"),
    ("chart", r"\bchart\b|\bplot\b|\bcsv\b|\bbars?\b"),
    ("ui", r"\bhtml\b|\bui\b|\bscreen\b|\bmock"),
    ("read", r"\bread\b|\btext\b|\bwritten\b|\bsays?\b|\bcode\b|\bocr\b|\btranscri"),
)


def taught_task(task: str, conversation: Conversation) -> Task:
    """The strategy of a task; "ask" goes by the question's words."""
    if not conversation.pictures:
        return _without_picture()
    if task != "ask":
        return _TASKS[task](conversation)
    asked = conversation.question.lower()
    chosen = next((name for name, pattern in _BY_WORDS if re.search(pattern, asked)), "")
    return _TASKS[chosen or "describe"](conversation)


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
    "describe": question_task,
    "count": count_task,
}
