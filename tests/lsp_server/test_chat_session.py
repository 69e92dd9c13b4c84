"""Every task of the editor through a real daemon, with tiny models that chat (e2e).

One model has a template like GLM-4's, one like Qwen's. They say one thing, whatever is asked: what
is seen here is that a task of the language server goes through template, engine and queue and comes
back as a streamed text, as code or as an edit. The bundled model says why it does not.
"""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from glm_runtime.model_registry import ModelRegistry
from tests.lsp_server.in_process import InProcessEditor
from tests.support.answering_model import CODES, FAMILIES, PROSE, write_answering_model
from tests.support.local_daemon import LocalDaemon, local_daemon

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]
CODE = "import os\n\n\ndef total(items):\n    return 1\n\n\nx = total([1])\n"
HEAD = {"start": {"line": 4, "character": 0}, "end": {"line": 4, "character": 0}}
ANSWER = f"{PROSE}```python\n{CODES[0]}\n```\n"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalDaemon]:
    folder = tmp_path_factory.mktemp("models")
    async with local_daemon(model=None, engines=3) as running:
        registry = ModelRegistry(running.folders.registry)
        for name, family in FAMILIES.items():
            registry.add(name, str(write_answering_model(folder / name, family)))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GLM_LSP_HOME", str(running.folders.home))
            patch.setenv("GLM_LSP_RUNTIME", str(running.folders.runtime))
            yield running


@pytest_asyncio.fixture(loop_scope="module", params=["glm4", "qwen", "nano-code"])
async def editor(
    here: LocalDaemon, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[InProcessEditor]:
    made = InProcessEditor({"model": request.param})
    folder = {"uri": tmp_path.as_uri(), "name": "w"}
    await made.initialize(workspaceFolders=[folder])
    yield made
    await made.server.close()
    made.check()


def chats(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("editor", names or ("glm4", "qwen"), indirect=True)


def saved(editor: InProcessEditor, folder: Path) -> str:
    """An open file that git knows in another state."""
    file = folder / "a.py"
    file.write_text(CODE.replace("return 1", "return 2"))
    identity = ("-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false")
    for line in (("init",), ("add", "a.py"), ("commit", "-m", "x")):
        subprocess.run(("git", *identity, *line), cwd=folder, check=True, capture_output=True)
    file.write_text(CODE)
    editor.open(CODE, file.as_uri())
    return file.as_uri()


async def asked(editor: InProcessEditor, uri: str, task: str, **more: Any) -> Any:
    params = {"token": task, "task": task, "textDocument": {"uri": uri}, **more}
    return await editor.reply(editor.request("glm/chat", params), 60.0)


def streamed(editor: InProcessEditor, token: str) -> str:
    sent = [m["params"] for m in editor.sent if m.get("method") == "glm/delta"]
    return "".join(piece.get("text", "") for piece in sent if piece["token"] == token)


@chats()
async def test_every_task_is_answered(editor: InProcessEditor, tmp_path: Path) -> None:
    uri = saved(editor, tmp_path)
    question = [{"role": "user", "content": "Where is total?"}]
    model = (editor.settings or {})["model"]
    tasks: dict[str, dict[str, Any]] = {
        "explain": {"range": HEAD},
        "review": {},
        "ask": {"messages": question},
        "tests": {"range": HEAD},
        "document": {"range": HEAD},
        "comment": {"range": HEAD},
        "fix": {"range": HEAD, "diagnostic": {"range": HEAD, "message": "wrong"}},
    }
    for task, more in tasks.items():
        reply = await asked(editor, uri, task, **more)
        assert "result" in reply, (task, reply)
        result = reply["result"]
        assert (result["model"], result["finish"]) == (model, "stop"), task
        assert result["text"] == (CODES[0] + "\n" if task == "tests" else ANSWER), task
        assert streamed(editor, task) == ANSWER
        assert ("edit" in result) is (task in ("document", "comment", "fix"))
        if "edit" in result:
            (change,) = result["edit"]["changes"][uri]
            assert change["newText"] == CODES[0]
            assert change["range"]["start"] == {"line": 3, "character": 0}


@chats()
async def test_the_repository_is_asked_without_a_file(
    editor: InProcessEditor, tmp_path: Path
) -> None:
    (tmp_path / "a.py").write_text(CODE)
    messages = [{"role": "user", "content": "Where is total?"}]
    params = {"token": "r", "task": "ask", "messages": messages}
    reply = await editor.reply(editor.request("glm/chat", params), 60.0)
    assert reply["result"]["text"] == ANSWER


@chats()
async def test_candidates_are_drawn_side_by_side(editor: InProcessEditor) -> None:
    editor.open(CODE)
    reply = await asked(editor, "file:///a.py", "tests", range=HEAD, candidates=8)
    found = reply["result"]["candidates"]
    assert found[0] == CODES[0] + "\n"
    assert set(found) == {code + "\n" for code in CODES}


@chats("glm4")
async def test_actions_are_offered_for_a_model_that_chats(editor: InProcessEditor) -> None:
    editor.open(CODE)
    await editor.state("ready")
    params = {
        "textDocument": {"uri": "file:///a.py"},
        "range": HEAD,
        "context": {"diagnostics": []},
    }
    found = await editor.ask("textDocument/codeAction", params)
    tasks = {a["command"]["arguments"][0]["params"].get("task") for a in found}
    assert {"explain", "tests", "review", "document"} <= tasks


@chats("nano-code")
async def test_the_bundled_model_says_why_not(editor: InProcessEditor, tmp_path: Path) -> None:
    uri = saved(editor, tmp_path)
    await editor.state("ready")
    question = [{"role": "user", "content": "Where is total?"}]
    for task in ("explain", "review", "ask", "tests", "fix"):
        reply = await asked(editor, uri, task, range=HEAD, messages=question)
        message = reply["error"]["message"]
        assert "The model nano-code cannot chat." in message
        assert "glm-lsp models add NAME PATH" in message
        assert "GB" in message
    context = {"diagnostics": [{"range": HEAD, "message": "wrong"}]}
    params = {"textDocument": {"uri": uri}, "range": HEAD, "context": context}
    found = await editor.ask("textDocument/codeAction", params)
    requests = [a["command"]["arguments"][0] for a in found]
    tasks = {one["params"]["task"] for one in requests if one["request"] == "glm/chat"}
    assert tasks == {"document", "comment"}


@chats("nano-code")
async def test_the_bundled_translator_makes_a_file_beside(
    editor: InProcessEditor, tmp_path: Path
) -> None:
    code = (
        "class Lamp:\n    def __init__(self, watts: int) -> None:\n        # how strong\n"
        "        self.watts = watts\n\n\ndef double_it(value: int) -> int:\n    return 2 * value\n"
    )
    uri = (tmp_path / "lamp.py").as_uri()
    editor.open(code, uri)
    params = {"token": "t", "textDocument": {"uri": uri}, "to": "go"}
    reply = await editor.reply(editor.request("glm/translate", params), 60.0)
    result = reply["result"]
    assert (result["units"], result["parses"], result["model"]) == (2, True, "nano-translate")
    assert "func doubleIt(value int) int {\n\treturn 2 * value\n}" in result["text"]
    assert result["text"].count("// how strong") == 1
    created = result["edit"]["documentChanges"][0]
    assert created["uri"] == (tmp_path / "lamp.go").as_uri()
    assert streamed(editor, "t")
