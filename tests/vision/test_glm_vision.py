"""Rules of import, and the example of the unit's README."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

import glm_vision
from glm_vision import decode_worker
from glm_vision.image_intake import ImageIntake

from . import hostile_pictures as pictures
from .conftest import DATA

UNIT = Path(glm_vision.__file__).parent
LIGHT = ("image_intake", "image_source", "decode_process", "grounding", "box_drawing", "tiling")


def test_taking_pictures_in_needs_no_torch() -> None:
    modules = ", ".join(f"glm_vision.{name}" for name in LIGHT)
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; import {modules}; print('torch' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "False"


def test_the_decoder_imports_the_standard_library_and_pillow() -> None:
    tree = ast.parse(Path(decode_worker.__file__).read_text())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names.add(str(node.module).split(".")[0])
    assert names - set(sys.stdlib_module_names) == {"PIL"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="load_modell"):
        glm_vision.load_modell  # noqa: B018


def test_threads_share_one_intake() -> None:
    data = [pictures.encode(pictures.sample(width=8 + n), "PNG") for n in range(12)]
    widths: list[int] = []
    with ImageIntake() as intake:
        threads = [
            threading.Thread(target=lambda d=d: widths.append(intake.read(d).picture.width))
            for d in data
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(widths) == list(range(8, 20))


def test_the_example_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = (UNIT.parent / "README.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    words = {f"w{number}": number for number in range(1, 512)} | {"<unk>": 0}
    tokenizer = Tokenizer(WordLevel(words, "<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).symlink_to(DATA / "cogvlm" / name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "error.png").write_bytes(pictures.encode(pictures.sample(), "PNG"))
    example = example.replace("max_new_tokens=256", "max_new_tokens=3")
    exec(compile(example, "README", "exec"), {"folder": tmp_path, "Path": Path})
    assert capsys.readouterr().out.count("w") == 3
