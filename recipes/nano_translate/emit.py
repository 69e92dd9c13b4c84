"""The five emitters by language."""

from __future__ import annotations

import random

from recipes.nano_translate.emit_cpp import CppEmitter
from recipes.nano_translate.emit_go import GoEmitter
from recipes.nano_translate.emit_java import JavaEmitter
from recipes.nano_translate.emit_javascript import DocumentedJavaScript, JavaScriptEmitter
from recipes.nano_translate.emit_python import PythonEmitter
from recipes.nano_translate.emitter import Emitter, Rewrite

_EMITTERS: dict[str, type[Emitter]] = {
    "python": PythonEmitter,
    "java": JavaEmitter,
    "javascript": JavaScriptEmitter,
    "cpp": CppEmitter,
    "go": GoEmitter,
}
LANGUAGES = tuple(_EMITTERS)


def target_emitter(language: str, rewrite: Rewrite | None = None) -> Emitter:
    """The canonical form, which translations have."""
    kind = _EMITTERS[language]
    return kind() if rewrite is None else kind(rewrite)


def source_emitter(language: str, style: random.Random | None) -> Emitter:
    """A source: JavaScript carries types in doc comments; `style` varies the surface."""
    kind = DocumentedJavaScript if language == "javascript" else _EMITTERS[language]
    return kind(style=style)
