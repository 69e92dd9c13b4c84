"""Modules and names in the text of an import statement, by grammar. Linear in the text."""

from __future__ import annotations

import re

MAX_TEXT = 4000
MAX_NAMES = 64

_QUOTED = re.compile(r"""["'<]([^"'<>\n]{1,300})["'>]""")
_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_PY_FROM = re.compile(r"from\s+([.\w]+)\s+import\s+(.*)", re.DOTALL)
_DOTTED = re.compile(r"[\w.]+")
_JAVA = re.compile(r"import\s+(?:static\s+)?([\w.]+)(\.\*)?")
_USING = re.compile(r"using\s+(?:static\s+)?(?:\w+\s*=\s*)?([\w.]+)")
_PHP = re.compile(r"[\w\\]+")
_RUST_NOISE = frozenset({"use", "pub", "as", "extern", "crate", "self", "super", "mod"})

Found = list[tuple[str, tuple[str, ...]]]


def imported(grammar: str, text: str) -> Found:
    """(module, names) pairs; nothing for what is not understood."""
    text = text[:MAX_TEXT]
    if grammar == "python":
        return _python(text)
    if grammar in ("javascript", "typescript", "tsx"):
        return _javascript(text)
    if grammar == "java":
        return [_java(match) for match in _JAVA.finditer(text)]
    if grammar == "rust":
        words = [w for w in _WORD.findall(text) if w not in _RUST_NOISE]
        path = re.match(r"[^:{;]*(?:use|crate)\s+([\w:]+)", text)
        module = path.group(1).strip(":") if path else "::".join(words[:1])
        return [(module, tuple(words[:MAX_NAMES]))] if words else []
    if grammar == "php":
        if "use" in text.split("(")[0]:
            paths = [p for p in _PHP.findall(text) if "\\" in p]
            return [(path, (path.rsplit("\\", 1)[-1],)) for path in paths[:MAX_NAMES]]
        return [(module, ("*",)) for module in _QUOTED.findall(text)]
    if grammar == "c_sharp":
        return [(module, ("*",)) for module in _USING.findall(text)]
    if grammar == "bash":
        words = text.split()
        return [(words[1].strip("\"'"), ("*",))] if len(words) > 1 else []
    return [(module, ("*",)) for module in _QUOTED.findall(text)[:MAX_NAMES]]


def _python(text: str) -> Found:
    match = _PY_FROM.search(text)
    if match:
        names = re.sub(r"#[^\n]*|[()\\]", " ", match.group(2))
        taken = [part.split()[0] for part in names.split(",") if part.split()]
        return [(match.group(1), tuple(taken[:MAX_NAMES]))]
    modules = _DOTTED.findall(re.sub(r"\bas\s+\w+", " ", text.replace("import", " ", 1)))
    return [(module, ()) for module in modules[:MAX_NAMES]]


def _javascript(text: str) -> Found:
    modules = _QUOTED.findall(text)
    if not modules:
        return []
    head = text[: text.find(modules[-1])]
    names = [w for w in _WORD.findall(head) if w not in ("import", "from", "as", "type", "const")]
    names = [w for w in names if w not in ("require", "let", "var")]
    return [(modules[-1], tuple(names[:MAX_NAMES]))]


def _java(match: re.Match[str]) -> tuple[str, tuple[str, ...]]:
    module = match.group(1)
    return (module, ("*",)) if match.group(2) else (module, (module.rsplit(".", 1)[-1],))
