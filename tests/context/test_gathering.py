"""What is gathered for a cursor: the right pieces first, the same ones each time, bounded."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from glm_context.gathered import CursorSite, Gathered, RecentPlace
from glm_context.gathering import MAX_CONTINUED, MAX_SNIPPETS, MAX_TEXT, MAX_TOTAL, total
from glm_context.import_paths import resolve
from glm_context.similar_places import MOST
from glm_context.syntax_facts import ImportName
from glm_context.workspace_context import WorkspaceContext
from glm_protocol.completion import FOR_MEMORY

FILES = {
    "shop/__init__.py": "",
    "shop/basket.py": '''class Basket:
    """What a customer wants to buy."""

    def total_price(self, discount_rate):
        return sum(item.price for item in self.items) * (1 - discount_rate)
''',
    "shop/mailer.py": "def send_invoice_mail(customer, invoice):\n    return customer\n",
    "shop/report.py": """def monthly_report(baskets, exporter):
    rows = [basket.total_price(0.1) for basket in baskets]
    exporter.write_rows(rows)
    return rows
""",
    "web/src/cart.ts": "export function cartTotal(cart: Cart): number {\n  return cart.sum;\n}\n",
    "web/src/page.ts": "import { cartTotal } from './cart';\n",
    "lib/maths.h": "int add_numbers(int first, int second);\n",
    "lib/maths.c": '#include "maths.h"\nint add_numbers(int first, int second) {\n  return 1;\n}\n',
    "java/org/app/Basket.java": "package org.app;\npublic class Basket {\n  int size() {}\n}\n",
    "go/util/text.go": "package util\n\nfunc TrimText(text string) string {\n\treturn text\n}\n",
    "src/parser/mod.rs": "pub fn parse_tokens(input: &str) -> u32 {\n    1\n}\n",
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkspaceContext]:
    root = tmp_path_factory.mktemp("shop")
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    with WorkspaceContext(root, home=tmp_path_factory.mktemp("home")) as made:
        made.build()
        yield made


def at_end(path: str, language: str, text: str) -> CursorSite:
    return CursorSite(path=path, language=language, text=text, offset=len(text))


def paths(found: Gathered) -> list[tuple[str, str]]:
    return [(snippet.source, snippet.path) for snippet in found.snippets]


@pytest.mark.parametrize(
    ("path", "language", "text", "wanted"),
    [
        (
            "till.py",
            "python",
            "from shop.basket import Basket\n\ndef pay(basket: Basket):\n    basket.total_price(",
            ("import", "shop/basket.py"),
        ),
        (
            "shop/till.py",
            "python",
            "from .basket import Basket\n\nBasket().total_price(",
            ("import", "shop/basket.py"),
        ),
        ("till.py", "python", "x = 1\nsend_invoice_mail(", ("definition", "shop/mailer.py")),
        (
            "web/src/page.ts",
            "typescript",
            "import { cartTotal } from './cart';\n\nconst sum = cartTotal(",
            ("import", "web/src/cart.ts"),
        ),
        (
            "lib/use.c",
            "c",
            '#include "maths.h"\nint main(void) {\n  return add_numbers(',
            ("import", "lib/maths.c"),
        ),
        (
            "java/org/app/Till.java",
            "java",
            "import org.app.Basket;\nclass Till {\n  Basket basket = new Basket(",
            ("import", "java/org/app/Basket.java"),
        ),
        (
            "src/main.rs",
            "rust",
            "use crate::parser::parse_tokens;\n\nfn main() {\n    parse_tokens(",
            ("import", "src/parser/mod.rs"),
        ),
    ],
)
def test_what_the_code_refers_to_comes_first(
    workspace: WorkspaceContext, path: str, language: str, text: str, wanted: tuple[str, str]
) -> None:
    source, found = paths(workspace.gather(at_end(path, language, text)))[0]
    assert found == wanted[1]
    assert source in (wanted[0], "similar")  # the same lines may be found both ways


def test_similar_code_is_found_by_parts_of_identifiers(workspace: WorkspaceContext) -> None:
    found = workspace.gather(at_end("new.py", "python", "def weekly_report(exporter):\n    "))
    assert ("similar", "shop/report.py") in paths(found)


def test_the_file_at_the_cursor_gives_no_chunk_of_itself(workspace: WorkspaceContext) -> None:
    text = FILES["shop/report.py"].split("rows)")[0]
    found = workspace.gather(at_end("shop/report.py", "python", text))
    assert "shop/report.py" not in [snippet.path for snippet in found.snippets]


def test_far_signatures_of_the_same_file_come_as_an_outline(workspace: WorkspaceContext) -> None:
    filler = "".join(f"value_{i} = {i} + {i}\n" for i in range(900))
    text = f"def far_away_function(one, two):\n    return one\n\n\n{filler}\nx = "
    found = workspace.gather(at_end("big.py", "python", text))
    (outline,) = [s for s in found.snippets if s.source == "outline"]
    assert "def far_away_function(one, two):" in outline.text


def test_the_same_question_gets_the_same_answer(workspace: WorkspaceContext) -> None:
    site = at_end("till.py", "python", "from shop.basket import Basket\nb = Basket()\nb.")
    first = workspace.gather(site)
    assert first == workspace.gather(site)
    longer = at_end("till.py", "python", site.text + "t")
    assert [s.id for s in workspace.gather(longer).snippets] == [s.id for s in first.snippets]


def test_recent_places_come_with_the_newest_first(workspace: WorkspaceContext) -> None:
    places = [
        RecentPlace(path=f"r{i}.py", language="python", text=f"def edited_{i}(value):\n    pass\n")
        for i in range(3)
    ]
    found = workspace.gather(at_end("till.py", "python", "y = "), recent=places)
    recent = [snippet.path for snippet in found.snippets if snippet.source == "recent"]
    assert recent == ["r0.py", "r1.py", "r2.py"]


def test_what_follows_a_similar_place_comes_along(tmp_path: Path) -> None:
    filler = "".join(
        f"def other_{n}(argument_{n}):\n    return argument_{n}\n\n\n" for n in range(40)
    )
    wanted = "def open_ledger(path):\n    ledger = Ledger(path)\n    ledger.lock()\n"
    follows = "    ledger.verify_checksum()\n    return ledger\n"
    (tmp_path / "a.py").write_text(filler + wanted + follows + "\n\n" + filler)
    (tmp_path / "b.py").write_text(filler)
    with WorkspaceContext(tmp_path, home=tmp_path / "home") as workspace:
        workspace.build()
        found = workspace.gather(at_end("x.py", "python", wanted.replace("path", "name")))
    first = next(snippet for snippet in found.snippets if snippet.source == FOR_MEMORY)
    assert first.path == "a.py"
    assert "ledger.verify_checksum()" in first.text
    assert found.snippets[-1].source == FOR_MEMORY, "after all others"


def test_bounds_hold(tmp_path: Path) -> None:
    for number in range(60):
        body = "\n".join(f"    shared_name_{i} = helper_{number}_{i}()" for i in range(60))
        (tmp_path / f"m{number}.py").write_text(f"def shared_function_{number}():\n{body}\n")
    text = "\n".join(f"shared_name_{i} = shared_function_{i}()" for i in range(60))
    with WorkspaceContext(tmp_path, home=tmp_path / "home") as workspace:
        workspace.build()
        found = workspace.gather(at_end("x.py", "python", text))
    for_memory = [snippet for snippet in found.snippets if snippet.source == FOR_MEMORY]
    for_prompt = [snippet for snippet in found.snippets if snippet.source != FOR_MEMORY]
    assert 0 < len(for_prompt) <= MAX_SNIPPETS
    assert total(for_prompt) <= MAX_TOTAL
    assert 0 < len(for_memory) <= MOST
    assert total(for_memory) <= MAX_CONTINUED
    assert all(len(snippet.text) <= MAX_TEXT for snippet in found.snippets)
    assert len({snippet.id for snippet in found.snippets}) == len(found.snippets)


class Names:
    """A workspace of names only."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def files_with_stem(self, stem: str) -> list[str]:
        def stem_of(path: str) -> str:
            pure = Path(path)
            inner = ("__init__", "index", "mod", "lib", "main")
            return pure.parent.name if pure.stem in inner else pure.stem

        return [name for name in self.names if stem_of(name) == stem]


@pytest.mark.parametrize(
    ("module", "names", "path", "wanted"),
    [
        ("a.b.c", (), "x.py", {"src/a/b/c.py"}),
        ("a.b", ("c",), "x.py", {"src/a/b/c.py", "src/a/b/__init__.py"}),
        ("..b", (), "src/a/d/x.py", {"src/a/b/__init__.py"}),
        (".c", ("f",), "src/a/b/x.py", {"src/a/b/c.py"}),
        ("./c", (), "src/a/b/x.ts", {"src/a/b/c.py"}),
        ("../b/c.js", (), "src/a/d/x.ts", {"src/a/b/c.py"}),
        ("json", (), "x.py", set()),
        ("other.c", (), "x.py", {"src/a/b/c.py"}),
        ("", (), "x.py", set()),
    ],
)
def test_imports_are_resolved_by_the_ends_of_paths(
    module: str, names: tuple[str, ...], path: str, wanted: set[str]
) -> None:
    index = Names("src/a/b/c.py", "src/a/b/__init__.py", "src/z.py")
    found = resolve([ImportName(module=module, names=names)], path, index)
    assert set(found) <= {"src/a/b/c.py", "src/a/b/__init__.py"}
    if module != "other.c":  # one word may differ, so this one is a guess
        assert set(found) == wanted


def test_lines_changed_since_the_commit_are_known_and_nothing_of_the_repository_runs(
    tmp_path: Path,
) -> None:
    root, canary = tmp_path / "root", tmp_path / "canary"
    root.mkdir()

    def git(*args: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, *args], cwd=root, check=True, capture_output=True)

    git("init", "-q")
    (root / "a.py").write_text("def first():\n    return 1\n")
    git("add", ".")
    git("commit", "-qm", "x")
    hook = f"touch {canary}; cat"
    for key in ("core.fsmonitor", "diff.external", "filter.evil.clean", "diff.evil.textconv"):
        git("config", key, hook)
    (root / ".gitattributes").write_text("*.py filter=evil diff=evil\n")
    (root / "a.py").write_text(
        "def first():\n    return 1\n\n\ndef added_since_commit(value):\n    return value\n"
    )
    with WorkspaceContext(root, home=tmp_path / "home") as workspace:
        canary.unlink(missing_ok=True)
        workspace.refresh_changes(wait=True)
        found = workspace.gather(at_end("b.py", "python", "y = 1\nz = "))
    assert not canary.exists()
    (change,) = [s for s in found.snippets if s.source == "change"]
    assert "added_since_commit" in change.text
