"""Entry of `glm-lsp`: a literal table of subcommands, each imported only when called.

Without a subcommand it is the language server. Not here: any work of a command itself.
Exit codes: 0 done, 1 the command failed (one line on stderr says why), 2 wrong usage.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

# name: (module:function taking argv and returning the exit code, one line of help)
COMMANDS: dict[str, tuple[str, str]] = {
    "complete": ("glm_lsp.cli.complete:run", "complete at one place of a file"),
    "context": ("glm_lsp.cli.context:run", "show what a model is given at one place of a file"),
    "chat": ("glm_lsp.cli.chat:run", "document, comment, ask, explain, tests, review, fix"),
    "translate": ("glm_lsp.cli.translate:run", "a file or a folder in another language"),
    "draw": ("glm_t2i.draw_command:run", "draw a picture into a file"),
    "finetune": ("glm_codegen.finetune.command:run", "make a repository into an adapter"),
    "adapters": ("glm_codegen.finetune.adapters_command:run", "list, show, remove, export them"),
    "ask": ("glm_vision.ask_command:run", "ask about pictures: read, explain, turn into code"),
    "serve": ("glm_daemon.main:run", "run the daemon in the foreground"),
    "status": ("glm_lsp.cli.status:run", "what the daemon is doing"),
    "stop": ("glm_lsp.cli.stop:run", "stop the daemon when its work is done"),
    "models": ("glm_daemon.models_command:run", "list, show, add and remove models"),
    "eval": ("glm_codegen.evaluate.command:run", "measure a model by what its code does"),
    "bench": ("glm_codegen.bench.command:run", "measure speed: engine, replay, agreement"),
    "setup": ("glm_lsp.cli.setup:run", "connect an editor: vscode, nvim, helix, emacs, vim"),
    "doctor": ("glm_lsp.cli.doctor:run", "check the installation, with a remedy for each fault"),
}
NEEDS_LOCAL = (
    *("fastapi", "uvicorn", "torch", "transformers", "tokenizers", "safetensors", "psutil"),
    *("numpy", "PIL"),
)

Runner = Callable[[Sequence[str]], int]


def usage() -> str:
    """Text of `glm-lsp --help`."""
    lines = [
        "usage: glm-lsp [--stdio | --tcp HOST:PORT]   language server for an editor",
        "       glm-lsp COMMAND [...]                 see `glm-lsp COMMAND --help`",
        "",
        "A private code assistant: one daemon on this machine, ghost text in every LSP editor.",
        "",
        "commands:",
        *(f"  {name:<10} {text}" for name, (_, text) in COMMANDS.items()),
        "",
        "environment:",
        "  GLM_LSP_HOME     models, adapters, index (default: the user's data folder)",
        "  GLM_LSP_RUNTIME  socket, lock, log (default: the user's runtime folder)",
        "",
        "First steps: `glm-lsp doctor`, then `glm-lsp setup vscode|nvim|helix|emacs|vim`.",
    ]
    return "\n".join(lines)


def load(target: str) -> Runner:
    """The function behind "module:function"."""
    module, function = target.split(":")
    runner: Runner = getattr(import_module(module), function)
    return runner


def missing_package(error: ModuleNotFoundError) -> str:
    """What to tell a user whose installation lacks a package."""
    name = (error.name or "").split(".")[0]
    if name in NEEDS_LOCAL or name == "glm_daemon":
        return (
            f"This command runs models and needs {name}, which is not installed. "
            "Install it: pip install 'glm-lsp[local]'"
        )
    return f"The package {name} is missing. Repair: pip install --force-reinstall glm-lsp"


def dispatch(argv: Sequence[str]) -> int:
    """Run one command line; errors of the tree become one line on stderr and exit code 1."""
    from glm_protocol.errors import GlmError

    if argv and argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if argv and argv[0] in ("-V", "--version"):
        from glm_protocol.build import build_id, package_version

        print(f"glm-lsp {package_version()} (build {build_id()})")
        return 0
    if not argv or argv[0].startswith("-"):
        runner, rest = load("glm_lsp.cli.language_server:run"), argv
    elif argv[0] in COMMANDS:
        try:
            runner, rest = load(COMMANDS[argv[0]][0]), argv[1:]
        except ModuleNotFoundError as error:
            print(f"glm-lsp: {missing_package(error)}", file=sys.stderr)
            return 1
    else:
        print(f"glm-lsp: no command {argv[0]!r}. See `glm-lsp --help`.", file=sys.stderr)
        return 2
    try:
        return runner(rest)
    except GlmError as error:
        print(f"glm-lsp: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1


def main() -> None:
    """Console script."""
    sys.exit(dispatch(sys.argv[1:]))
