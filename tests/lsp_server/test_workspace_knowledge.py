"""Context in the language server: snippets reach the daemon, secrets and ignored files do not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from glm_context.gathered import Gathered
from glm_lsp.editor_excludes import expanded, patterns_of
from glm_lsp.workspace_knowledge import differs, in_kept_words
from glm_protocol.completion import Snippet
from tests.client.stub_daemon import StubDaemon
from tests.lsp_server.in_process import InProcessEditor, eventually
from tests.support.invariants import assert_all_gone, descendants

BASKET = "class Basket:\n    def total_price(self, rate):\n        return rate\n"
OPEN = "from shop.basket import Basket\n\nBasket().total_price(\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "shop").mkdir(parents=True)
    (root / "shop" / "basket.py").write_text(BASKET)
    (root / "shop" / "keys.py").write_text('total_price_password = "hunter2-x9"\n')
    (root / "hidden.py").write_text("def total_price_of_hidden(): pass\n")
    (root / ".gitignore").write_text("hidden.py\n")
    return root


@pytest.fixture
async def opened(
    daemon: StubDaemon, root: Path, request: pytest.FixtureRequest
) -> AsyncIterator[InProcessEditor]:
    before = {process.pid for process in descendants(os.getpid())}
    made = InProcessEditor(getattr(request, "param", None))
    await made.initialize(workspaceFolders=[{"uri": root.as_uri(), "name": "root"}])
    yield made
    started = [p for p in descendants(os.getpid()) if p.pid not in before]
    await made.server.close()
    made.check()
    await asyncio.to_thread(assert_all_gone, started)


async def until_known(editor: InProcessEditor, uri: str, line: int, column: int) -> None:
    """Ask until the index is there, as a person's keys would."""
    async with asyncio.timeout(30):
        while True:
            await editor.ghost(line, column, uri=uri)
            last = editor.server.knowledge.last.get(uri)
            if last is not None and last.snippets:
                return
            editor.server.completer.forget(uri)
            await asyncio.sleep(0.1)


async def test_snippets_of_the_workspace_reach_the_daemon(
    opened: InProcessEditor, daemon: StubDaemon, root: Path
) -> None:
    uri = (root / "till.py").as_uri()
    opened.open(OPEN, uri=uri)
    await until_known(opened, uri, 2, 21)
    await eventually(lambda: daemon.requests[-1]["context"]["snippets"])
    context = daemon.requests[-1]["context"]
    assert context["path"] == "till.py"
    first = context["snippets"][0]
    assert (first["source"], first["path"]) == ("import", "shop/basket.py")
    assert "def total_price" in first["text"]
    sent = str(daemon.requests)
    assert "hunter2-x9" not in sent
    assert "total_price_of_hidden" not in sent


async def test_secrets_of_the_open_buffer_do_not_leave(
    opened: InProcessEditor, daemon: StubDaemon, root: Path
) -> None:
    uri = (root / "new.py").as_uri()
    opened.open('password = "correct-horse-9"\nx = \ntoken = "ghp_' + "a1B2" * 9 + '"\n', uri=uri)
    assert await opened.ghost(1, 4, uri=uri) is not None
    sent = str(daemon.requests)
    assert "correct-horse-9" not in sent
    assert "a1B2a1B2" not in sent
    assert "<withheld>" in sent


@pytest.mark.parametrize("name", [".env", "deploy/id_rsa", "server.pem"])
async def test_files_of_secrets_get_no_completions(
    opened: InProcessEditor, daemon: StubDaemon, root: Path, name: str
) -> None:
    uri = (root / name).as_uri()
    opened.open("VALUE=1\nx = ", uri=uri, language="plaintext")
    assert await opened.ghost(1, 4, uri=uri) is None
    assert daemon.requests == []


async def test_a_saved_file_is_known_soon_after(
    opened: InProcessEditor, daemon: StubDaemon, root: Path
) -> None:
    uri = (root / "till.py").as_uri()
    opened.open(OPEN, uri=uri)
    await until_known(opened, uri, 2, 21)
    (root / "shop" / "fresh.py").write_text("def freshly_written_function(a):\n    return a\n")
    saved = (root / "shop" / "fresh.py").as_uri()
    opened.notify("textDocument/didSave", {"textDocument": {"uri": saved}})
    opened.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": saved, "type": 1}]})
    opened.change({"text": "freshly_written_function(\n"}, uri=uri)

    async def knows() -> bool:
        opened.server.completer.forget(uri)
        await opened.ghost(0, 25, uri=uri)
        snippets = opened.server.knowledge.last[uri].snippets
        return any("def freshly_written_function" in snippet.text for snippet in snippets)

    async with asyncio.timeout(30):
        while not await knows():
            await asyncio.sleep(0.1)


async def test_what_the_user_edits_elsewhere_goes_along(
    opened: InProcessEditor, daemon: StubDaemon, root: Path
) -> None:
    other, uri = (root / "other.py").as_uri(), (root / "till.py").as_uri()
    opened.open("def not_yet_saved_anywhere(value):\n    pass\n", uri=other)
    opened.type(1, 4, "return value ", uri=other)
    opened.open(OPEN, uri=uri)
    await until_known(opened, uri, 2, 21)
    sources = {s.source: s.text for s in opened.server.knowledge.last[uri].snippets}
    assert "return value pass" in sources["recent"]


@pytest.mark.parametrize("opened", [{"context": {"enable": False}}], indirect=True)
async def test_switched_off_no_process_is_started(
    opened: InProcessEditor, daemon: StubDaemon, root: Path
) -> None:
    uri = (root / "till.py").as_uri()
    opened.open(OPEN, uri=uri)
    assert await opened.ghost(2, 21, uri=uri) is not None
    assert daemon.requests[-1]["context"]["snippets"] == []
    assert opened.server.knowledge._workers == {}


async def test_a_worker_that_hangs_or_dies_delays_nothing(
    opened: InProcessEditor, daemon: StubDaemon, root: Path
) -> None:
    uri = (root / "till.py").as_uri()
    opened.open(OPEN, uri=uri)
    await until_known(opened, uri, 2, 21)
    (worker,) = opened.server.knowledge._workers.values()
    assert worker._process is not None
    worker._process.send_signal(19)  # SIGSTOP
    opened.open("x = \n", uri=(root / "b.py").as_uri())
    assert await opened.ghost(0, 4, uri=(root / "b.py").as_uri()) is not None
    worker._process.kill()
    opened.server.completer.forget(uri)
    assert await opened.ghost(2, 21, uri=uri) is not None
    await until_known(opened, uri, 2, 21)


def test_the_editors_own_excludes_are_read_as_patterns() -> None:
    files = {"**/.git": True, "gen/**/*.{py,ts}": True, "off": False, "*.js": {"when": "x"}}
    found = patterns_of([files, None, {"#x": True, "a\nb": True}])
    assert found == ("**/.git", "/gen/**/*.py", "/gen/**/*.ts", "/#x")
    assert expanded("{a,b}/{c,d}") == ["a/c", "a/d", "b/c", "b/d"]
    assert expanded("{a,{b}}") == ["{a,{b}}"]


def snippets(*names: str) -> Gathered:
    return Gathered(snippets=tuple(Snippet(id=name, path="p", text=name) for name in names))


def test_pinned_snippets_stay_until_the_best_of_the_new_ones_differ() -> None:
    before = snippets("a", "b", "c", "d")
    assert not differs(before, snippets("b", "a", "c", "d"))
    assert not differs(before, snippets("a", "b", "c", "x"))
    assert differs(before, snippets("x", "a", "b", "c"))
    assert differs(before, snippets("a", "b", "c", "x", "y", "z", "w"))


def test_what_stays_keeps_its_words() -> None:
    """An excerpt that moved by a line is the same place, and the prompt keeps its tokens."""
    old = Snippet(id="1", path="p", text="a\nb\nc\nd")
    moved = Snippet(id="2", path="p", text="b\nc\nd\ne")
    other = Snippet(id="3", path="q", text="b\nc\nd\ne")
    before = Gathered(snippets=(old,))
    assert in_kept_words(before, Gathered(snippets=(other, moved))).snippets == (other, old)
