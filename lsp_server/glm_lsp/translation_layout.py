"""How the units of a translation become a file of the target: imports, wrappers, order.

What a unit needs around it is told by its own words: `math.` in Go is an import, a Java function
needs a class. Nothing here asks a model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

EXTENSIONS = {
    "python": ".py", "java": ".java", "javascript": ".js", "typescript": ".ts", "cpp": ".cpp",
    "c": ".c", "go": ".go", "rust": ".rs", "kotlin": ".kt", "csharp": ".cs", "php": ".php",
    "ruby": ".rb",
}  # fmt: skip
NAMES = {
    "python": "Python", "java": "Java", "javascript": "JavaScript", "typescript": "TypeScript",
    "cpp": "C++", "c": "C", "go": "Go", "rust": "Rust", "kotlin": "Kotlin", "csharp": "C#",
    "php": "PHP", "ruby": "Ruby",
}  # fmt: skip
ALIASES = {
    "py": "python", "js": "javascript", "ts": "typescript", "c++": "cpp", "cc": "cpp", "cxx": "cpp",
    "golang": "go", "rs": "rust", "kt": "kotlin", "c#": "csharp", "cs": "csharp", "rb": "ruby",
}  # fmt: skip
_GO_PACKAGES = {
    "errors": "errors", "fmt": "fmt", "maps": "maps", "math": "math", "slices": "slices",
    "sort": "sort", "strconv": "strconv", "strings": "strings", "unicode": "unicode",
}  # fmt: skip
_CPP_HEADERS = {
    "algorithm": "sort|reverse|find|max_element|min_element|max|min|transform|swap|count",
    "cctype": "isdigit|isalpha|isupper|islower|isspace|toupper|tolower|isalnum",
    "cmath": "sqrt|pow|floor|ceil|round|abs",
    "iostream": "cout|cin|endl",
    "map": "map",
    "numeric": "accumulate",
    "set": "set",
    "stdexcept": "invalid_argument|runtime_error|out_of_range",
    "string": "string|to_string|stoi|stod",
    "unordered_map": "unordered_map",
    "unordered_set": "unordered_set",
    "vector": "vector",
}
_SCOPED = frozenset({"java", "cpp", "c", "go", "csharp", "rust", "kotlin"})


@dataclass(frozen=True, kw_only=True, slots=True)
class TranslatedUnit:
    """One unit's translation. `kind` is the source unit's: function, class, code, …"""

    kind: str
    text: str


def language_of(word: str) -> str:
    """The languageId of what a user wrote: an id, a name or an extension."""
    lowered = word.strip().lower().lstrip(".")
    by_name = {name.lower(): language for language, name in NAMES.items()}
    return ALIASES.get(lowered) or by_name.get(lowered) or lowered


def file_name(source: PurePath, target: str) -> str:
    """Name of the file beside the source; Java's is its class's."""
    extension = EXTENSIONS.get(target, f".{target}")
    return (class_name(source) if target == "java" else source.stem) + extension


def class_name(source: PurePath) -> str:
    """A class's name for a file of functions."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", source.stem) if word]
    made = "".join(word[:1].upper() + word[1:] for word in words) or "Translated"
    return made if made[:1].isalpha() else f"File{made}"


def whole_file(units: Sequence[TranslatedUnit], target: str, source: PurePath) -> str:
    """Text of the translated file."""
    told = [without_header(unit.text, target) for unit in units]
    headers = dict.fromkeys(line for lines, _ in told for line in lines)
    units = [replace(unit, text=text) for unit, (_, text) in zip(units, told, strict=True)]
    definitions = [unit for unit in units if unit.kind != "code" or target not in _SCOPED]
    loose = [unit for unit in units if unit.kind == "code" and target in _SCOPED]
    texts = [unit.text.strip("\n") for unit in definitions]
    body = "\n".join(unit.text.strip("\n") for unit in loose)
    if target == "java":
        return _java(texts, body, source, headers)
    if body:
        texts.append(_main(body, target))
    gap = "\n\n\n" if target == "python" else "\n\n"
    code = gap.join(text for text in texts if text)
    head = _head(code, target, headers)
    return f"{head}{gap if head else ''}{code}\n" if code else ""


def _main(body: str, target: str) -> str:
    head, indent = {
        "go": ("func main() {", "\t"),
        "rust": ("fn main() {", "    "),
        "kotlin": ("fun main() {", "    "),
        "csharp": ("static void Main() {", "    "),
    }.get(target, ("int main() {", "    "))
    return "\n".join([head, _indented(body, indent), "}"])


def _indented(text: str, indent: str) -> str:
    return "\n".join(indent + line if line.strip() else "" for line in text.split("\n"))


_HEADERS = {
    "java": re.compile(r"(?:import|package) [\w.* ]+;"),
    "kotlin": re.compile(r"(?:import|package) [\w.* ]+;?"),
    "csharp": re.compile(r"(?:global )?using [\w.= ]+;"),
    "go": re.compile(r'package \w+|import (?:[\w.]+ )?"[^"]+"|import \(|(?:[\w.]+ )?"[\w./-]+"|\)'),
    "php": re.compile(r"<\?php|\?>|declare\(strict_types=1\);"),
}


def without_header(text: str, target: str) -> tuple[list[str], str]:
    """Imports that a model wrote at a unit's beginning, and the rest: a file has them once, on top.

    What names the package is dropped. Go's are given without `import`.
    """
    pattern = _HEADERS.get(target)
    if pattern is None:
        return [], text
    lines = text.strip("\n").split("\n")
    headers: list[str] = []
    at = 0
    for at, line in enumerate([*lines, "end"]):  # noqa: B007 - read after the loop
        bare = line.strip()
        if bare and pattern.fullmatch(bare) is None:
            break
        headers += [bare] if bare else []
    rest = "\n".join(lines[at:])
    if target == "php":
        return [], rest.removesuffix("?>").rstrip()
    if target == "go":
        kept = [one.removeprefix("import ") for one in headers if '"' in one]
        return kept, rest
    return [one for one in headers if not one.startswith("package ")], rest


def _java(texts: Sequence[str], body: str, source: PurePath, headers: Iterable[str]) -> str:
    nested = r"^(?:public )?(?=(?:abstract |final )?class )"
    members = [re.sub(nested, "static ", text, flags=re.M) for text in texts]
    if body:
        members.append(f"public static void main(String[] args) {{\n{_indented(body, '    ')}\n}}")
    inside = "\n\n".join(_indented(member, "    ") for member in members if member)
    if not inside:
        return ""
    util = ["import java.util.*;"] if re.search(_JAVA_UTIL, inside) else []
    head = "".join(f"{line}\n" for line in dict.fromkeys([*util, *headers]))
    head += "\n" if head else ""
    # A class inside may not be called as the one around it.
    outer, lead = class_name(source), "public "
    if re.search(rf"\bclass {outer}\b", inside):
        outer, lead = f"{outer}File", ""
    return f"{head}{lead}class {outer} {{\n{inside}\n}}\n"


_JAVA_UTIL = r"\b(?:List|ArrayList|Map|HashMap|Set|HashSet|Collections|Arrays|Deque|ArrayDeque)\b"


def _head(code: str, target: str, headers: Iterable[str]) -> str:
    """Imports and the like. `headers`: those that the model wrote."""
    if target == "python":
        return "import math" if re.search(r"\bmath\.", code) else ""
    if target == "go":
        used = [path for name, path in _GO_PACKAGES.items() if re.search(rf"\b{name}\.[A-Z]", code)]
        paths = dict.fromkeys([*(f'"{path}"' for path in used), *headers])
        lines = "".join(f"\t{path}\n" for path in paths)
        return "package main" + (f"\n\nimport (\n{lines})" if lines else "")
    if target in ("cpp", "c"):
        used = [
            name for name, words in _CPP_HEADERS.items() if re.search(rf"std::(?:{words})\b", code)
        ]
        return "\n".join(f"#include <{name}>" for name in used)
    return "<?php" if target == "php" else "\n".join(headers)
