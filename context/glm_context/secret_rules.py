"""Finds secrets in text in linear time, and takes them out.

Every rule begins with a literal that is searched for by `str.find`; only there is its pattern
tried, and every repetition in a pattern is bounded. No entropy over the whole text: a hash is no
secret, and a password need not look random. Two kinds of rule: tokens that carry a well-known
mark, and values assigned to a name that says secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

WITHHELD = "<withheld>"


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretFinding:
    """A secret at text[start:end]. `kind` is a word for the report, never a part of the secret."""

    kind: str
    start: int
    end: int


# kind: (literal it begins with, pattern of the whole)
_TOKENS: tuple[tuple[str, str, str], ...] = (
    ("aws-key-id", "AKIA", r"AKIA[0-9A-Z]{16}"),
    ("aws-key-id", "ASIA", r"ASIA[0-9A-Z]{16}"),
    ("github-token", "ghp_", r"ghp_[A-Za-z0-9]{30,255}"),
    ("github-token", "gho_", r"gho_[A-Za-z0-9]{30,255}"),
    ("github-token", "ghu_", r"ghu_[A-Za-z0-9]{30,255}"),
    ("github-token", "ghs_", r"ghs_[A-Za-z0-9]{30,255}"),
    ("github-token", "ghr_", r"ghr_[A-Za-z0-9]{30,255}"),
    ("github-token", "github_pat_", r"github_pat_[A-Za-z0-9_]{22,255}"),
    ("gitlab-token", "glpat-", r"glpat-[\w-]{16,255}"),
    ("slack-token", "xox", r"xox[abeoprs]-[\w-]{10,255}"),
    ("slack-hook", "hooks.slack.com/", r"hooks\.slack\.com/(?:services|workflows)/[\w/+-]{20,255}"),
    ("discord-hook", "/api/webhooks/", r"/api/webhooks/\d{10,24}/[\w-]{30,255}"),
    ("openai-key", "sk-", r"sk-[\w-]{20,255}"),
    ("stripe-key", "_live_", r"_live_[A-Za-z0-9]{16,255}"),
    ("stripe-key", "_test_", r"_test_[A-Za-z0-9]{24,255}"),
    ("stripe-hook", "whsec_", r"whsec_[A-Za-z0-9+/=]{24,255}"),
    ("google-key", "AIza", r"AIza[\w-]{35}"),
    ("google-token", "ya29.", r"ya29\.[\w-]{20,500}"),
    ("google-secret", "GOCSPX-", r"GOCSPX-[\w-]{20,100}"),
    ("sendgrid-key", "SG.", r"SG\.[\w-]{16,32}\.[\w-]{30,64}"),
    ("npm-token", "npm_", r"npm_[A-Za-z0-9]{30,64}"),
    ("pypi-token", "pypi-", r"pypi-[\w-]{50,500}"),
    ("huggingface-token", "hf_", r"hf_[A-Za-z0-9]{30,64}"),
    ("digitalocean-token", "dop_v1_", r"dop_v1_[a-f0-9]{60,70}"),
    ("shopify-token", "shp", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{30,64}"),
    ("vault-token", "hvs.", r"hvs\.[\w-]{20,255}"),
    ("databricks-token", "dapi", r"dapi[a-f0-9]{32}"),
    ("docker-token", "dckr_pat_", r"dckr_pat_[\w-]{20,64}"),
    ("linear-key", "lin_api_", r"lin_api_[A-Za-z0-9]{30,64}"),
    ("notion-token", "ntn_", r"ntn_[A-Za-z0-9]{30,64}"),
    ("groq-key", "gsk_", r"gsk_[A-Za-z0-9]{30,100}"),
    ("age-key", "AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[0-9A-Z]{50,64}"),
    ("mailgun-key", "key-", r"key-[0-9a-f]{32}(?![0-9a-f])"),
    ("azure-key", "AccountKey=", r"AccountKey=[A-Za-z0-9+/]{40,100}={0,2}"),
    ("jwt", "eyJ", r"eyJ[\w-]{10,2000}\.[\w-]{10,4000}\.[\w-]{10,1000}"),
    ("bearer-token", "earer ", r"earer [\w~+/.-]{20,4000}={0,2}"),
    ("basic-credentials", "Basic ", r"Basic [A-Za-z0-9+/]{16,1000}={0,2}(?![\w])"),
    ("url-password", "://", r"://[^\s:/@'\"<>{}$]{0,100}:[^\s:/@'\"<>{}$]{3,200}@"),
)
_KEY_BEGIN, _KEY_END = "-----BEGIN ", "-----END "
_TELEGRAM = re.compile(r"(?<!\d)\d{8,10}:AA[\w-]{33}(?![\w-])")
_DISCORD = re.compile(r"(?<![\w-])[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,40}(?![\w-])")
_COMPILED = tuple((kind, mark, re.compile(pattern)) for kind, mark, pattern in _TOKENS)

# Names that say secret; looked for in lower case.
_STRONG = ("passw", "passphrase", "pwd", "secret", "credential", "_pass", "pass=", "pass:")
_WEAK = ("token", "webhook", "dsn", "connection_?string",
         "(?:api|access|private|auth|encryption|signing|account|license|session|master|deploy|"
         "service|storage|shared|app|bot|admin)[_-]?key")  # fmt: skip
_NAMES = re.compile("|".join((*_STRONG, *_WEAK)))
_RUN = re.compile(r"[A-Za-z0-9_+/-]{16,}")
_ASSIGNMENT = re.compile(
    r"""[\w$.-]{0,60}["'\])]{0,3}(?:\s{0,4}:\s{0,2}[\w.\[\]|<>&*' ]{1,40})?\s{0,8}"""
    r"""(?::=|=>|=|:|,|\()\s{0,8}(?P<value>.{0,400})"""
)
_QUOTED = re.compile(r"""(?P<mark>[bruf]{0,2}(?P<quote>["'`]))(?P<value>[^"'`\r\n]{0,300})""")
_BARE = re.compile(r"(?P<value>[^\s#;,'\"`()<>{}]{6,200})(?=[ \t]*(?:$|[#;,]))")
_XML = re.compile(r">(?P<value>[^<>\s]{6,200})</")
# languageIds in which a bare word is a value, not the name of a variable
_BARE_LANGUAGES = frozenset(
    {
        *("plaintext", "dotenv", "properties", "ini", "yaml", "toml", "shellscript", "dockerfile"),
        *("makefile", "xml", "markdown", "", "log", "json", "jsonc", "sql"),
    }
)
_PLACEHOLDERS = re.compile(
    r"(?i)^(?:\$|%|\{|<|\[|@|#|\\|/|\*|none|null|nil|true|false|undefined|todo|change_?me|example|"
    r"your|my[-_]|xxx|\.\.\.|test$|dummy|fake|placeholder|password$|secret$|token$|string|os\.|"
    r"env|process\.|config|settings|self\.|this\.|https?:|redacted|withheld|str$|bool)"
)


def findings(text: str, language: str = "") -> list[SecretFinding]:
    """Every secret, in order, without overlaps. Linear in the text."""
    found = [*_marked(text), *_private_keys(text), *_assigned(text, language)]
    found.sort(key=lambda one: (one.start, -one.end))
    kept: list[SecretFinding] = []
    for one in found:
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
        elif one.end > kept[-1].end:
            kept[-1] = SecretFinding(kind=kept[-1].kind, start=kept[-1].start, end=one.end)
    return kept


def redact(text: str, language: str = "") -> tuple[str, tuple[str, ...]]:
    """The text with `<withheld>` for each secret, and the kinds that were found."""
    found = findings(text, language)
    if not found:
        return text, ()
    parts, at = [], 0
    for one in found:
        parts += [text[at : one.start], WITHHELD]
        at = one.end
    return "".join([*parts, text[at:]]), tuple(one.kind for one in found)


def _marked(text: str) -> Iterator[SecretFinding]:
    """Tokens with a mark. All but passwords in URLs hold a long run, and few places do."""
    spans = list(_places_with_runs(text))
    for kind, mark, pattern in _COMPILED:
        for low, high in spans if kind != "url-password" else [(0, len(text))]:
            at = text.find(mark, low, high)
            while at >= 0:
                match = pattern.match(text, at)
                end = at + len(mark) if match is None else match.end()
                if match is not None and not (mark == "sk-" and at and text[at - 1].isalnum()):
                    found = _without_mark(kind, mark, match)
                    value = text[found.start : found.end].rsplit(":", 1)[-1]
                    if not _PLACEHOLDERS.match(value):
                        yield found
                at = text.find(mark, end, high)
    if ":AA" in text:
        for match in _TELEGRAM.finditer(text):
            yield SecretFinding(kind="telegram-token", start=match.start(), end=match.end())
    for low, high in spans:
        yield from _discord(text, low, high)


def _places_with_runs(text: str) -> Iterator[tuple[int, int]]:
    """Where 16 characters of a token stand in a row, with room for a mark before; merged."""
    low, high = 0, 0
    for match in _RUN.finditer(text):
        start, end = match.span()
        if start - 32 > high:
            if high:
                yield low, high
            low = start - 32
        high = end
    if high:
        yield low, high


def _without_mark(kind: str, mark: str, match: re.Match[str]) -> SecretFinding:
    start, end = match.span()
    if kind == "url-password":
        start, end = start + 3, end - 1
    elif kind in ("bearer-token", "basic-credentials"):
        start += len(mark)
    return SecretFinding(kind=kind, start=start, end=end)


def _discord(text: str, low: int, high: int) -> Iterator[SecretFinding]:
    """Looked for at a dot with another seven on: `xxxxx.xxxxxx.xxxx`."""
    at = text.find(".", low, high)
    while at >= 0:
        if text[at + 7 : at + 8] == "." and at >= 24:
            match = _DISCORD.search(text, at - 28 if at >= 28 else 0, at + 50)
            if match and match.start() < at < match.end():
                yield SecretFinding(kind="discord-token", start=match.start(), end=match.end())
        at = text.find(".", at + 1, high)


def _private_keys(text: str) -> Iterator[SecretFinding]:
    at = text.find(_KEY_BEGIN)
    while at >= 0:
        head = text[at : at + 80]
        end = at + len(_KEY_BEGIN)
        if "PRIVATE KEY" in head:
            close = text.find(_KEY_END, end)
            line = text.find("\n", close) if close >= 0 else -1
            end = len(text) if close < 0 else close + 60 if line < 0 else min(line, close + 60)
            end = min(end, len(text))
            yield SecretFinding(kind="private-key", start=at, end=end)
        at = text.find(_KEY_BEGIN, end)


def _assigned(text: str, language: str) -> Iterator[SecretFinding]:
    lower = text.lower()
    if len(lower) != len(text):  # a few characters change length; offsets must not
        lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    bare = language in _BARE_LANGUAGES
    for match in _NAMES.finditer(lower):
        word = match.group()
        strong = word in _STRONG
        line_end = text.find("\n", match.end())
        line_end = len(text) if line_end < 0 else line_end
        begin = match.end() - (word[-1] in "=:")
        span = _value(text, begin, min(line_end, begin + 500), strong=strong, bare=bare)
        if span is not None:
            kind = "password" if strong else "assigned-key"
            yield SecretFinding(kind=kind, start=span[0], end=span[1])


def _value(text: str, at: int, stop: int, *, strong: bool, bare: bool) -> tuple[int, int] | None:
    """Where the value assigned to the name at `at` stands, if it looks like a secret."""
    line = text[at:stop]
    xml = _XML.search(line[:300]) if ">" in line[:60] else None
    match = _ASSIGNMENT.match(line)
    if match is None:
        return (at + xml.start("value"), at + xml.end("value")) if xml else None
    start = at + match.start("value")
    rest = match.group("value")
    quoted = _QUOTED.match(rest)
    if quoted is not None:
        value = quoted.group("value")
        begin = start + quoted.start("value")
        if looks_secret(value, strong=strong):
            return begin, begin + len(value)
        return None
    if bare:
        plain = _BARE.match(rest)
        if plain is not None and looks_secret(plain.group("value"), strong=strong, bare=True):
            return start, start + len(plain.group("value"))
    return None


def looks_secret(value: str, *, strong: bool, bare: bool = False) -> bool:
    """Whether the value beside a telling name is a secret, and no placeholder, word or path."""
    if len(value) < 6 or _PLACEHOLDERS.match(value) or WITHHELD in value:
        return False
    if any(character.isspace() for character in value) or value.count("/") > 3:
        return False
    letters = any(character.isalpha() for character in value)
    digits = any(character.isdigit() for character in value)
    if strong:
        mixed = digits or any(not c.isalnum() and c not in "_-. " for c in value)
        cased = value != value.lower() and value != value.upper() and not value.isidentifier()
        return mixed or cased or (len(value) >= 8 and not bare and value.isalpha() and _odd(value))
    if len(value) < 16 or not (letters and digits):
        return False
    return len(set(value)) >= 8


def _odd(value: str) -> bool:
    """Letters that are no plain word: few vowels, or upper and lower case mixed in the middle."""
    vowels = sum(character in "aeiouyAEIOUY" for character in value)
    inner = value[1:]
    return vowels * 5 < len(value) or (inner != inner.lower() and inner != inner.upper())
