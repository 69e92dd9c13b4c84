"""Drive Helix, Emacs and Vim by hand: `python -m tests.editors.other_editors [--helix HX] …`.

Not part of CI: the editors are not installed there. Each editor that is found gets the lines that
`glm-lsp setup` prints, a private home and the fake model, types, and must show the fake's text in
its completion menu. What is not found is named. Needs: `hx`, `emacs` with eglot, `vim` with ALE.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glm_lsp.cli.setup import EDITORS

SOURCE = "def add(a, b):\n    return \n"
WANTED = "fake_"
EMACS = """
(require 'package) (package-initialize) (require 'eglot)
(setq eglot-sync-connect 20 eglot-connect-timeout 30)
(find-file "{file}") (python-mode)
(apply #'eglot (eglot--guess-contact))
(goto-char (point-max)) (backward-char 1)
(let ((tries 0) all)
  (while (and (not all) (< (setq tries (1+ tries)) 40))
    (setq all (all-completions "" (nth 2 (eglot-completion-at-point))))
    (sleep-for 0.25))
  (message "%S" (mapcar #'substring-no-properties all)))
"""


@dataclass(frozen=True, kw_only=True)
class Lab:
    """A project, a home and a server of this installation, private to one run."""

    root: Path

    @property
    def file(self) -> Path:
        return self.root / "project" / "x.py"

    def environment(self, **more: str) -> dict[str, str]:
        home = {"GLM_LSP_HOME": f"{self.root}/home", "GLM_LSP_RUNTIME": f"{self.root}/run"}
        return {**os.environ, **home, "HOME": str(self.root), "TERM": "xterm-256color", **more}


def run_in_terminal(
    command: Sequence[str],
    lab: Lab,
    environment: dict[str, str],
    keys: Sequence[tuple[bytes, float]],
) -> str:
    """Everything that a program writes on a terminal while `keys` are typed, each with a pause."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(lab.file.parent)
        os.execvpe(command[0], list(command), environment)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    written = b""
    for key, pause in keys:
        os.write(fd, key)
        until = time.monotonic() + pause
        while time.monotonic() < until:
            if select.select([fd], [], [], 0.05)[0]:
                try:
                    written += os.read(fd, 65_536)
                except OSError:
                    break
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(fd)
    return written.decode("utf-8", "replace")


def typed(text: bytes) -> list[tuple[bytes, float]]:
    return [(bytes([byte]), 0.2) for byte in text]


def helix(program: str, lab: Lab, server: str) -> str:
    folder = lab.root / "config" / "helix"
    folder.mkdir(parents=True)
    (folder / "languages.toml").write_text(EDITORS["helix"](server).text)
    environment = lab.environment(XDG_CONFIG_HOME=str(folder.parent))
    keys = [(b"", 3.0), (b"geo", 0.5), *typed(b"val = foo."), (b"\x18", 3.0)]
    return run_in_terminal([*program.split(), "x.py"], lab, environment, keys)


def vim(program: str, lab: Lab, server: str) -> str:
    rc = lab.root / "vimrc"
    head = "set nocompatible noswapfile\nfiletype plugin on\nset rtp+=/usr/share/vim-ale\n"
    rc.write_text(head + EDITORS["vim"](server).text)
    keys = [(b"", 3.0), (b"Go", 0.5), *typed(b"val = foo."), (b"", 3.0), (b"x", 3.0)]
    return run_in_terminal([program, "-u", str(rc), "x.py"], lab, lab.environment(), keys)


def emacs(program: str, lab: Lab, server: str) -> str:
    script = lab.root / "try.el"
    script.write_text(EMACS.replace("{file}", str(lab.file)) + "\n")
    init = lab.root / "init.el"
    init.write_text(EDITORS["emacs"](server).text)
    command = [program, "--batch", "-l", str(init), "-l", str(script)]
    done = subprocess.run(
        command, env=lab.environment(), capture_output=True, text=True, timeout=90, check=False
    )
    return done.stdout + done.stderr


TRIALS = {"helix": (helix, "hx"), "emacs": (emacs, "emacs"), "vim": (vim, "vim")}


def try_editor(name: str, program: str) -> bool:
    """Whether the fake model's text came up in the editor."""
    trial, _ = TRIALS[name]
    server = str(Path(sys.executable).with_name("glm-lsp"))
    with tempfile.TemporaryDirectory(prefix="glm-") as folder:
        lab = Lab(root=Path(folder))
        lab.file.parent.mkdir()
        lab.file.write_text(SOURCE)
        daemon = subprocess.Popen(
            [server, "serve", "--model", "fake"],
            env=lab.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            time.sleep(3)
            return WANTED in trial(program, lab, server)
        finally:
            daemon.terminate()
            daemon.wait(20)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, (_, program) in TRIALS.items():
        parser.add_argument(f"--{name}", default=program, help=f"the program (default: {program})")
    options = vars(parser.parse_args())
    failed = 0
    for name in TRIALS:
        program = options[name]
        if shutil.which(program.split()[0]) is None:
            print(f"{name}: {program} is not installed")
            continue
        works = try_editor(name, program)
        failed += not works
        print(f"{name}: {'suggestions appear' if works else 'NO SUGGESTION'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
