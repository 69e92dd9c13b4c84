"""The settings of section `glm`: one typed definition for the server, the docs and the plug-ins.

An editor sends merged values; `parse` reads what it can and says what it could not. Settings of
scope "machine" choose what is executed or where code goes. The server reads no settings file, so
only the editor can tell a workspace's value from the user's: a plug-in has to declare the scope
(VS Code then ignores workspace values), and clients that merge by themselves must leave these out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from enum import StrEnum
from typing import Any, get_type_hints

SECTION = "glm"


class Scope(StrEnum):
    """Who may set it, in VS Code's words."""

    MACHINE = "machine"
    WINDOW = "window"
    RESOURCE = "resource"
    LANGUAGE = "language-overridable"


class CompletionLength(StrEnum):
    """How far ghost text may go."""

    AUTO = "auto"
    LINE = "line"
    BLOCK = "block"


class Fallback(StrEnum):
    """Whether suggestions also appear in the ordinary completion menu."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class Trace(StrEnum):
    """How much the server writes to its log. Never any code."""

    OFF = "off"
    MESSAGES = "messages"
    VERBOSE = "verbose"


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What a setting is, beside its type and default. `text` is Markdown."""

    text: str
    scope: Scope
    least: int | None = None
    most: int | None = None
    choices: Mapping[str, str] = field(default_factory=dict)  # value: what it means
    max_length: int = 4096  # characters of a string, entries of a list


def about(text: str, scope: Scope, **more: Any) -> dict[str, About]:
    """Metadata of a field: its own description."""
    return {"about": About(text=text, scope=scope, **more)}


@dataclass(frozen=True, kw_only=True, slots=True)
class InlineCompletionSettings:
    """Ghost text."""

    debounce_ms: int = field(
        default=0,
        metadata=about(
            "Milliseconds of silence before a completion is asked for while typing. Most "
            "editors wait a little themselves.",
            Scope.WINDOW,
            least=0,
            most=2000,
        ),
    )
    max_tokens: int = field(
        default=64,
        metadata=about(
            "Longest completion, in tokens of the model.", Scope.WINDOW, least=1, most=512
        ),
    )
    mode: CompletionLength = field(
        default=CompletionLength.AUTO,
        metadata=about(
            "How far ghost text may go.",
            Scope.LANGUAGE,
            choices={
                "auto": "One line, or a block where the code calls for one.",
                "line": "Never more than the rest of the line.",
                "block": "A whole block wherever the model writes one.",
            },
        ),
    )
    quiet: int = field(
        default=35,
        metadata=about(
            "How sure the model has to be before something is shown while typing, in percent: 0 "
            "shows whatever passes the filters, 100 next to nothing. What is asked for by hand is "
            "always shown.",
            Scope.WINDOW,
            least=0,
            most=100,
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class CompletionSettings:
    """The ordinary completion menu."""

    fallback: Fallback = field(
        default=Fallback.AUTO,
        metadata=about(
            "Whether suggestions also appear in the ordinary completion menu.",
            Scope.WINDOW,
            choices={
                "auto": "Only in editors that cannot show ghost text.",
                "on": "Always.",
                "off": "Never.",
            },
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ContextSettings:
    """What of the workspace a completion may see beside its own file."""

    enable: bool = field(
        default=True,
        metadata=about(
            "Whether completions see related code of the open folder: definitions, similar "
            "places, recent edits. The folder is indexed on this machine; `.gitignore` and "
            "`.glmignore` are honoured and secrets left out.",
            Scope.WINDOW,
        ),
    )
    exclude: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Files and folders that are never read for context, as patterns of `.gitignore`.",
            Scope.WINDOW,
            max_length=256,
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerSettings:
    """How the editor starts the language server, which therefore has no use for it."""

    path: str = field(
        default="",
        metadata=about(
            "VS Code alone: absolute path of the program `glm-lsp`. Empty: the one on your `PATH`, "
            "never one inside an open folder.",
            Scope.MACHINE,
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class DaemonSettings:
    """Which daemon, and for how long."""

    url: str = field(
        default="",
        metadata=about(
            "URL of a team's daemon, `https://host:port`. Empty: this machine's own, started as "
            "needed on a private socket.",
            Scope.MACHINE,
        ),
    )
    token_file: str = field(
        default="",
        metadata=about(
            "File with the token for `glm.daemon.url`, readable by you alone. The environment "
            "variable `GLM_LSP_TOKEN` comes first.",
            Scope.MACHINE,
        ),
    )
    idle_exit_seconds: int = field(
        default=1800,
        metadata=about(
            "The daemon that was started for you ends after so many idle seconds; 0 is never.",
            Scope.MACHINE,
            least=0,
            most=604_800,
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class TraceSettings:
    """What is logged."""

    server: Trace = field(
        default=Trace.OFF,
        metadata=about(
            "How much the server writes to its log. Never any code.",
            Scope.WINDOW,
            choices={
                "off": "Warnings and errors.",
                "messages": "Starts, stops and each change of state as well.",
                "verbose": "Names and times of requests as well.",
            },
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Section `glm`."""

    enable: bool = field(default=True, metadata=about("Completions on or off.", Scope.LANGUAGE))
    enabled_languages: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "Language ids that get completions. Empty: all but `glm.disabledLanguages`.",
            Scope.RESOURCE,
            max_length=256,
        ),
    )
    disabled_languages: tuple[str, ...] = field(
        default=(),
        metadata=about("Language ids that get no completions.", Scope.RESOURCE, max_length=256),
    )
    model: str = field(
        default="",
        metadata=about(
            "Name of the model, see `glm-lsp models`. Empty: the daemon's default.",
            Scope.MACHINE,
            max_length=256,
        ),
    )
    adapter: str = field(
        default="",
        metadata=about(
            "Name of a fine-tuned adapter, see `glm-lsp adapters list`. Empty: the one that was "
            "published for the open repository, or the model as it is.",
            Scope.MACHINE,
            max_length=256,
        ),
    )
    inline_completion: InlineCompletionSettings = field(default_factory=InlineCompletionSettings)
    completion: CompletionSettings = field(default_factory=CompletionSettings)
    context: ContextSettings = field(default_factory=ContextSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    daemon: DaemonSettings = field(default_factory=DaemonSettings)
    trace: TraceSettings = field(default_factory=TraceSettings)

    def enabled_for(self, language: str) -> bool:
        """Whether a document of this language id gets completions."""
        if not self.enable or language in self.disabled_languages:
            return False
        return not self.enabled_languages or language in self.enabled_languages


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """One setting as the generators see it: `key` is "glm.inlineCompletion.maxTokens"."""

    key: str
    kind: type | str  # bool, int, str, a StrEnum, or "list" of strings
    default: Any
    about: About


def described(group: type = Settings, prefix: str = SECTION) -> Iterator[Described]:
    """Every setting, in the order of the definition."""
    hints = get_type_hints(group)
    for each in fields(group):
        key = f"{prefix}.{wire_name(each.name)}"
        kind = hints[each.name]
        if is_dataclass(kind):
            assert isinstance(kind, type)
            yield from described(kind, key)
        else:
            assert each.default is not MISSING
            shown = kind if isinstance(kind, type) else "list"
            found: About = each.metadata["about"]
            yield Described(key=key, kind=shown, default=each.default, about=found)


def wire_name(name: str) -> str:
    """`max_tokens` → `maxTokens`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def parse(wire: object) -> tuple[Settings, list[str]]:
    """Settings from what an editor sent for section `glm`, and a complaint for each bad value.

    Takes nested objects and dotted keys; null and absent mean the default. A bad value costs only
    its own key. Raises nothing.
    """
    if wire is None:
        return Settings(), []
    if not isinstance(wire, Mapping):
        return Settings(), [f"`{SECTION}` should be an object; all its settings are at default."]
    complaints: list[str] = []
    given = dict(_flat(wire, SECTION))
    settings = _read(Settings, SECTION, given, complaints)
    known = {each.key for each in described()}
    unknown = [key for key in given if key not in known]
    complaints += [f"`{_shown(key)}` is no setting{_nearest(key, known)}." for key in unknown[:8]]
    assert isinstance(settings, Settings)
    return settings, complaints


def _shown(key: str) -> str:
    """A stranger's key on one line: line ends and control characters escaped."""
    return key.encode("unicode_escape").decode("ascii")[:80]


def _flat(wire: Mapping[Any, Any], prefix: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Dotted keys and their values; a group that is no object is left for the complaint."""
    for name, value in wire.items():
        key = f"{prefix}.{name}"
        if isinstance(value, Mapping) and depth < 8:
            yield from _flat(value, key, depth + 1)
        else:
            yield key, value


def _read(group: type, prefix: str, given: Mapping[str, Any], complaints: list[str]) -> Any:
    hints = get_type_hints(group)
    values: dict[str, Any] = {}
    for each in fields(group):
        key = f"{prefix}.{wire_name(each.name)}"
        kind = hints[each.name]
        if is_dataclass(kind):
            assert isinstance(kind, type)
            values[each.name] = _read(kind, key, given, complaints)
        elif given.get(key) is not None:
            try:
                values[each.name] = _value(given[key], kind, each.metadata["about"])
            except ValueError as error:
                complaints.append(f"`{key}` {error}; the default is used.")
    return group(**values)


def _value(value: Any, kind: Any, bounds: About) -> Any:
    """`value` as the type of its setting. Raises ValueError with the end of a sentence."""
    if kind is bool:
        if not isinstance(value, bool):
            raise ValueError("should be true or false")
        return value
    if kind is int:
        least, most = bounds.least, bounds.most
        assert least is not None
        assert most is not None
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or not least <= value <= most:
            raise ValueError(f"should be a whole number from {least} to {most}")
        return value
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        if not isinstance(value, str) or value not in list(kind):
            raise ValueError(f"should be one of {', '.join(kind)}")
        return kind(value)
    if kind is str:
        if not isinstance(value, str) or len(value) > bounds.max_length:
            raise ValueError(f"should be a text of at most {bounds.max_length} characters")
        return value
    fits = isinstance(value, list) and len(value) <= bounds.max_length
    if not fits or not all(isinstance(entry, str) for entry in value):
        raise ValueError(f"should be a list of at most {bounds.max_length} texts")
    return tuple(value)


def _nearest(key: str, known: set[str]) -> str:
    """What the user may have meant."""
    from difflib import get_close_matches

    close = get_close_matches(key, known, n=1)
    return f" (did you mean `{close[0]}`?)" if close else ""
