"""Repositories made for tests, through libgit2 alone."""

from __future__ import annotations

from pathlib import Path

import pygit2

WORDS = (
    *("ledger", "invoice", "parcel", "depot", "courier", "tariff"),
    *("gauge", "valve", "pump", "sensor", "relay", "buffer"),
)


def module(first: str, second: str) -> str:
    """A small Python module with words of its own."""
    title = first.capitalize() + second.capitalize()
    return (
        f'"""Rows of {first} by {second}."""\n\nfrom decimal import Decimal\n\n\n'
        f"class {title}Store:\n"
        f'    """Keeps {first} rows for one {second}."""\n\n'
        f"    def __init__(self) -> None:\n        self.{first}_rows: list[Decimal] = []\n\n"
        f"    def add_{first}(self, {first}_row: Decimal) -> None:\n"
        f"        if {first}_row < 0:\n"
        f'            raise ValueError("{second} must be positive")\n'
        f"        self.{first}_rows.append({first}_row)\n\n"
        f"    def total_{second}(self) -> Decimal:\n"
        f"        return sum(self.{first}_rows, Decimal(0)) * {len(second)}\n"
    )


def commit(folder: Path, files: dict[str, bytes], *, day: int, message: str = "step") -> str:
    """Write and commit files on one day of a month; returns the commit's id."""
    repository = (
        pygit2.Repository(str(folder))
        if (folder / ".git").exists()
        else pygit2.init_repository(str(folder))
    )
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        repository.index.add(path)
    repository.index.write()
    author = pygit2.Signature("A", "a@example.org", 1_700_000_000 + 86_400 * day)
    parents = [] if repository.head_is_unborn else [repository.head.target]
    made = repository.create_commit(
        "HEAD", author, author, message, repository.index.write_tree(), parents
    )
    return str(made)


def grown(folder: Path, *, modules: int = 24, commits: int = 6) -> Path:
    """A repository of several commits, each with some modules."""
    pairs = [(one, other) for one in WORDS for other in WORDS if one < other][:modules]
    for number in range(commits):
        files = {
            f"{one}_{other}.py": module(one, other).encode()
            for one, other in pairs[number::commits]
        }
        commit(folder, files, day=number)
    return folder
