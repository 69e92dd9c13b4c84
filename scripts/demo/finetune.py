"""What fine-tuning would learn from a repository, before anything is learned: the dry run.

A small shop with six commits is written to a temporary folder, with a key in one of its files and
a vendored one beside. Training itself takes minutes: `glm-lsp finetune REPO`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pygit2

from glm_lsp.cli.main import dispatch

NOUNS = ("ledger", "invoice", "parcel", "depot", "courier", "tariff", "voucher", "ticket")


def module(noun: str, other: str) -> str:
    """One module of the shop."""
    return (
        f'"""Rows of {noun} for one {other}."""\n\n\n'
        f"class {noun.capitalize()}Store:\n"
        f"    def __init__(self, {other}_code: str) -> None:\n"
        f"        self.{other}_code = {other}_code\n        self.{noun}_rows = []\n\n"
        f"    def add_{noun}(self, {noun}_row) -> None:\n"
        f"        if {noun}_row.{other}_code != self.{other}_code:\n"
        f'            raise ValueError("this {noun} belongs to another {other}")\n'
        f"        self.{noun}_rows.append({noun}_row)\n\n"
        f"    def total_weight(self) -> float:\n"
        f"        return sum(row.weight for row in self.{noun}_rows)\n"
    )


def write_repository(folder: Path) -> None:
    """Six commits, a day apart."""
    repository = pygit2.init_repository(str(folder))
    pairs = [(one, other) for one in NOUNS for other in NOUNS if one != other][:30]
    for day in range(6):
        files = {f"shop/{one}_{other}.py": module(one, other) for one, other in pairs[day::6]}
        if day == 0:
            files["shop/mail.py"] = module("mail", "shop") + 'API_KEY = "k7Q2mZ9xW4vB8nL3pR6t"\n'
            files["vendor/left_pad.js"] = "export const leftPad = (text) => text;\n" * 9
        for path, text in files.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
            repository.index.add(path)
        author = pygit2.Signature("Shop", "shop@example.org", 1_790_000_000 + 86_400 * day)
        parents = [] if repository.head_is_unborn else [repository.head.target]
        tree = repository.index.write_tree()
        repository.create_commit("HEAD", author, author, f"Day {day}", tree, parents)


def play(_: Path) -> None:
    """Print the plan."""
    print(
        "\nFine-tuning on a repository: what would be learned, and how long it takes.\n", flush=True
    )
    with tempfile.TemporaryDirectory(prefix="glm-demo-shop-") as folder:
        write_repository(Path(folder))
        if dispatch(["finetune", folder, "--name", "shop", "--dry-run"]) != 0:
            raise SystemExit("the dry run failed")
