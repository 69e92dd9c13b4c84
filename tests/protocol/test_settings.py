"""The settings: one definition, read leniently, and the page that is made from it."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glm_protocol.settings import (
    CompletionLength,
    Fallback,
    Scope,
    Settings,
    Trace,
    described,
    parse,
)
from glm_protocol.settings_doc import render

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([each.key.split(".")[-1] for each in described()]) | st.text(),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


def test_nothing_given_means_the_defaults() -> None:
    empty: list[Any] = [None, {}, {"model": None, "daemon": {"url": None}}, {"daemon": {}}]
    for wire in empty:
        assert parse(wire) == (Settings(), [])


@pytest.mark.parametrize(
    "wire",
    [
        {"inlineCompletion": {"maxTokens": 5, "mode": "line"}, "daemon": {"url": "u"}},
        {"inlineCompletion.maxTokens": 5, "inlineCompletion.mode": "line", "daemon.url": "u"},
        {"inlineCompletion": {"maxTokens": 5}, "inlineCompletion.mode": "line", "daemon.url": "u"},
    ],
)
def test_nested_and_dotted_keys_are_the_same(wire: Any) -> None:
    settings, complaints = parse(wire)
    assert complaints == []
    assert settings.inline_completion.max_tokens == 5
    assert settings.inline_completion.mode is CompletionLength.LINE
    assert settings.daemon.url == "u"


def test_every_kind_is_read() -> None:
    settings, complaints = parse(
        {
            "enable": False,
            "enabledLanguages": ["python", "go"],
            "model": "m",
            "inlineCompletion": {"debounceMs": 2000},
            "completion": {"fallback": "on"},
            "daemon": {"idleExitSeconds": 0},
            "trace": {"server": "verbose"},
        }
    )
    assert complaints == []
    assert (settings.enable, settings.enabled_languages) == (False, ("python", "go"))
    assert settings.completion.fallback is Fallback.ON
    assert settings.trace.server is Trace.VERBOSE
    assert settings.daemon.idle_exit_seconds == 0


@pytest.mark.parametrize(
    ("wire", "key"),
    [
        ({"enable": 1}, "glm.enable"),
        ({"enable": "true"}, "glm.enable"),
        ({"inlineCompletion": {"maxTokens": True}}, "glm.inlineCompletion.maxTokens"),
        ({"inlineCompletion": {"maxTokens": 0}}, "glm.inlineCompletion.maxTokens"),
        ({"inlineCompletion": {"maxTokens": 513}}, "glm.inlineCompletion.maxTokens"),
        ({"inlineCompletion": {"maxTokens": 5.0}}, "glm.inlineCompletion.maxTokens"),
        ({"inlineCompletion": {"mode": "long"}}, "glm.inlineCompletion.mode"),
        ({"inlineCompletion": {"mode": 5}}, "glm.inlineCompletion.mode"),
        ({"model": ["m"]}, "glm.model"),
        ({"model": "m" * 257}, "glm.model"),
        ({"disabledLanguages": "python"}, "glm.disabledLanguages"),
        ({"disabledLanguages": [1]}, "glm.disabledLanguages"),
        ({"daemon": "here"}, "glm.daemon"),
        ({"modle": "m"}, "did you mean `glm.model`"),
    ],
)
def test_a_bad_value_costs_its_own_key_and_is_named(wire: Any, key: str) -> None:
    settings, complaints = parse({**wire, "trace": {"server": "messages"}})
    assert len(complaints) == 1
    assert key in complaints[0]
    assert settings == parse({"trace": {"server": "messages"}})[0]


@pytest.mark.parametrize("wire", ["text", 5, [], [{}], True])
def test_a_section_that_is_no_object_is_one_complaint(wire: Any) -> None:
    settings, complaints = parse(wire)
    assert settings == Settings()
    assert len(complaints) == 1


def test_an_unknown_key_is_shown_on_one_line() -> None:
    _, complaints = parse({"a\nb\x1b\ud800": None})
    assert complaints[0].startswith("`glm.a\\nb\\x1b\\ud800` is no setting")


@given(JSON)
def test_nothing_that_an_editor_sends_raises(wire: Any) -> None:
    settings, complaints = parse(wire)
    assert isinstance(settings, Settings)
    assert all(len(complaint) < 300 and "\n" not in complaint for complaint in complaints)


def test_languages() -> None:
    assert Settings().enabled_for("python")
    assert not Settings(enable=False).enabled_for("python")
    assert not Settings(disabled_languages=("python",)).enabled_for("python")
    assert not Settings(enabled_languages=("go",)).enabled_for("python")
    assert Settings(enabled_languages=("go",)).enabled_for("go")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().enable = False  # type: ignore[misc]


def test_what_chooses_code_or_destination_is_the_user_s_alone() -> None:
    """T-01: no workspace may set these."""
    dangerous = re.compile("path|url|host|command|args|env|token|model|adapter", re.IGNORECASE)
    harmless = {"glm.inlineCompletion.maxTokens"}
    for each in described():
        if dangerous.search(each.key) and each.key not in harmless:
            assert each.about.scope is Scope.MACHINE, each.key


def test_every_setting_is_described_whole() -> None:
    for each in described():
        assert each.about.text.endswith(".")
        if each.kind is int:
            assert each.about.least is not None
            assert each.about.most is not None
            assert each.about.least <= each.default <= each.about.most
        if isinstance(each.kind, type) and issubclass(each.kind, CompletionLength | Fallback):
            assert set(each.about.choices) == set(each.kind)


def test_the_page_is_the_generator_s() -> None:
    made = render()
    assert PAGE.read_text(encoding="utf-8") == made, "run: python -m glm_protocol.settings_doc"
