"""The tables of packages that the corpus is made of; not how they are fetched or read.

`packages.tsv` names what is wanted (registry, name, language, split). `corpus.tsv`, written by
the corpus step, says what was got: version, licence, files and bytes kept, or why it was left out.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
WANTED = HERE / "packages.tsv"
GOT = HERE / "corpus.tsv"
REGISTRIES = frozenset({"pypi", "npm", "debian", "debian-source"})
SPLITS = frozenset({"train", "held-out"})


@dataclass(frozen=True, kw_only=True)
class WantedPackage:
    """One package to fetch by name; `language` is the language it is read for."""

    registry: str
    name: str
    language: str
    split: str

    def __post_init__(self) -> None:
        """Refuse a row that no later step could act on."""
        if self.registry not in REGISTRIES or self.split not in SPLITS:
            raise ValueError(f"packages.tsv: bad registry or split in {self}")

    @property
    def folder(self) -> str:
        """Folder name under the downloads, safe on a file system."""
        return f"{self.registry}__{self.name.replace('/', '+').replace('@', '')}"


@dataclass(frozen=True, kw_only=True)
class GotPackage:
    """What the corpus step made of one package; `note` is empty when it was kept."""

    registry: str
    name: str
    version: str
    language: str
    split: str
    licence: str
    files: int
    bytes: int
    note: str


def read_wanted(path: Path = WANTED) -> tuple[WantedPackage, ...]:
    """The wanted packages in the order of the file."""
    with path.open(newline="", encoding="utf-8") as stream:
        return tuple(
            WantedPackage(
                registry=row["registry"],
                name=row["name"],
                language=row["language"],
                split=row["split"],
            )
            for row in csv.DictReader(stream, delimiter="\t")
        )


def read_got(path: Path = GOT) -> tuple[GotPackage, ...]:
    """The packages that the corpus step met, kept or not; empty when it has not run."""
    if not path.exists():
        return ()
    with path.open(newline="", encoding="utf-8") as stream:
        return tuple(
            GotPackage(
                registry=row["registry"],
                name=row["name"],
                version=row["version"],
                language=row["language"],
                split=row["split"],
                licence=row["licence"],
                files=int(row["files"]),
                bytes=int(row["bytes"]),
                note=row["note"],
            )
            for row in csv.DictReader(stream, delimiter="\t")
        )


def write_got(rows: list[GotPackage], path: Path = GOT) -> None:
    """Write the table, one package a line, in the order given."""
    names = list(GotPackage.__dataclass_fields__)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow(names)
        for row in rows:
            writer.writerow([getattr(row, name) for name in names])
