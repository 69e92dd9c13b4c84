"""`/v1/completions` hands a whole prompt over as one that may be marked up; never a split one."""

from __future__ import annotations

from glm_daemon.routes.openai import OpenAICompletion


def test_only_a_prompt_without_suffix_may_be_marked_up() -> None:
    text = "<fim_prefix>a<fim_suffix>b<fim_middle>"
    request = OpenAICompletion(prompt=text).to_request("r")
    assert request.marked_up
    assert request.context.prefix == text  # the daemon knows no family's tokens
    assert OpenAICompletion(prompt=text, suffix="").to_request("r").marked_up
    assert not OpenAICompletion(prompt=text, suffix="x").to_request("r").marked_up
