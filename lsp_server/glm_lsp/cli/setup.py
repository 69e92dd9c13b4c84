"""`glm-lsp setup EDITOR`: the lines that connect an editor, printed or (asked) written.

Writes only new files of its own, never into a file that exists already.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glm_protocol.errors import BadRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How one editor is connected. `file` is where `text` belongs; `hint` is said after it."""

    file: Path
    text: str
    hint: str
    own_file: bool  # True: a file of ours alone, so that --write may create it


def server_command() -> str:
    """Absolute path of this installation's `glm-lsp`."""
    beside = Path(sys.executable).with_name("glm-lsp")
    if beside.exists():
        return str(beside)
    return shutil.which("glm-lsp") or "glm-lsp"


def config_home() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def neovim(command: str) -> Recipe:
    text = f"""-- glm-lsp: ghost text from the local daemon (Neovim 0.12 or newer)
vim.lsp.config('glm_lsp', {{ cmd = {{ {json.dumps(command)} }}, root_markers = {{ '.git' }} }})
vim.lsp.enable('glm_lsp')
vim.lsp.inline_completion.enable()
vim.keymap.set('i', '<Tab>', function()
  if not vim.lsp.inline_completion.get() then return '<Tab>' end
end, {{ expr = true, desc = 'Accept the ghost text' }})
"""
    return Recipe(
        file=config_home() / "nvim" / "plugin" / "glm_lsp.lua",
        text=text,
        hint="Open a source file, type, and press Tab to accept the grey text.",
        own_file=True,
    )


def vscode(command: str) -> Recipe:
    text = json.dumps({"glm.server.path": command}, indent=2)
    return Recipe(
        file=config_home() / "Code" / "User" / "settings.json",
        text=text + "\n",
        hint="Build and install the extension (docs/editors/vscode.md), then add this line.",
        own_file=False,
    )


def helix(command: str) -> Recipe:
    text = f"""[language-server.glm-lsp]
command = {json.dumps(command)}

[[language]]
name = "python"
language-servers = ["glm-lsp"]   # beside the ones you use already
"""
    return Recipe(
        file=config_home() / "helix" / "languages.toml",
        text=text,
        hint="Helix shows suggestions in its completion menu. Repeat [[language]] for others.",
        own_file=False,
    )


def emacs(command: str) -> Recipe:
    text = f""";; glm-lsp through eglot (part of Emacs 29; a package before)
(with-eval-after-load 'eglot
  (add-to-list 'eglot-server-programs '(prog-mode . ({json.dumps(command)}))))
"""
    return Recipe(
        file=Path.home() / ".emacs.d" / "init.el",
        text=text,
        hint="Open a source file and run M-x eglot; suggestions come by completion-at-point.",
        own_file=False,
    )


def vim(command: str) -> Recipe:
    text = f"""\" glm-lsp through ALE (Vim 9 with the plug-in ALE)
let g:ale_completion_enabled = 1
function! GlmLspRoot(buffer) abort
  let l:folder = fnamemodify(bufname(a:buffer), ':p:h')
  let l:git = finddir('.git', l:folder . ';')
  return empty(l:git) ? l:folder : fnamemodify(l:git, ':p:h:h')
endfunction
runtime plugin/ale.vim
for s:language in ['python', 'javascript', 'typescript', 'java', 'c', 'cpp', 'go', 'rust']
  call ale#linter#Define(s:language, {{
  \\ 'name': 'glm-lsp', 'lsp': 'stdio',
  \\ 'executable': {json.dumps(command)}, 'command': '%e --stdio',
  \\ 'project_root': function('GlmLspRoot')}})
endfor
"""
    return Recipe(
        file=Path.home() / ".vimrc",
        text=text,
        hint="ALE shows suggestions in Vim's completion menu. With g:ale_linters_explicit, name"
        " 'glm-lsp' in g:ale_linters.",
        own_file=False,
    )


EDITORS = {"vscode": vscode, "nvim": neovim, "helix": helix, "emacs": emacs, "vim": vim}


def write_new(recipe: Recipe) -> None:
    """Create the recipe's file. Raises BadRequest where that would touch a user's own file."""
    if not recipe.own_file:
        raise BadRequest(
            f"{recipe.file} is yours and may hold other settings.",
            remedy="Add the printed lines to it by hand.",
        )
    try:
        recipe.file.parent.mkdir(parents=True, exist_ok=True)
        with recipe.file.open("x", encoding="utf-8") as file:
            file.write(recipe.text)
    except FileExistsError as error:
        raise BadRequest(
            f"{recipe.file} exists already and was left as it is.",
            remedy="Compare it with the lines that `glm-lsp setup` prints without --write.",
        ) from error
    except OSError as error:
        raise BadRequest(
            f"{recipe.file} cannot be written: {error.strerror}.",
            remedy="Run it without --write and put the lines where they belong.",
        ) from error


def run(argv: Sequence[str]) -> int:
    """The `setup` subcommand."""
    parser = argparse.ArgumentParser(
        prog="glm-lsp setup", description="Connect an editor to glm-lsp."
    )
    parser.add_argument("editor", choices=sorted(EDITORS), help="which editor")
    parser.add_argument(
        "--write", action="store_true", help="write a new file instead of printing the lines"
    )
    options = parser.parse_args(argv)
    recipe = EDITORS[options.editor](server_command())
    if options.write:
        write_new(recipe)
        print(f"written: {recipe.file}")
    else:
        print(f"# {recipe.file}\n{recipe.text}")
    print(recipe.hint)
    return 0
