"""LSP languageIds to grammars, and grammars to the wheels they come in.

A table of names: nothing is imported here. Only the parse process calls `load`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# languageId: grammar
GRAMMAR_OF = {
    "c": "c",
    "cpp": "cpp",
    "csharp": "c_sharp",
    "css": "css",
    "cuda-cpp": "cpp",
    "go": "go",
    "html": "html",
    "java": "java",
    "javascript": "javascript",
    "javascriptreact": "javascript",
    "json": "json",
    "jsonc": "json",
    "kotlin": "kotlin",
    "php": "php",
    "python": "python",
    "ruby": "ruby",
    "rust": "rust",
    "scss": "css",
    "shellscript": "bash",
    "typescript": "typescript",
    "typescriptreact": "tsx",
}
# grammar: (module of its wheel, function that gives the language)
WHEELS = {
    "bash": ("tree_sitter_bash", "language"),
    "c": ("tree_sitter_c", "language"),
    "c_sharp": ("tree_sitter_c_sharp", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
    "css": ("tree_sitter_css", "language"),
    "go": ("tree_sitter_go", "language"),
    "html": ("tree_sitter_html", "language"),
    "java": ("tree_sitter_java", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "json": ("tree_sitter_json", "language"),
    "kotlin": ("tree_sitter_kotlin", "language"),
    "php": ("tree_sitter_php", "language_php"),
    "python": ("tree_sitter_python", "language"),
    "ruby": ("tree_sitter_ruby", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
}


def has_grammar(language: str) -> bool:
    """Whether texts of this languageId are parsed; others are read by their indentation."""
    return language in GRAMMAR_OF


def load(grammar: str) -> Any:
    """The `tree_sitter.Language` of a grammar. Raises ImportError where its wheel is missing."""
    from tree_sitter import Language

    module, function = WHEELS[grammar]
    return Language(getattr(import_module(module), function)())
