"""Secrets are found where they are, and ordinary code is left alone; 200 planted, none leaks."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import zlib
from pathlib import Path

import pytest

from glm_context.context_worker import ContextWorker
from glm_context.gathered import CursorSite, RecentPlace
from glm_context.secret_files import is_secret_file
from glm_context.secret_rules import WITHHELD, findings, redact
from glm_context.workspace_context import WorkspaceContext
from glm_protocol.languages import language_id
from tests.context.planted_secrets import PLACES, ROUNDS, Plot, leaked, private_key, secret


@pytest.mark.parametrize(
    "line",
    [
        "password = getpass()",
        'password = os.environ["PASSWORD"]',
        'def login(password: str, token: str = "") -> None:',
        '<input type="password" name="password">',
        'TOKEN_TYPES = ("name", "value")',
        "token = self.next_token()",
        'raise ValueError("password must have 8 characters")',
        "password: ${DB_PASSWORD}",
        'PASSWORD_FIELD = "password_hash"',
        'SECRET_NAME = "my-secret-name"',
        'secret_key = "<your-secret-here>"',
        'const tokenizer = "gpt2-medium-v2"',
        'sha = "da39a3ee5e6b4b0d3255bfef95601890afd80709"',
        'url = "http://localhost:8080/path@version"',
        'url = f"postgres://{user}:{password}@{host}"',
        "if token.kind == TokenKind.NUMBER:",
        'parser.add_argument("--password-file", help="file with the password")',
        "self.assertEqual(tokens[0], 'identifier')",
    ],
)
def test_ordinary_code_is_left_alone(line: str) -> None:
    assert redact(line, "python") == (line, ())


@pytest.mark.parametrize(("file", "line", "kind"), PLACES)
def test_a_secret_is_taken_out_of_its_line(file: str, line: str, kind: str) -> None:
    rng = random.Random(f"{file} {line}")
    for _ in range(20):
        made = secret(rng, kind)
        clean, kinds = redact(f"x = 1\n{line.format(made)}\ny = 2\n", language_id(file))
        assert made not in clean
        assert kinds
        assert WITHHELD in clean
        assert clean.startswith("x = 1\n")
        assert clean.endswith("y = 2\n")


def test_a_private_key_goes_whole_even_when_it_is_cut_off() -> None:
    pem, lines = private_key(random.Random(1))
    clean, kinds = redact(f"a\n{pem}\nb", "plaintext")
    assert (clean, kinds) == (f"a\n{WITHHELD}\nb", ("private-key",))
    assert not any(line in redact(pem[:200])[0] for line in lines)


def test_an_open_quote_at_the_cursor_counts_as_a_value() -> None:
    assert redact('password = "hunt3r-2', "python")[0] == f'password = "{WITHHELD}'


def test_the_standard_library_has_hardly_any_false_alarm() -> None:
    """At most one a thousand lines; these modules speak of passwords and tokens all the time."""
    import getpass
    import netrc
    import tokenize
    import urllib.request

    texts = [Path(str(m.__file__)).read_text() for m in (getpass, netrc, tokenize, urllib.request)]
    lines = sum(text.count("\n") for text in texts)
    assert sum(len(findings(text, "python")) for text in texts) <= lines / 1000


@pytest.mark.parametrize(
    "unit",
    ["sk-", "password", "eyJ.", "-----BEGIN PRIVATE KEY", "a.", "://:", "token='", "xox", "="],
)
def test_hostile_text_is_scanned_to_its_end(unit: str) -> None:
    """A rule that is quadratic would take hours over this, not moments."""
    text = unit * (150_000 // len(unit))
    for found in findings(text, "plaintext"):
        assert 0 <= found.start < found.end <= len(text)


@pytest.mark.parametrize(
    "path",
    [
        *(".env", "a/.env.local", "prod.env", "key.pem", "x/id_rsa", ".ssh/config", ".npmrc"),
        *("terraform.tfvars", "a/.aws/credentials", "secrets.yaml", ".git/config", "x.KEY"),
    ],
)
def test_files_of_secrets_are_known_by_name(path: str) -> None:
    assert is_secret_file(path)


@pytest.mark.parametrize("path", ["environment.py", "keys.py", "id_rsa.pub", "src/env/main.ts"])
def test_other_files_are_not(path: str) -> None:
    assert not is_secret_file(path)


@pytest.fixture(scope="module")
def plot(tmp_path_factory: pytest.TempPathFactory) -> Plot:
    root = tmp_path_factory.mktemp("plot")
    return Plot(root)


def test_of_200_planted_secrets_none_is_in_index_or_snippets(plot: Plot, tmp_path: Path) -> None:
    assert len(plot.secrets) >= 200
    with WorkspaceContext(plot.root, home=tmp_path) as workspace:
        progress = workspace.build()
        assert progress is not None
        assert progress.withheld >= ROUNDS * (len(PLACES) - 1)  # XML is not indexed
        said: list[str] = []
        for file, line, _ in PLACES:
            # The open buffer and another one hold secrets as well.
            text = (plot.root / "m1" / file).read_text() + "\nshared_helper_function("
            site = CursorSite(
                path=f"m1/{file}", language=language_id(file), text=text, offset=len(text)
            )
            other = (plot.root / "m2" / file).read_text()
            place = RecentPlace(path=f"m2/{file}", language=language_id(file), text=other)
            gathered = workspace.gather(site, recent=[place])
            assert gathered.snippets
            said += [json.dumps([s.text, s.path, s.id]) for s in gathered.snippets]
            said.append(str(gathered.withheld))
            assert any(w.path == f"m2/{file}" for w in gathered.withheld), line
        assert leaked("\n".join(said), plot) == []
    database = next(tmp_path.rglob("index.sqlite"))
    db = sqlite3.connect(database)
    stored = [zlib.decompress(text).decode() for (text,) in db.execute("SELECT text FROM chunks")]
    stored += [str(row) for row in db.execute("SELECT * FROM symbols")]
    stored += [str(row) for row in db.execute("SELECT term FROM vocabulary")]
    stored += [path for (path,) in db.execute("SELECT path FROM files")]
    db.close()
    assert "shared_helper_function" in "".join(stored)  # the test looks at the right place
    assert leaked("\n".join(stored), plot) == []
    raw = b"".join(f.read_bytes() for f in tmp_path.rglob("*") if f.is_file())
    assert leaked(raw.decode("latin-1"), plot) == []
    paths = {p for p in stored if p.endswith((".env", ".pem", ".local.py", "id_rsa"))}
    assert not paths
    assert not [p for p in stored if p.startswith(("private/", "generated/"))]


async def test_nor_in_anything_the_worker_says(plot: Plot, tmp_path: Path) -> None:
    heard: list[object] = []
    worker = ContextWorker(plot.root, tmp_path, on_progress=heard.append)
    try:
        await worker.start()
        async with asyncio.timeout(60):
            while not ((await worker.status()) or {}).get("whole"):
                await asyncio.sleep(0.05)
        text = "shared_helper_function("
        site = CursorSite(path="new.py", language="python", text=text, offset=len(text))
        answer = await worker.gather(site)
    finally:
        await worker.aclose()
    assert answer is not None
    assert answer[0].snippets
    assert leaked(f"{heard} {answer}", plot) == []
