"""The real process over real pipes: hostile streams, exit codes, what it imports, how fast (e2e).

No daemon is needed here; `GLM_LSP_RUNTIME` points to an empty folder and completions are off.
"""

from __future__ import annotations

import json
import os
import re
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from glm_protocol.folders import Folders
from tests.support.raw_lsp_client import SERVER, RawLspClient, at

pytestmark = pytest.mark.e2e

OFF = {"enable": False}
CALL = "from glm_lsp.server import run_stdio; sys.exit(run_stdio())"


@pytest.fixture
def client(folders: Folders) -> Iterator[RawLspClient]:
    with RawLspClient(settings=OFF) as made:
        yield made


HOSTILE = {
    "a terabyte": b"Content-Length: 1000000000000\r\n\r\n",
    "10^30": b"Content-Length: 1" + b"0" * 30 + b"\r\n\r\n",
    "5000 digits": b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "negative": b"Content-Length: -5\r\n\r\n{}",
    "no colon": b"nonsense\r\n\r\n",
    "http": b"GET / HTTP/1.1\r\nHost: evil\r\n\r\n",
    "two lengths": b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}",
    "charset": b"Content-Length: 2\r\nContent-Type: a; charset=latin-1\r\n\r\n{}",
    "endless line": b"x" * 200_000,
    "many headers": b"X-A: b\r\n" * 10_000,
    "binary": bytes(range(256)) * 100,
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_stream_that_is_not_lsp_ends_the_process_with_a_message(
    client: RawLspClient, name: str
) -> None:
    client.initialize()
    client.send_bytes(HOSTILE[name])
    assert client.wait_end() == 1
    assert "not LSP" in client.log()
    assert len(client.all_notified("window/showMessage")) == 1
    assert "Traceback" not in client.log()
    client.check_one_reply_per_id()


def test_headers_in_other_people_s_spelling(client: RawLspClient) -> None:
    client.initialize()
    for number, head in enumerate(
        (b"content-length:%d\n\n", b"CONTENT-LENGTH : %d\r\n\r\n", b"A:b\nContent-Length:%d\r\n\n")
    ):
        body = b'{"jsonrpc":"2.0","id":"s%d","method":"glm/status"}' % number
        client.sent_ids.append(f"s{number}")
        client.send_bytes(head % len(body) + body)
        assert "result" in client.reply(f"s{number}")
    assert client.stop() == 0
    client.check_one_reply_per_id()


BODIES = [
    b"", b"nonsense", b"\xff\xfe", b"[" * 100_000, b"{" * 100_000, b"1", b"null", b"[]", b"{}",
    b'{"jsonrpc":"2.0","id":1e999,"method":"a"}', b'{"jsonrpc":"2.0","method":5}',
    b'{"a":' * 1000 + b"1" + b"}" * 1000, b"[" + b"0," * 600_000 + b"0]", b'"' * 100_000,
]  # fmt: skip


def test_bodies_that_are_no_messages_are_answered_and_survived(client: RawLspClient) -> None:
    client.initialize()
    for body in BODIES:
        client.send_body(body)
    assert client.ask("glm/status")["state"] == "idle"
    errors = [h.message["error"]["code"] for h in client.heard if h.message.get("id", 0) is None]
    assert set(errors) == {-32700, -32600}
    assert len(errors) == len(BODIES)
    assert psutil.Process(client.process.pid).memory_info().rss < 300 * 2**20
    assert client.stop() == 0
    client.check_one_reply_per_id()


@pytest.mark.parametrize("cut", [b"Content-Length: 100\r\n\r\n{", b"Content-Le", b""])
def test_the_end_of_the_stream_ends_the_process(client: RawLspClient, cut: bytes) -> None:
    client.initialize()
    client.send_bytes(cut)
    assert client.process.stdin is not None
    client.process.stdin.close()
    assert client.wait_end() == 1


def test_shutdown_and_exit_give_0_and_exit_alone_1(folders: Folders) -> None:
    with RawLspClient(settings=OFF) as client:
        client.initialize()
        client.ask("shutdown")
        assert "error" in client.reply(client.request("glm/status"))
        assert client.process.stdin is not None
        client.process.stdin.close()  # the end of the stream after shutdown is an exit too
        assert client.wait_end() == 0
    with RawLspClient(settings=OFF) as client:
        client.initialize()
        client.notify("exit")
        assert client.wait_end() == 1
    with RawLspClient() as client:
        client.notify("exit")
        assert client.wait_end() == 1


def test_a_closed_stdout_ends_the_process(folders: Folders) -> None:
    read_end, write_end = os.pipe()
    with subprocess.Popen(
        SERVER, stdin=subprocess.PIPE, stdout=write_end, stderr=subprocess.DEVNULL
    ) as process:
        os.close(write_end)
        os.close(read_end)
        assert process.stdin is not None
        body = b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}'
        process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        process.stdin.flush()
        assert process.wait(5) == 1


def test_a_print_inside_the_server_does_not_reach_the_stream(folders: Folders) -> None:
    program = (
        "import os, sys, subprocess\n"
        "import glm_lsp.features.status as status\n"
        "original = status.StatusLine.to_wire\n"
        "def noisy(self):\n"
        "    print('a banner on stdout'); os.write(1, b'raw bytes')\n"
        "    subprocess.run(['echo', 'from a child'])\n"
        "    return original(self)\n"
        "status.StatusLine.to_wire = noisy\n" + CALL
    )
    with RawLspClient([sys.executable, "-P", "-c", program], settings=OFF) as client:
        client.initialize()
        for _ in range(3):
            client.ask("glm/status")
        assert client.stop() == 0
        client.check_one_reply_per_id()
        assert "a banner on stdout" in client.log()
        assert "from a child" in client.log()


def test_a_closed_stderr_is_nobody_s_trouble(folders: Folders) -> None:
    program = "import os, sys; os.close(2); " + CALL
    with RawLspClient([sys.executable, "-P", "-c", program], settings=OFF) as client:
        client.initialize()
        client.notify("textDocument/didChange", {"textDocument": {"uri": "x"}})
        client.ask("glm/status")
        assert client.stop() == 0


def test_nothing_heavy_is_imported(folders: Folders) -> None:
    """By the whole of `glm_lsp`, httpx included: no torch, no pydantic, no numpy."""
    program = (
        "import importlib, pkgutil, sys, glm_lsp, httpx\n"
        "for found in pkgutil.walk_packages(glm_lsp.__path__, 'glm_lsp.'):\n"
        "    if '.cli' not in found.name: importlib.import_module(found.name)\n"
        "print(*(name for name in sys.modules if '.' not in name))"
    )
    run = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(run.stdout.split())
    heavy = {"torch", "transformers", "numpy", "pydantic", "fastapi", "safetensors", "glm_daemon"}
    assert not loaded & heavy
    quick = "import sys, glm_lsp.server; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-P", "-c", quick], capture_output=True, text=True, check=True
    )
    assert not {"httpx", "anyio", "importlib.metadata", "lsprotocol"} & set(run.stdout.split())


def test_initialize_is_answered_within_400_ms_of_computing(folders: Folders) -> None:
    """Of the processor's time, so that a busy machine changes nothing; bench/ takes the clock."""
    times = []
    for _ in range(5):
        with RawLspClient(settings=OFF) as client:
            client.ask("initialize", {"capabilities": {}}, timeout=30)
            used = psutil.Process(client.process.pid).cpu_times()
            times.append(used.user + used.system)
    assert statistics.median(times) < 0.4, times


def test_a_folder_named_like_a_package_of_ours_is_not_imported(
    folders: Folders, tmp_path: Path
) -> None:
    for name in ("glm_lsp", "json", "httpx", "codegen", "sitecustomize", "usercustomize"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the workspace')")
    program = [sys.executable, "-P", "-c", "import os, sys; os.chdir(sys.argv[1]); " + CALL]
    with RawLspClient([*program, str(tmp_path)], settings=OFF) as client:
        client.initialize(rootUri=tmp_path.as_uri())
        assert client.stop() == 0


def test_over_tcp(folders: Folders) -> None:
    with subprocess.Popen(
        [*SERVER, "--tcp", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        found = re.search(r"127\.0\.0\.1:(\d+)", process.stderr.readline())
        assert found is not None
        with socket.create_connection(("127.0.0.1", int(found[1])), timeout=5) as connection:
            for body in (
                {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}},
                {"jsonrpc": "2.0", "id": 2, "method": "shutdown"},
                {"jsonrpc": "2.0", "method": "exit"},
            ):
                text = json.dumps(body).encode()
                connection.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(text), text))
            heard = b""
            while data := connection.recv(65536):
                heard += data
        assert heard.count(b'"id":') == 2
        assert process.wait(5) == 0


def test_an_editor_that_reads_nothing_does_not_block_the_server(folders: Folders) -> None:
    """Its edits are still taken; what it asked comes when it reads again."""
    with RawLspClient(settings=OFF, answer_requests=False) as client:
        client.initialize()
        with client._news:  # the reading thread stops at the next message
            for _ in range(3000):
                client.request("glm/status")
            client.open("file:///a.py", "x = ")
        assert client.reply(client.sent_ids[-1], 10)["result"] is not None
        assert client.stop() == 0
        client.check_one_reply_per_id()


def test_ten_thousand_edits_and_a_thousand_requests_in_a_burst(client: RawLspClient) -> None:
    client.initialize()
    client.open("file:///a.py", "")
    for number in range(10_000):
        place = {"line": 0, "character": number % 100}
        change = {"range": {"start": place, "end": place}, "text": "z"}
        client.change("file:///a.py", number + 2, change)
        if number % 10 == 0:
            client.request("textDocument/inlineCompletion", at("file:///a.py", 0, 0))
    client.ask("glm/status", timeout=60)
    used = psutil.Process(client.process.pid).cpu_times()
    assert used.user + used.system < 5
    assert psutil.Process(client.process.pid).memory_info().rss < 120 * 2**20
    assert client.stop() == 0
    client.check_one_reply_per_id()
