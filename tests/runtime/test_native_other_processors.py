"""The engine's kernels for 64-bit Arm, cross-compiled and run under qemu's user emulation.

Skipped where `aarch64-linux-gnu-g++` or `qemu-aarch64-static` is not installed, as in CI; on
Debian: `apt-get install g++-aarch64-linux-gnu qemu-user-static`.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from glm_runtime.native.engine_build import SOURCE, find_compiler

ARM, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64-static"
CHECK = Path(__file__).with_name("engine_check.cpp")


def built(folder: Path, compiler: str) -> Path:
    program = folder / Path(compiler).name
    flags = ["-std=c++17", "-O1", "-w", "-pthread", "-static", f"-I{SOURCE.parent}"]
    subprocess.run([compiler, *flags, str(CHECK), "-o", str(program)], check=True)
    return program


def logits(command: list[str]) -> tuple[str, np.ndarray]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    name, *values = done.stdout.split()
    return name, np.array(values, np.float64)


@pytest.mark.e2e
@pytest.mark.skipif(
    not (shutil.which(ARM) and shutil.which(EMULATOR)), reason="no cross compiler or no emulator"
)
def test_arm_computes_what_this_processor_does(tmp_path: Path) -> None:
    here = find_compiler()
    assert here is not None
    ours, arm = built(tmp_path, here), built(tmp_path, ARM)
    seen = set()
    for bits in ("8", "4"):
        wanted = logits([str(ours), bits, "0"])[1]
        for place in ("0", "1", "2"):
            name, got = logits([EMULATOR, str(arm), bits, place])
            seen.add(name)
            assert np.abs(got - wanted).max() < 0.02 * wanted.std(), (name, bits)
    assert seen == {"neondot", "neon", "portable"}
