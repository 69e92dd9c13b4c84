"""Which kinds of request a loaded code model takes, each with its planner.

A kind joins with a file that plans its rows and a line here, under the condition that the model
can do it (a chat template, a translation format). What is not in the table is refused.
"""

from __future__ import annotations

from glm_codegen.completion_kind import plan_completion
from glm_codegen.row_plan import ModelParts, Planner
from glm_protocol.completion import CompletionRequest


def planners_for(_parts: ModelParts) -> dict[type, Planner]:
    """The table for one model."""
    kinds: dict[type, Planner] = {CompletionRequest: plan_completion}
    return kinds


def capabilities_of(parts: ModelParts) -> tuple[str, ...]:
    """Words for `EngineInfo.capabilities`."""
    return ("infill",) if parts.prompt_format.reads_suffix else ()
