"""`glm-lsp context`: the contract's object, what is withheld, which folder is the workspace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from glm_context.gathered import Gathered
from glm_lsp.cli import context
from glm_lsp.cli.workspace_root import workspace_root
from glm_protocol.answers import End, FinishReason, TokenCounts
from glm_protocol.completion import FOR_MEMORY, CodeContext, Snippet
from glm_protocol.errors import BadRequest


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GLM_LSP_HOME", str(tmp_path / "home"))
    root = tmp_path / "root"
    (root / ".git").mkdir(parents=True)
    (root / "basket.py").write_text("class Basket:\n    def total_price(self):\n        pass\n")
    (root / "mail.py").write_text(
        'def send_invoice(basket):\n    connect(password="tulip-4711")\n    return basket\n'
    )
    (root / "till.py").write_text(
        "from basket import Basket\nfrom mail import send_invoice\n\n"
        'token = "ghp_' + "a1B2" * 9 + '"\nsend_invoice(Basket().total_price())\n'
    )
    return root


def report(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, object]:
    assert context.run([*args, "--json", "--no-tokens"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_the_object_has_every_piece_with_its_source(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report(capsys, str(root / "till.py"), "--line", "5", "--column", "14")
    assert set(found) == {
        *("path", "language", "model", "pieces", "prompt_tokens", "other_tokens", "withheld"),
        "timings_ms",
    }
    pieces: list[dict[str, object]] = found["pieces"]  # type: ignore[assignment]
    assert all(
        set(piece) == {"source", "id", "path", "score", "tokens", "text"} for piece in pieces
    )
    by_path = {piece["path"]: piece for piece in pieces if piece["source"] != FOR_MEMORY}
    assert by_path["basket.py"]["source"] == "import"
    assert [piece["source"] for piece in pieces[-2:]] == ["suffix", "prefix"]
    assert str(pieces[-1]["text"]).endswith("send_invoice(")


def test_secrets_are_withheld_and_said_to_be(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report(capsys, str(root / "till.py"), "--line", "5", "--column", "14")
    assert "a1B2a1B2" not in str(found)
    assert "tulip-4711" not in str(found)
    assert {"where": "prefix", "kinds": ["github-token"]} in found["withheld"]  # type: ignore[operator]
    assert {"where": "mail.py", "kinds": ["indexed-secret"]} in found["withheld"]  # type: ignore[operator]


def test_people_get_a_table(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    context.run([str(root / "till.py"), "--line", "5", "--column", "14", "--no-tokens"])
    text = capsys.readouterr().out
    assert "import " in text
    assert "withheld in mail.py" in text


def test_a_file_of_secrets_is_refused(root: Path) -> None:
    (root / ".env.local").write_text("A=1\n")
    with pytest.raises(BadRequest, match="secrets"):
        context.run([str(root / ".env.local"), "--line", "1", "--column", "1", "--no-tokens"])


def test_costs_come_from_the_engines_report() -> None:
    snippets = (Snippet(id="s1", path="a.py", text="x"), Snippet(id="s2", path="b.py", text="y"))
    asked = CodeContext(path="c.py", language="python", prefix="p", suffix="s", snippets=snippets)
    pieces = [
        {"source": "control", "tokens": 3},
        {"source": "s1", "tokens": 7},
        {"source": "header", "tokens": 2},
        {"source": "control", "tokens": 1},
        {"source": "prefix", "tokens": 9},
    ]
    end = End(
        finish=FinishReason.STOP,
        model="m",
        tokens=TokenCounts(prompt=22),
        report={"pieces": pieces},
    )
    found = context.as_json(asked, Gathered(snippets=snippets), {}, end)
    assert [piece["tokens"] for piece in found["pieces"]] == [7, 0, 0, 9]
    assert (found["prompt_tokens"], found["other_tokens"]) == (22, 6)
    assert context.as_json(asked, Gathered(), {}, None)["pieces"][0]["tokens"] is None


def test_the_workspace_is_the_nearest_folder_with_version_control(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "deep" / "er").mkdir(parents=True)
    assert workspace_root(root / "deep" / "er" / "x.py") == root.resolve()
    assert workspace_root(tmp_path / "x.py") is None
    monkeypatch.setenv("HOME", str(root))  # a home folder is no workspace
    assert workspace_root(root / "deep" / "x.py") is None
