"""A git repository out of releases: `python -m bench.release_history FOLDER A-1.0.whl A-1.1.whl …`.

Where only releases of a package are at hand, each becomes a commit, in the order given, so that a
fine-tuning run has a time to split by. Get them with `pip download --no-deps PACKAGE==VERSION`.
Archives often bear no date worth the name; commits are a month apart instead.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pygit2

FIRST_DAY, MONTH_S = 1_600_000_000, 30 * 86_400


def release_history(folder: Path, wheels: Sequence[Path]) -> list[str]:
    """The ids of the commits, one a wheel; metadata folders of wheels are left out."""
    repository = pygit2.init_repository(str(folder))
    made: list[str] = []
    for number, wheel in enumerate(wheels):
        tree = pygit2.Index()
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.infolist():
                if not entry.is_dir() and ".dist-info/" not in entry.filename:
                    blob = repository.create_blob(archive.read(entry))
                    mode = pygit2.enums.FileMode.BLOB
                    tree.add(pygit2.IndexEntry(entry.filename, blob, mode))
        who = pygit2.Signature("Release", "release@localhost", FIRST_DAY + MONTH_S * number)
        parents = [] if repository.head_is_unborn else [repository.head.target]
        commit = repository.create_commit(
            "HEAD", who, who, wheel.stem, tree.write_tree(repository), parents
        )
        made.append(str(commit))
    checkout: Any = repository.checkout_head  # pygit2 gives it no types
    checkout(strategy=pygit2.enums.CheckoutStrategy.FORCE)
    return made


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.release_history")
    parser.add_argument("folder", type=Path, help="to be made")
    parser.add_argument("wheels", type=Path, nargs="+", help="oldest first")
    options = parser.parse_args(argv)
    for wheel, commit in zip(
        options.wheels, release_history(options.folder, options.wheels), strict=True
    ):
        print(f"{commit[:12]}  {wheel.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
