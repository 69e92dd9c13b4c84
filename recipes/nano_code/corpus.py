"""From downloaded archives to the corpus: one compressed JSON-lines file a split.

`python -m recipes.nano_code.corpus` writes `out/nano_code/corpus/{train,held-out}.jsonl.zst`
(package, language, path, text) and the committed table `corpus.tsv`. Held-out packages come
first in the search for near-duplicates, so that a copy of their files never trains the model.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import zstandard

from recipes.nano_code import archive, licence, source_filter
from recipes.nano_code.download import DOWNLOADS, OUT
from recipes.nano_code.package_table import GotPackage, WantedPackage, read_wanted, write_got
from recipes.nano_code.secret_scrub import scrub

CORPUS = OUT / "corpus"
# Bytes of one package at most, so that no house style rules a language.
PACKAGE_CAP = {
    "Python": 900_000, "JavaScript": 700_000, "TypeScript": 700_000, "Java": 2_000_000,
    "C": 1_200_000, "C++": 1_200_000, "Go": 1_500_000, "Rust": 900_000,
}  # fmt: skip
SEEN_SHARE = 0.6
MIN_SHINGLE_LINE = 20


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One cleaned file of the corpus."""

    package: str
    language: str
    path: str
    text: str


@dataclass(frozen=True, kw_only=True)
class ReadPackage:
    """What one package's archives held."""

    wanted: WantedPackage
    version: str
    licence: str
    files: tuple[SourceFile, ...]
    note: str


def inner_path(path: str) -> str:
    """Path inside the package as its authors see it, without the archive's own top folders."""
    path = path.removeprefix("./")
    path = re.sub(r"^usr/share/gocode/src/(?:[^/]+/){2}", "", path)
    path = re.sub(r"^usr/(?:share|lib)/(?:cargo/registry|go-[\d.]+)/", "", path)
    parts = PurePosixPath(path).parts
    if len(parts) > 1 and (parts[0] == "package" or re.search(r"-v?\d", parts[0])):
        parts = parts[1:]
    return "/".join(parts)


def archive_version(registry: str, names: list[str]) -> str:
    """Version read from the archive's file name."""
    for name in names:
        if registry == "pypi":
            parts = re.sub(r"\.(whl|tar\.gz|zip)$", "", name).split("-")
            return parts[1] if name.endswith(".whl") else parts[-1]
        if registry == "npm" and name.endswith(".tgz"):
            return re.sub(r"^.*?-(\d+\..*)\.tgz$", r"\1", name)
        if registry == "debian" and name.endswith(".deb"):
            return name.split("_")[1].replace("%3a", ":")
        if registry == "debian-source" and name.endswith(".dsc"):
            return name.split("_")[1].removesuffix(".dsc")
    return ""


def is_metadata(path: str) -> bool:
    """Whether a path is where one of the registries states a package's licence."""
    return (
        path.endswith((".dist-info/METADATA", "/PKG-INFO", "/copyright"))
        or path == "package/package.json"
        or path.endswith("debian/copyright")
    )


def stated_licence(path: str, text: str) -> str:
    """Licence that a metadata file states; '' when it states none."""
    if path.endswith("copyright"):
        return licence.debian_licence(text)
    return licence.npm_licence(text) if path.endswith(".json") else licence.wheel_licence(text)


def read_package(wanted: WantedPackage) -> ReadPackage:
    """Read, filter and clean one package; files ordered so that whole folders stay together."""
    folder = DOWNLOADS / wanted.folder
    archives = sorted(path for path in folder.iterdir()) if (folder / "DONE").exists() else []
    stated, files = "", []

    def wanted_path(path: str) -> bool:
        inner = inner_path(path)
        return is_metadata(path) or source_filter.file_language(wanted.language, inner) is not None

    for path in archives:
        for name, raw in archive.archive_members(path, wanted_path):
            if is_metadata(name):
                stated = stated or stated_licence(name, raw.decode("utf-8", "replace"))
                continue
            text = raw.decode("utf-8", "replace")
            cleaned = source_filter.clean_text(raw) if licence.file_is_permissive(text) else None
            if cleaned is None or source_filter.why_not(cleaned):
                continue
            scrubbed = scrub(cleaned)
            language = source_filter.file_language(wanted.language, inner_path(name))
            if scrubbed is not None and language is not None:
                files.append(SourceFile(package=wanted.name, language=language,
                                        path=inner_path(name), text=scrubbed))  # fmt: skip
    files.sort(key=lambda file: (_digest(str(PurePosixPath(file.path).parent)), file.path))
    note = "" if archives else "not fetched"
    if archives and not licence.is_permissive(stated):
        note, files = "licence not kept", []
    return ReadPackage(
        wanted=wanted,
        version=archive_version(wanted.registry, [path.name for path in archives]),
        licence=stated,
        files=tuple(files),
        note=note or ("" if files else "no file kept"),
    )


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


class SeenLines:
    """Lines of the files kept so far; tells a near-duplicate by the share it repeats."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._seen: set[int] = set()

    def is_new(self, text: str) -> bool:
        """Whether most of the longer lines were never seen; remembers them when so."""
        stripped = {line.strip() for line in text.split("\n")}
        lines = {hash(line) for line in stripped if len(line) >= MIN_SHINGLE_LINE}
        if not lines or len(lines & self._seen) > SEEN_SHARE * len(lines):
            return False
        self._seen |= lines
        return True


def kept_files(package: ReadPackage, seen: SeenLines) -> Iterator[SourceFile]:
    """Files of a package that are new, up to the package's cap in bytes."""
    room = PACKAGE_CAP[package.wanted.language]
    for file in package.files:
        if len(file.text) <= room and seen.is_new(file.text):
            room -= len(file.text)
            yield file


def read_files(split: str, folder: Path = CORPUS) -> Iterator[SourceFile]:
    """The files of one split, in the order they were written."""
    with (folder / f"{split}.jsonl.zst").open("rb") as raw:
        stream = zstandard.ZstdDecompressor().stream_reader(raw)
        pending = b""
        while chunk := stream.read(1 << 20):
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                yield SourceFile(**json.loads(line))


def main() -> None:
    """Read every package on two processes and write the two splits and the table."""
    CORPUS.mkdir(parents=True, exist_ok=True)
    wanted = sorted(read_wanted(), key=lambda package: package.split == "train")
    rows: list[GotPackage] = []
    seen = SeenLines()
    writers = {
        # One compressor each: two streams of one compressor spoil each other.
        split: zstandard.ZstdCompressor(level=3).stream_writer(
            (CORPUS / f"{split}.jsonl.zst").open("wb")
        )
        for split in ("train", "held-out")
    }
    with ProcessPoolExecutor(max_workers=2) as pool:
        for package in pool.map(read_package, wanted):
            split = package.wanted.split
            kept = list(kept_files(package, seen))
            for file in kept:
                line = json.dumps(asdict(file), ensure_ascii=False) + "\n"
                writers[split].write(line.encode())
            rows.append(GotPackage(
                registry=package.wanted.registry, name=package.wanted.name,
                version=package.version, language=package.wanted.language, split=split,
                licence=package.licence, files=len(kept),
                bytes=sum(len(file.text.encode()) for file in kept),
                note=package.note or ("" if kept else "only near-duplicates"),
            ))  # fmt: skip
            print(f"{package.wanted.folder}: {rows[-1].bytes} bytes {rows[-1].note}", flush=True)
    for writer in writers.values():
        writer.close()
    write_got(rows)


if __name__ == "__main__":
    main()
