"""Removal of secrets and addresses of people from corpus text, by linear rules.

Not a proof that none is left: the packages are public, and this is the second line.
"""

from __future__ import annotations

import re

PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY")
TOKENS = re.compile(
    r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{30,60}|xox[abpr]-[A-Za-z0-9-]{10,80}"
    r"|sk-[A-Za-z0-9_-]{20,80}|AIza[0-9A-Za-z_-]{35}|eyJ[A-Za-z0-9_-]{20,400}"
    r"|glpat-[A-Za-z0-9_-]{20})"
)
ASSIGNED = re.compile(
    r"(?P<head>\b\w{0,30}(?:password|passwd|secret|api_?key|access_?key|auth_?token)\w{0,20}"
    r"['\"]?\s{0,4}[:=]\s{0,4}['\"])(?P<value>[^'\"\s]{12,120})(?=['\"])",
    re.IGNORECASE,
)
EMAIL = re.compile(r"\b[\w.+-]{1,60}@(?:[\w-]{1,60}\.){1,4}[A-Za-z]{2,10}\b")


def _hide(match: re.Match[str]) -> str:
    value = match.group("value")
    mixed = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    return match.group("head") + ("REDACTED" if mixed else value)


def scrub(text: str) -> str | None:
    """Text without key-like strings and e-mail addresses; None for a file with a private key."""
    if PRIVATE_KEY.search(text):
        return None
    text = TOKENS.sub("REDACTED", text)
    text = ASSIGNED.sub(_hide, text)
    return EMAIL.sub("user@example.com", text)
