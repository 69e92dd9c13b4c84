"""Renders a model's own chat template, jinja2 from its folder, without trusting it or the texts.

The template is a stranger's program: it runs in jinja2's sandbox, without loaders or imports, for
at most two seconds, on a bounded source. The texts are strangers' too: the template never sees
them. It gets a random word in place of each, and the rendered prompt is cut at those words, so
that no text can pass for a control token, whatever the template does with it.
"""

from __future__ import annotations

import ctypes
import json
import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from glm_protocol.chat import ChatMessage
from glm_protocol.errors import ModelUnusable

MAX_SOURCE = 64_000  # characters
MAX_PRODUCT = 1_000_000  # characters or repetitions that `*` may make
PATIENCE_S = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A run of a prompt. `trusted`: written by the format, so control tokens in it are meant."""

    text: str
    trusted: bool


class TemplateRefused(ValueError):
    """The template would not render these messages; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatTemplate:
    """A template and the texts that it may name (`bos_token`, `eos_token`, …)."""

    source: str
    names: dict[str, str]

    def spans(self, messages: Sequence[ChatMessage]) -> list[Span]:
        """The prompt up to where the answer begins. Raises TemplateRefused."""
        word = secrets.token_hex(12)
        marks = [f"txt{word}n{number}e" for number in range(len(messages))]
        turns = [
            {"role": message.role.value, "content": mark}
            for message, mark in zip(messages, marks, strict=True)
        ]
        rendered = self._render(turns)
        lost = [
            m.role.value for m, mark in zip(messages, marks, strict=True) if mark not in rendered
        ]
        if lost:
            raise TemplateRefused(f"the chat template leaves out a text of the role {lost[0]}")
        spans = []
        for piece in re.split(rf"(txt{word}n\d+e)", rendered):
            found = re.fullmatch(rf"txt{word}n(\d+)e", piece)
            text = piece if found is None else messages[int(found[1])].text
            if text:
                spans.append(Span(text=text, trusted=found is None))
        return spans

    def _render(self, turns: list[dict[str, str]]) -> str:
        from jinja2 import TemplateError

        def render() -> str:
            template = _environment().from_string(self.source)
            return str(template.render(messages=turns, add_generation_prompt=True, **self.names))

        try:
            return _within(PATIENCE_S, render)
        except (TemplateError, TypeError, ValueError, KeyError, AttributeError) as error:
            raise TemplateRefused(f"the chat template says: {str(error)[:200]}") from error


def read_template(folder: Path) -> ChatTemplate | None:
    """The folder's template; None where it has none. Raises ModelUnusable for an unsound one."""
    config = read_tokenizer_config(folder)
    file = folder / "chat_template.jinja"
    source: Any = config.get("chat_template")
    if file.is_file():
        source = file.read_text("utf-8")
    if isinstance(source, list):  # several by name
        named = {
            item.get("name"): item.get("template") for item in source if isinstance(item, dict)
        }
        source = named.get("default")
    if source is None:
        return None
    if not isinstance(source, str) or len(source) > MAX_SOURCE:
        raise ModelUnusable(f"{folder}: the chat template is no text of at most {MAX_SOURCE}.")
    return ChatTemplate(source=source, names=_names(config))


def read_tokenizer_config(folder: Path) -> dict[str, Any]:
    """tokenizer_config.json; {} where there is none. Raises ModelUnusable."""
    file = folder / "tokenizer_config.json"
    try:
        config = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ModelUnusable(f"{file} cannot be read ({type(error).__name__}).") from error
    if not isinstance(config, dict):
        raise ModelUnusable(f"{file} does not hold a JSON object.")
    return config


def _names(config: dict[str, Any]) -> dict[str, str]:
    """`bos_token` and its like: plain texts, or objects with a `content`."""
    names = {}
    for key, value in config.items():
        content = value.get("content") if isinstance(value, dict) else value
        if key.endswith("_token") and isinstance(content, str):
            names[key] = content
    return {"bos_token": "", "eos_token": ""} | names


def _environment() -> Any:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Environment(ImmutableSandboxedEnvironment):
        """Without products and powers that fill the memory."""

        intercepted_binops = frozenset({"*", "**"})

        def call_binop(self, _context: Any, operator: str, left: Any, right: Any) -> Any:
            small = all(isinstance(side, int) and abs(side) < MAX_PRODUCT for side in (left, right))
            if operator == "**" or not small:
                raise TypeError("the template multiplies more than numbers")
            return left * right

    def raise_exception(message: str) -> NoReturn:
        raise TemplateRefused(message)

    environment = Environment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda _: ""  # the same prompt every day
    return environment


class _TooLong(Exception):
    """Raised inside a rendering that took its time."""


def _within(seconds: float, work: Any) -> str:
    """Run `work` in a thread of its own and stop it when it takes longer; it is pure Python."""
    outcome: dict[str, Any] = {}

    def run() -> None:
        try:
            outcome["text"] = work()
        except BaseException as error:  # noqa: BLE001 - handed over to the caller
            outcome["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        assert thread.ident is not None
        raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
        raise_in(ctypes.c_ulong(thread.ident), ctypes.py_object(_TooLong))
        thread.join(seconds)
        raise TemplateRefused("the chat template does not come to an end")
    if "error" in outcome:
        raise outcome["error"]
    return str(outcome["text"])
