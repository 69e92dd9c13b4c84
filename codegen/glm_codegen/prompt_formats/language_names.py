"""Names of languages: from an editor's language id to the word a prompt uses, and tag lines.

Only data and look-ups. An unknown id has no name, and its header line stays empty after the
colon, as the format's authors ask.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources

# LSP languageId -> name with an initial capital, where capitalising the id is not enough.
NAMES = {
    "c": "C", "cpp": "C++", "csharp": "C#", "css": "CSS", "cuda-cpp": "Cuda", "dart": "Dart",
    "dockerfile": "Dockerfile", "elixir": "Elixir", "erlang": "Erlang", "fsharp": "F#",
    "fortran": "Fortran", "go": "Go", "groovy": "Groovy", "haskell": "Haskell", "html": "HTML",
    "java": "Java", "javascript": "JavaScript", "javascriptreact": "JavaScript",
    "json": "JSON", "julia": "Julia", "kotlin": "Kotlin", "latex": "TeX", "lua": "Lua",
    "makefile": "Makefile", "markdown": "Markdown", "objective-c": "Objective-C",
    "objective-cpp": "Objective-C++", "perl": "Perl", "php": "PHP", "powershell": "PowerShell",
    "python": "Python", "r": "R", "ruby": "Ruby", "rust": "Rust", "scala": "Scala",
    "shellscript": "Shell", "sql": "SQL", "swift": "Swift", "tex": "TeX", "toml": "TOML",
    "typescript": "TypeScript", "typescriptreact": "TypeScript", "vue": "Vue", "xml": "XML",
    "yaml": "YAML",
}  # fmt: skip
TAG_KEYS = {"Objective-C": "objective-c", "Objective-C++": "objective-c++"}
_TAG = re.compile(r"(?P<opening>.*?)language: .*?(?P<closing>\s*(?:\*/|-->|\}))?")
GENERATIONS = ("codegeex_13b", "codegeex2_6b")


def language_name(language_id: str) -> str:
    """Name for prompts; '' for an id that is not known."""
    return NAMES.get(language_id.lower(), "")


@cache
def _tag_tables() -> dict[str, dict[str, str]]:
    source = resources.files(__package__).joinpath("language_tags.json")
    tables: dict[str, dict[str, str]] = json.loads(source.read_text(encoding="utf-8"))
    return tables


def language_tag(language_id: str, generation: str = "codegeex_13b") -> str:
    """First line that tells CodeGeeX the language, such as `# language: Python`; '' if unknown.

    `generation` names the table: `codegeex_13b` or `codegeex2_6b` (spelling differs in places).
    """
    table = _tag_tables()[generation]
    name = language_name(language_id)
    key = TAG_KEYS.get(name, name.lower())
    return table.get(key, table.get(language_id.lower(), ""))


def comment_line(language_id: str, text: str) -> str:
    """`text` as a comment of one line; in an unknown language behind `#`."""
    found = _TAG.fullmatch(language_tag(language_id))
    if found is None:
        return f"# {text}"
    opening, closing = found["opening"].rstrip(), (found["closing"] or "").strip()
    return f"{opening} {text} {closing}".rstrip()


def language_id_of(name: str) -> str:
    """The id whose name in prompts this is; '' where there is none."""
    ids = [language_id for language_id, known in NAMES.items() if known.lower() == name.lower()]
    return min(ids, key=len) if ids else ""
