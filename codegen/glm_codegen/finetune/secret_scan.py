"""Signs of secrets in a file: keys by their shape, and values assigned to names that say so.

A file with one is left out of training whole, and only its path and the kind of the sign are
ever written down. Linear patterns only. Not a proof that nothing is left.
"""

from __future__ import annotations

import math
import re
from collections import Counter

SHAPES = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z]{2,12} ){0,3}PRIVATE KEY"),
    "AWS key": re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b"),
    "GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{30,80}|github_pat_\w{30,100})\b"),
    "GitLab token": re.compile(r"\bglpat-[A-Za-z0-9_-]{20,60}"),
    "Slack token": re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,100}"),
    "OpenAI key": re.compile(r"\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{20,200}"),
    "Google key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}"),
    "Stripe key": re.compile(r"\b[rsp]k_(?:live|test)_[0-9A-Za-z]{16,100}"),
    "npm token": re.compile(r"\bnpm_[A-Za-z0-9]{36}\b"),
    "PyPI token": re.compile(r"\bpypi-[A-Za-z0-9_-]{50,250}"),
    "JSON web token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,400}\.eyJ[A-Za-z0-9_-]{10,800}"),
    "address with a password": re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@'\"]{1,64}:"
                                          r"(?P<value>[^\s/:@'\"]{6,100})@"),
}  # fmt: skip
ASSIGNED = re.compile(
    r"(?i:\b\w{0,40}(?:passw(?:or)?d|secret|api_?key|access_?key|auth_?token|private_?key"
    r"|client_?secret|credential)\w{0,20})['\"]?\s{0,4}(?::=|=>|[:=])\s{0,4}['\"]"
    r"(?P<value>[^'\"\s]{10,200})['\"]"
)
PLACEHOLDER = re.compile(
    r"(?i)example|changeme|placeholder|dummy|redacted|your[_-]|xxxx|\*\*\*|<[^>]*>|\$\{|\{\{|%\(|\.\."
)
LEAST_ENTROPY = 3.2  # bits a character: words stay below, keys lie above


def find_secret(text: str) -> str | None:
    """Kind of the first sign of a secret, None for a file without one."""
    for kind, pattern in SHAPES.items():
        for match in pattern.finditer(text):
            value = match.groupdict().get("value") or match.group(0)
            if not PLACEHOLDER.search(value):
                return kind
    for match in ASSIGNED.finditer(text):
        value = match.group("value")
        mixed = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
        if mixed and entropy(value) >= LEAST_ENTROPY and not PLACEHOLDER.search(value):
            return "value of a secret's name"
    return None


def entropy(text: str) -> float:
    """Bits a character of `text` by the frequencies of its own characters."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)
