"""`glm/chat` and the code actions, before a daemon that says what a test wrote."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.client.stub_daemon import StubDaemon
from tests.lsp_server.in_process import InProcessEditor, eventually
from tests.support.raw_lsp_client import Json

URI = "file:///a.py"
CODE = "import os\n\n\ndef total(items):\n    return sum(items)\n\n\nx = total([1])\n"


def place(line: int, last: int | None = None, character: int = 0) -> Json:
    end = {"line": line if last is None else last, "character": character}
    return {"start": {"line": line, "character": 0}, "end": end}


def task(name: str, **more: Any) -> Json:
    return {"token": "t", "task": name, "textDocument": {"uri": URI}, **more}


async def failure(editor: InProcessEditor, params: Json) -> str:
    reply = await editor.reply(editor.request("glm/chat", params))
    message: str = reply["error"]["message"]
    return message


def deltas(editor: InProcessEditor) -> str:
    sent = [m["params"] for m in editor.sent if m.get("method") == "glm/delta"]
    assert all(piece["token"] == "t" for piece in sent)
    return "".join(piece.get("text", "") for piece in sent)


async def test_documentation_is_an_edit_below_the_head(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    editor.open(CODE.replace("\n", "\r\n"))
    daemon.texts = ["return sum(items)", " sum of all items."]  # the first copies code
    result = await editor.ask("glm/chat", task("document", range=place(4)))
    assert result["text"] == '"""Total the sum of all items."""'
    assert result["model"] == "stub"
    assert result["edit"] == {
        "changes": {
            URI: [
                {
                    "range": place(4),
                    "newText": '    """Total the sum of all items."""\r\n',
                }
            ]
        }
    }
    first, second = daemon.requests
    assert first["context"]["prefix"].endswith('def total(items):\n    """')
    assert second["context"]["prefix"].endswith('"""Total the')
    assert first["context"]["suffix"].startswith('"""\n    return sum(items)\n')
    assert (first["mode"], first["stop"], first["memory"]) == ("line", ['"""'], False)
    assert deltas(editor) == result["text"]


async def test_candidates_are_different_and_told(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    editor.open(CODE)
    daemon.texts = ["Sum all items.", "Sum all items.", "Add all items up."]
    params = task("comment", range=place(7), candidates=2)
    result = await editor.ask("glm/chat", params)
    assert result["candidates"] == ["# Sum all items.", "# Add all items up."]
    assert result["edit"]["changes"][URI][0]["newText"] == "# Sum all items.\n"
    assert len({request["seed"] for request in daemon.requests}) == len(daemon.requests)


async def test_a_model_that_writes_no_words_is_told_so(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    editor.open(CODE)
    daemon.text = "x = 1"
    assert "nothing that reads like" in await failure(editor, task("document", range=place(4)))
    assert len(daemon.requests) == 7


async def test_explain_streams_and_shows_the_definition_at_the_cursor(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    editor.open(CODE)
    daemon.text = "It adds.\x1b[2J"
    result = await editor.ask("glm/chat", task("explain", range=place(4), model="big"))
    assert (result["text"], result["finish"]) == ("It adds.[2J", "stop")
    wire = daemon.requests[0]
    assert daemon.calls[-1] == "/glm/v1/chat"
    assert wire["messages"] == [
        {"role": "user", "text": "def total(items):\n    return sum(items)", "images": []}
    ]
    assert wire["options"] == {"task": "explain", "language": "python", "path": "a.py"}
    assert wire["model"] == "big"
    assert deltas(editor).startswith("It adds.")


async def test_a_fix_is_an_edit_of_the_definition(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    editor.open(CODE)
    daemon.text = "Here:\n```python\ndef total(items):\n    return 0\n```\nDone."
    diagnostic = {"range": place(4), "message": "wrong"}
    result = await editor.ask("glm/chat", task("fix", diagnostic=diagnostic))
    edit = result["edit"]["changes"][URI][0]
    assert edit["newText"] == "def total(items):\n    return 0"
    assert edit["range"] == place(3, 4, len("    return sum(items)"))
    assert daemon.requests[0]["options"]["diagnostic"] == "wrong"


async def test_a_model_that_only_chats_documents_by_rewriting(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    daemon.models = listed("chat")
    editor.open(CODE)
    await editor.state("ready")
    daemon.text = '```python\ndef total(items):\n    """Sum."""\n    return sum(items)\n```'
    result = await editor.ask("glm/chat", task("document", range=place(4)))
    assert '"""Sum."""' in result["edit"]["changes"][URI][0]["newText"]
    assert daemon.requests[0]["options"]["task"] == "document"


async def test_of_written_tests_the_code_alone_is_given(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    editor.open(CODE)
    daemon.text = "Sure:\n```python\ndef test_total(): ...\n```\nThat is all."
    result = await editor.ask("glm/chat", task("tests", range=place(4)))
    assert result["text"] == "def test_total(): ...\n"


async def test_a_question_takes_the_file_along_and_the_turns_before(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    editor.open(CODE + "key = 'ghp_" + "a1B2" * 9 + "'\n")
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "What is total?"},
    ]
    await editor.ask("glm/chat", task("ask", messages=messages))
    turns = daemon.requests[0]["messages"]
    assert [turn["text"] for turn in turns[:2]] == ["Hello", "Hi"]
    assert turns[2]["text"].startswith("###PATH: a.py\nimport os\n")
    assert turns[2]["text"].endswith("What is total?")
    assert "ghp_" not in turns[2]["text"]


async def test_a_review_shows_the_uncommitted_change(
    editor: InProcessEditor, daemon: StubDaemon, tmp_path: Path
) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"]
        subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True
        )

    file = tmp_path / "a.py"
    file.write_text(CODE)
    uri = file.as_uri()
    editor.open(CODE, uri)
    params = {**task("review"), "textDocument": {"uri": uri}}
    assert "git does not tell" in await failure(editor, params)
    git("init")
    ran = tmp_path / "ran"  # a stranger's repository may name programs
    for key in ("diff.external", "core.fsmonitor", "filter.x.clean", "filter.x.smudge"):
        git("config", key, f"touch {ran}")
    (tmp_path / ".gitattributes").write_text("*.py filter=x diff=x\n")
    git("-c", "filter.x.clean=", "-c", "core.fsmonitor=false", "add", "a.py")
    git("-c", "core.fsmonitor=false", "commit", "-m", "x")
    ran.unlink(missing_ok=True)
    assert "has not changed" in await failure(editor, params)
    editor.open(CODE.replace("sum", "max"), uri)
    await editor.ask("glm/chat", params)
    assert not ran.exists()
    text = daemon.requests[0]["messages"][0]["text"]
    assert "-    return sum(items)\n+    return max(items)" in text


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"task": "dance"}, "no task"),
        ({"task": "explain", "textDocument": {"uri": "file:///none.py"}}, "not open"),
        ({"task": "explain"}, "textDocument is missing"),
        ({"task": "ask"}, "ask something"),
        ({"task": "ask", "messages": [{"role": "x", "content": ""}]}, "role"),
        ({"task": "ask", "messages": [{"role": "assistant", "content": ""}]}, "user's"),
        ({"task": "explain", "textDocument": {"uri": "file:///empty.py"}}, "nothing to explain"),
        ({"task": "explain", "textDocument": {"uri": "file:///.env"}}, "secrets"),
        ({"task": "explain", "textDocument": {"uri": "file:///huge.py"}}, "at most"),
        ({"task": "document", "textDocument": {"uri": URI}, "candidates": "x"}, "candidates"),
    ],
)
async def test_bad_parameters_get_a_sentence(
    editor: InProcessEditor, daemon: StubDaemon, params: Json, words: str
) -> None:
    editor.open(CODE)
    editor.open("  \n", "file:///empty.py")
    editor.open("A=1\n", "file:///.env")
    editor.open("x = 1\n" * 20_000, "file:///huge.py")
    assert words in await failure(editor, {"token": "t", **params})
    assert daemon.requests == []


async def test_what_the_model_cannot_do_is_the_daemons_sentence(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    editor.open(CODE)
    message = "The model nano-code cannot chat."
    remedy = "Add one that can: `glm-lsp models add NAME PATH`."
    error = {"code": "unsupported", "message": message, "remedy": remedy}
    daemon.error = (422, {"error": error})
    assert await failure(editor, task("explain")) == f"{message} {remedy}"


async def test_an_edit_is_not_given_for_a_text_that_changed(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    editor.open(CODE)
    daemon.delay_s = 0.05
    number = editor.request("glm/chat", task("document", range=place(4)))
    editor.type(0, 0, "# ")
    assert "changed meanwhile" in (await editor.reply(number))["error"]["message"]


async def test_a_cancel_frees_the_model(editor: InProcessEditor, daemon: StubDaemon) -> None:
    editor.open(CODE)
    daemon.delay_s = 5
    number = editor.request("glm/chat", task("explain"))
    await eventually(lambda: daemon.requests)
    editor.notify("$/cancelRequest", {"id": number})
    assert (await editor.reply(number))["error"]["code"] == -32800


def listed(*capabilities: str) -> Json:
    info = {"capabilities": list(capabilities)}
    return {"data": [{"id": "m", "glm": {"default": True, "info": info}}]}


async def actions(editor: InProcessEditor, **context: Any) -> list[Json]:
    await editor.state("ready")
    params = {"textDocument": {"uri": URI}, "range": place(4), "context": context}
    found: list[Json] = await editor.ask("textDocument/codeAction", {**params})
    return found


@pytest.mark.parametrize(
    ("capabilities", "tasks"),
    [
        ((), []),
        (("infill",), ["document", "comment"]),
        (("infill", "chat"), ["document", "comment", "fix", "explain", "tests", "review"]),
    ],
)
async def test_only_what_the_model_can_do_is_offered(
    editor: InProcessEditor, daemon: StubDaemon, capabilities: tuple[str, ...], tasks: list[str]
) -> None:
    editor.open(CODE)
    daemon.models = listed(*capabilities)
    problem = {"range": place(4), "message": "bad\nname"}
    found = await actions(editor, diagnostics=[problem])
    chats = [a["command"]["arguments"][0] for a in found]
    own = [a["params"]["task"] for a in chats if a["request"] == "glm/chat"]
    assert own == tasks
    assert all(a["command"]["command"] == "glm.server.task" for a in found)
    fixes = [a for a in found if a["kind"] == "quickfix"]
    assert all(a["diagnostics"] == [problem] for a in fixes)


async def test_only_the_wanted_kinds_are_offered(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    editor.open(CODE)
    daemon.models = listed("infill", "chat")
    found = await actions(editor, diagnostics=[], only=["source"])
    assert {action["kind"] for action in found} == {"source"}


async def test_a_client_without_our_plugin_has_the_task_run_and_applied(
    editor: InProcessEditor, daemon: StubDaemon
) -> None:
    editor.open(CODE)
    daemon.models = listed("infill")
    daemon.text = "Sum all items."
    action = next(a for a in await actions(editor, diagnostics=[]) if "doc" in a["title"])
    command = action["command"]
    await editor.ask("workspace/executeCommand", {k: command[k] for k in ("command", "arguments")})
    asked = next(m for m in editor.sent if m.get("method") == "workspace/applyEdit")
    assert '"""Sum all items."""' in str(asked["params"]["edit"])
    reply = await editor.reply(
        editor.request(
            "workspace/executeCommand",
            {"command": "glm.server.task", "arguments": [{"request": "shutdown", "params": {}}]},
        )
    )
    assert "no task" in reply["error"]["message"]
