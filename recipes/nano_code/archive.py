"""Reading of wheels, npm and Debian archives as streams of (path, bytes); nothing is unpacked.

Only regular files are read, only in memory, and none over `MAX_FILE_BYTES`, so an archive can
neither write outside a folder nor fill the disk.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

MAX_FILE_BYTES = 400_000
AR_MAGIC = b"!<arch>\n"
Wanted = Callable[[str], bool]


def zip_members(path: Path, wanted: Wanted) -> Iterator[tuple[str, bytes]]:
    """Files of a wheel or another zip for whose path `wanted` answers yes."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir() and info.file_size <= MAX_FILE_BYTES and wanted(info.filename):
                yield info.filename, archive.read(info)


def tar_members(
    stream: io.BufferedIOBase | io.BytesIO, wanted: Wanted
) -> Iterator[tuple[str, bytes]]:
    """Files of a tar archive in any of the compressions the standard library knows."""
    with tarfile.open(fileobj=stream, mode="r|*") as archive:
        for member in archive:
            if member.isfile() and member.size <= MAX_FILE_BYTES and wanted(member.name):
                content = archive.extractfile(member)
                if content is not None:
                    yield member.name, content.read()


def deb_members(path: Path, wanted: Wanted) -> Iterator[tuple[str, bytes]]:
    """Files of a binary Debian package: an `ar` archive whose `data.tar.*` holds the tree."""
    raw = path.read_bytes()
    if not raw.startswith(AR_MAGIC):
        raise ValueError(f"{path.name}: not a Debian package")
    at = len(AR_MAGIC)
    while at + 60 <= len(raw):
        name = raw[at : at + 16].decode("ascii").strip().rstrip("/")
        size = int(raw[at + 48 : at + 58])
        if name.startswith("data.tar"):
            yield from tar_members(io.BytesIO(raw[at + 60 : at + 60 + size]), wanted)
        at += 60 + size + size % 2


def archive_members(path: Path, wanted: Wanted) -> Iterator[tuple[str, bytes]]:
    """Files of any archive kind that the registries serve; nothing for signature files."""
    name = path.name
    if name.endswith((".whl", ".zip")):
        yield from zip_members(path, wanted)
    elif name.endswith(".deb"):
        yield from deb_members(path, wanted)
    elif name.endswith((".tgz", ".tar.gz", ".tar.xz", ".tar.bz2")):
        with path.open("rb") as stream:
            yield from tar_members(stream, wanted)
