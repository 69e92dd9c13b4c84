"""`glm-lsp eval WHAT`: one table of evaluations, each imported only when called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

# name: (module:function taking argv and returning the exit code, one line of help)
EVALUATIONS: dict[str, tuple[str, str]] = {
    "repo": (
        "glm_codegen.evaluate.repo_command:run",
        "completions in any repository: holes, quiet spots, latency",
    ),
    "replay": (
        "glm_codegen.evaluate.replay_command:run",
        "type what a repository's commits added; the keys that are saved",
    ),
    "stdlib": (
        "glm_codegen.evaluate.stdlib_command:run",
        "bodies of the standard library, judged by CPython's own tests",
    ),
    "compare": ("glm_codegen.evaluate.compare_command:run", "the difference of two such runs"),
    "vision": (
        "glm_vision.evaluate.command:run",
        "pictures of text, errors, scenes, diagrams, charts and screens, drawn afresh",
    ),
    "translate": (
        "glm_codegen.evaluate.translate_command:run",
        "the hand-written translation set, executed",
    ),
    "humaneval-x": (
        "glm_codegen.evaluate.humaneval_x_command:run",
        "code that a model writes or translates, executed in a sandbox",
    ),
    "image": (
        "glm_t2i.evaluate.image_command:run",
        "a picture model: its tokenizer, drawn prompts, captions",
    ),
}


def usage() -> str:
    """Text of `glm-lsp eval --help`."""
    lines = ["usage: glm-lsp eval WHAT [...]   see `glm-lsp eval WHAT --help`", "", "what:"]
    return "\n".join([*lines, *(f"  {name:<12} {text}" for name, (_, text) in EVALUATIONS.items())])


def run(argv: Sequence[str]) -> int:
    """The `eval` subcommand. Raises GlmError."""
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        raise SystemExit(0 if argv else 2)
    if argv[0] not in EVALUATIONS:
        print(
            f"glm-lsp eval: no evaluation {argv[0]!r}. See `glm-lsp eval --help`.", file=sys.stderr
        )
        return 2
    module, function = EVALUATIONS[argv[0]][0].split(":")
    return int(getattr(import_module(module), function)(argv[1:]))
