"""Icons of the packages in `packages.tsv`: fetched by name, rendered, captioned by their names.

`python -m recipes.nano_image.icons` fetches what is missing with npm and writes
`out/nano_image/icons.npy` (coverage of each icon, uint8 [N, 128, 128]) and `icons.tsv` beside it.
Only the coverage is kept; a colour is put on it when a picture is made. Needs `resvg_py`.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import tarfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

OUT = Path(__file__).parent.parent / "out" / "nano_image"
INNER = 96  # pixels of an icon inside its picture of 128
EDGE = 128
COMMON_IN = 4  # packages that must know a name for the GPT to learn it
MAX_SVG = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """A line of packages.tsv."""

    name: str
    licence: str
    folders: tuple[str, ...]
    styles: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Icon:
    """Where one picture came from. `held_out`: kept from all training. `common`: the GPT's."""

    package: str
    file: str
    words: str
    held_out: bool
    common: bool


def packages() -> list[Package]:
    text = (Path(__file__).parent / "packages.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    return [
        Package(
            name=name, licence=licence, folders=tuple(folders.split(",")),
            styles=tuple(filter(None, styles.split(","))),
        )
        for name, licence, folders, styles in rows
    ]  # fmt: skip


def archive(package: Package, folder: Path) -> Path:
    """The package's archive, fetched if it is not there. Raises RuntimeError if that fails."""
    stem = package.name.removeprefix("@").replace("/", "-")
    found = sorted(folder.glob(f"{stem}-[0-9]*.tgz"))
    if not found:
        folder.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", "--silent", package.name]
        quiet = {**os.environ, "NPM_CONFIG_UPDATE_NOTIFIER": "false"}
        done = subprocess.run(command, cwd=folder, check=False, timeout=240, env=quiet)
        found = sorted(folder.glob(f"{stem}-[0-9]*.tgz"))
        if done.returncode or not found:
            raise RuntimeError(f"npm could not fetch {package.name}")
    return found[-1]


def words_of(stem: str, styles: tuple[str, ...]) -> str:
    """A file's name as words, its style taken off."""
    parts = [part for part in re.split(r"[-_ ]+", stem.lower()) if part]
    while len(parts) > 1 and parts[-1] in styles:
        parts.pop()
    return " ".join(parts)


def coverage(svg: str) -> np.ndarray | None:
    """How much of each pixel the icon covers, uint8 [128, 128], or None where it fails."""
    import resvg_py

    try:
        png = resvg_py.svg_to_bytes(svg_string=svg, width=INNER, height=INNER)
        alpha = Image.open(io.BytesIO(bytes(png))).convert("RGBA").getchannel("A")
    except (ValueError, OSError):
        return None
    if not 5 < np.asarray(alpha).mean() < 245:  # empty, or a full square
        return None
    whole = Image.new("L", (EDGE, EDGE))
    whole.paste(alpha, ((EDGE - alpha.width) // 2, (EDGE - alpha.height) // 2))
    return np.asarray(whole)


def is_held_out(words: str) -> bool:
    """By the first word, so that an icon and its variants stay together."""
    return hashlib.sha256(words.split(" ")[0].encode()).digest()[0] % 20 == 0


def read_package(package: Package, folder: Path) -> list[tuple[str, str, str]]:
    """(file, words, svg) of every icon of a package."""
    found = []
    with tarfile.open(archive(package, folder)) as tar:
        for member in tar:
            path = Path(member.name)
            inside = str(path.parent).removeprefix("package/")
            if path.suffix == ".svg" and inside in package.folders and member.size < MAX_SVG:
                stream = tar.extractfile(member)
                if stream is not None:
                    svg = stream.read().decode("utf-8", "replace")
                    found.append((member.name, words_of(path.stem, package.styles), svg))
    return sorted(found)


def main() -> None:
    """Fetch, render, write."""
    wanted = packages()
    read = {package.name: read_package(package, OUT / "downloads") for package in wanted}
    known = defaultdict(set)
    for name, icons in read.items():
        for _, words, _ in icons:
            known[words].add(name)
    kept: list[np.ndarray] = []
    lines = []
    for name, icons in read.items():
        for file, words, svg in icons:
            picture = coverage(svg)
            if picture is None:
                continue
            common = len(known[words]) >= COMMON_IN and not re.search(r"[0-9]", words)
            held_out = not common and is_held_out(words)
            kept.append(picture)
            lines.append(f"{name}\t{file}\t{words}\t{int(held_out)}\t{int(common)}")
        print(name, len(icons), flush=True)
    np.save(OUT / "icons.npy", np.stack(kept))
    (OUT / "icons.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(len(kept), "icons", len({line.split("\t")[2] for line in lines if line[-1] == "1"}))


def read_icons() -> tuple[np.ndarray, list[Icon]]:
    """What `main` wrote: coverage [N, 128, 128] and where each came from."""
    rows = [
        line.split("\t") for line in (OUT / "icons.tsv").read_text(encoding="utf-8").splitlines()
    ]
    icons = [
        Icon(package=p, file=f, words=w, held_out=h == "1", common=c == "1")
        for p, f, w, h, c in rows
    ]
    return np.load(OUT / "icons.npy", mmap_mode="r"), icons


def tinted(cover_HW: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """A colour on white through the coverage, uint8 [H, W, 3]."""
    share = cover_HW[..., None].astype(np.float32) / 255
    return np.rint(255 + (np.array(colour, np.float32) - 255) * share).astype(np.uint8)


if __name__ == "__main__":
    main()
