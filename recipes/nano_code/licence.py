"""Which licence a package states, and whether it is one the corpus may hold.

Read from the package's own metadata (wheel METADATA, package.json, debian/copyright), plus a
look at each file's head, because a package may carry single files under other terms.
No legal judgement: what is unclear is left out.
"""

from __future__ import annotations

import json
import re

PERMISSIVE = re.compile(
    r"\b(mit|mit-cmu|expat|bsd|0bsd|[234]-clause|apache|asl|isc|iscl|psf|psf-2\.0|python|zlib"
    r"|unlicense|public[- ]domain|pd|boost|bsl-1\.0|postgresql|hpnd|curl|x11|tcl|cc0|wtfpl"
    r"|go$|openexr|bsl-1|openssl|ssleay|blessing|libpng|icu|unicode|naist)",
    re.IGNORECASE,
)
COPYLEFT = re.compile(
    r"gpl|general public|mozilla|mpl|eclipse|epl|cddl|eupl|proprietary|commercial|cc-by|artistic"
    r"|zope|zpl|affero|sspl|busl|elastic",
    re.IGNORECASE,
)
FILE_HEAD = re.compile(
    r"GNU (?:Lesser |Library |Affero )?General Public|\b[AL]?GPL|Mozilla Public License"
    r"|Eclipse Public|Common Development and Distribution|Server Side Public|Business Source"
    r"|SPDX-License-Identifier: *\(?(?:[AL]?GPL|MPL|EPL|CDDL)|proprietary and confidential",
    re.IGNORECASE,
)
CLASSIFIER = re.compile(r"^Classifier: License :: (?:OSI Approved :: )?(.+)$", re.MULTILINE)


def is_permissive(expression: str) -> bool:
    """Whether a licence name or expression leaves a permissive choice.

    `A or B` is permissive when either is, `A and B` when both are.
    """
    plain = expression.replace("(", "").replace(")", "")
    for choice in re.split(r"\s+or\s+", plain, flags=re.IGNORECASE):
        parts = re.split(r"\s+and\s+|\s*;\s*", choice, flags=re.IGNORECASE)
        if all(PERMISSIVE.search(part) and not COPYLEFT.search(part) for part in parts if part):
            return bool(choice.strip())
    return False


def file_is_permissive(text: str) -> bool:
    """Whether the first 4,000 characters of a file name no licence that the corpus refuses."""
    return FILE_HEAD.search(text[:4000]) is None


def wheel_licence(metadata: str) -> str:
    """Licence stated in a wheel's METADATA: expression, classifier, then the free field."""
    head = metadata.split("\n\n", 1)[0]
    expression = re.search(r"^License-Expression: (.+)$", head, re.MULTILINE)
    if expression:
        return expression.group(1).strip()
    classified = CLASSIFIER.findall(head)
    if classified:
        return " or ".join(sorted({name.strip() for name in classified}))
    free = re.search(r"^License: (.+)$", head, re.MULTILINE)
    return free.group(1).strip()[:60] if free else ""


def npm_licence(package_json: str) -> str:
    """Licence stated in an npm package.json, old object form included."""
    try:
        stated = json.loads(package_json).get("license", "")
    except (ValueError, AttributeError):
        return ""
    if isinstance(stated, dict):
        stated = stated.get("type", "")
    return stated.strip() if isinstance(stated, str) else ""


def debian_licence(copyright_text: str) -> str:
    """Licence of `Files: *` in a machine-readable debian/copyright, else the one it words."""
    for stanza in re.split(r"\n\s*\n", copyright_text):
        if re.search(r"^Files:\s*(\*|upstream/\*|src/\*)", stanza, re.MULTILINE):
            short = re.search(r"^License:\s*(.+)$", stanza, re.MULTILINE)
            if short:
                return short.group(1).strip()
    if re.search(r"General Public License|\bL?GPL", copyright_text):
        return ""
    worded = (
        ("Apache-2.0", r"Apache License"),
        ("MIT", r"Permission is hereby granted, free of charge"),
        ("BSD", r"Redistribution and use in source and binary"),
        ("ISC", r"Permission to use, copy, modify, and(?:/or)? distribute"),
        ("PSF", r"PYTHON SOFTWARE FOUNDATION LICENSE"),
        ("Public-Domain", r"public domain"),
    )
    for name, phrase in worded:
        if re.search(phrase, copyright_text):
            return name
    return ""
