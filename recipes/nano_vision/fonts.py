"""Fetch the fonts that pictures are drawn with; `fonts.tsv` names each with its licence.

`python -m recipes.nano_vision.fonts` fills `out/nano_vision/fonts/` by the ordinary clients,
`apt-get download` and `pip download`. Nothing of it is kept in the repository. The fonts marked
`held-out` draw no picture that the model is trained on.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).parent / "fonts.tsv"
OUT = Path(__file__).parent.parent / "out" / "nano_vision"
FOLDER = OUT / "fonts"
TIMEOUT_S = 240


@dataclass(frozen=True, kw_only=True, slots=True)
class Font:
    """One font file of a package; `use` is "train" or "held-out"."""

    name: str
    client: str  # "apt" or "pip"
    package: str
    file: str
    licence: str
    use: str

    @property
    def path(self) -> Path:
        return FOLDER / self.file


def read_table() -> list[Font]:
    """Every line of fonts.tsv."""
    rows = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]]
    keys = ("name", "client", "package", "file", "licence", "use")
    return [Font(**dict(zip(keys, row, strict=True))) for row in rows]


def paths(use: str) -> list[Path]:
    """Font files that are here. Raises FileNotFoundError where one is missing."""
    found = [font.path for font in read_table() if font.use == use]
    for path in found:
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: run `python -m recipes.nano_vision.fonts`")
    return found


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, timeout=TIMEOUT_S, stdout=subprocess.DEVNULL)


def fetch(client: str, package: str, wanted: list[Font]) -> None:
    """Unpack one package apart and copy its wanted files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if client == "apt":
            _run(["apt-get", "download", "-q", package], folder)
            _run(["dpkg", "-x", str(next(folder.glob("*.deb"))), "files"], folder)
        else:
            _run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", package], folder)
            shutil.unpack_archive(next(folder.glob("*.whl")), folder / "files", "zip")
        for font in wanted:
            source = next(path for path in (folder / "files").rglob("*") if path.name == font.file)
            shutil.copy(source, font.path)


def main() -> None:
    """Fetch what is not here yet."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    missing = [font for font in read_table() if not font.path.is_file()]
    for client, package in dict.fromkeys((font.client, font.package) for font in missing):
        fetch(client, package, [font for font in missing if font.package == package])
        print(f"{package}: fetched", flush=True)


if __name__ == "__main__":
    main()
