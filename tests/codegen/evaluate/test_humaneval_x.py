"""HumanEval-X on tiny problems of our own: reading, judging in the sandbox, asking, counting."""

from __future__ import annotations

import gzip
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from glm_codegen.evaluate import humaneval_x_command, humaneval_x_programs
from glm_codegen.evaluate.humaneval_x_problems import language_of, read_problems, read_samples
from glm_codegen.evaluate.humaneval_x_programs import Verdict, judge, program_of
from glm_codegen.evaluate.humaneval_x_run import Sampling, closed, generate, translate
from glm_codegen.evaluate.pass_at_k import mean_pass_at_k, pass_at_k
from glm_codegen.evaluate.sandbox import (
    Bounds,
    SandboxKind,
    describe,
    run_in_sandbox,
    sandbox_kind,
)
from glm_lsp.cli.main import dispatch
from glm_protocol.completion import CompletionRequest
from glm_protocol.errors import BadRequest
from glm_protocol.requests import AnyRequest
from glm_protocol.translation import TranslationRequest

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
HEAD = "from typing import List\n\n\ndef double_all(xs: List[int]) -> List[int]:\n"
JS_TEST = "console.assert(JSON.stringify(doubleAll([1])) === '[2]')"
PYTHON = [
    {
        "task_id": "Python/0",
        "prompt": f'{HEAD}    """Double."""\n',
        "declaration": HEAD,
        "canonical_solution": "    return [2 * x for x in xs]\n",
        "test": "def check(f):\n    assert f([1, 2]) == [2, 4]\n\ncheck(double_all)\n",
        "example_test": "",
    },
    {
        "task_id": "Python/1",
        "prompt": 'def is_even(x):\n    """Even?"""\n',
        "declaration": "def is_even(x):\n",
        "canonical_solution": "    return x % 2 == 0\n",
        "test": "def check(f):\n    assert f(2) and not f(3)\n\ncheck(is_even)\n",
        "example_test": "",
    },
]
JAVASCRIPT = [
    {
        "task_id": "JavaScript/0",
        "prompt": "/* Double. */\nconst doubleAll = (xs) => {\n",
        "declaration": "\nconst doubleAll = (xs) => {\n",
        "canonical_solution": "  return xs.map(x => 2 * x);\n}\n",
        "test": f"const test = () => {{\n  {JS_TEST}\n}}\n\ntest()\n",
        "example_test": "",
    }
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with gzip.open(tmp_path / "humaneval_python.jsonl.gz", "wt") as stream:
        stream.writelines(json.dumps(line) + "\n" for line in PYTHON)
    (tmp_path / "humaneval_js.jsonl").write_text("\n".join(map(json.dumps, JAVASCRIPT)))
    return tmp_path


def test_files_are_found_and_read(folder: Path) -> None:
    problems = read_problems(folder, "python")
    assert [problem.number for problem in problems] == ["0", "1"]
    assert problems[0].entry("python") == "double_all"
    assert read_problems(folder, language_of("js"))[0].entry("javascript") == "doubleAll"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read"),
        ("[1]", "cannot be read"),
        ('{"task_id": "Python/0"}', "line 1.*'prompt'"),
        ('{"task_id": "Java/0", "prompt": "", "test": ""}', "no problem in python"),
        ('{"task_id": "Python/0", "prompt": 1, "test": ""}', "no text"),
        ("", "holds no problem"),
    ],
)
def test_unsound_files_are_named(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "humaneval_python.jsonl"
    file.write_text(content)
    with pytest.raises(BadRequest, match=words):
        read_problems(tmp_path, "python")


def test_a_torn_archive_and_a_missing_language_are_named(folder: Path) -> None:
    file = folder / "humaneval_python.jsonl.gz"
    file.write_bytes(file.read_bytes()[:-12])
    with pytest.raises(BadRequest, match="cannot be read"):
        read_problems(folder, "python")
    with pytest.raises(BadRequest, match="no humaneval_go"):
        read_problems(folder, "go")
    with pytest.raises(BadRequest, match="no language"):
        language_of("klingon")


@pytest.mark.parametrize(
    ("generation", "verdict"),
    [
        ("    return [2 * x for x in xs]\n", Verdict.PASSED),
        ("    return xs\n", Verdict.FAILED),
        ("    return [2 *\n", Verdict.COMPILE_ERROR),
        ("    while True: pass\n", Verdict.TIMEOUT),
    ],
)
def test_python_verdicts(
    folder: Path, generation: str, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(humaneval_x_programs, "RUN_S", 1.0 if verdict is Verdict.TIMEOUT else 30.0)
    problem = read_problems(folder, "python")[0]
    assert judge(program_of(problem, generation, "python"), "python")[0] is verdict


@needs_node
@pytest.mark.parametrize(
    ("generation", "verdict"),
    [
        ("  return xs.map(x => 2 * x);\n}\n", Verdict.PASSED),
        ("  return xs;\n}\n", Verdict.FAILED),  # console.assert leaves the exit code at 0
        ("  return xs.map(", Verdict.COMPILE_ERROR),
    ],
)
def test_javascript_verdicts(folder: Path, generation: str, verdict: Verdict) -> None:
    problem = read_problems(folder, "javascript")[0]
    assert judge(program_of(problem, generation, "javascript"), "javascript")[0] is verdict


@pytest.mark.skipif(sandbox_kind() is SandboxKind.LIMITS, reason="no namespaces here")
def test_the_sandbox_has_no_network_no_home_and_one_writable_folder(tmp_path: Path) -> None:
    probe = (
        "import os, socket\n"
        "def tried(work):\n"
        "    try:\n        work()\n    except OSError:\n        return 'refused'\n"
        "    return 'done'\n"
        "print(tried(lambda: socket.create_connection(('192.0.2.1', 80), 1)),\n"
        "      tried(lambda: open(os.path.join(os.pardir, 'x'), 'w')),\n"
        "      tried(lambda: open('x', 'w')), os.environ.get('GLM_SECRET'))\n"
    )
    inner = tmp_path / "inner"
    inner.mkdir()
    ran = run_in_sandbox(("python3", "-c", probe), inner, Bounds(seconds=20))
    assert ran.output.split() == ["refused", "refused", "done", "None"], ran
    assert "no network" in describe(sandbox_kind())


def test_limits_alone_say_so_and_still_end_what_runs_on(tmp_path: Path) -> None:
    assert "could reach the network" in describe(SandboxKind.LIMITS)
    command = ("sh", "-c", "sleep 60 & sleep 60")
    ran = run_in_sandbox(command, tmp_path, Bounds(seconds=0.3), kind=SandboxKind.LIMITS)
    assert ran.status is None
    much = ("python3", "-c", "x = bytearray(4_000_000_000)")
    bounds = Bounds(seconds=20, memory_bytes=2 << 30)
    assert run_in_sandbox(much, tmp_path, bounds, kind=SandboxKind.LIMITS).status == 1


def test_pass_at_k_is_the_share_of_drawn_sets_with_a_pass() -> None:
    for n, c, k in ((5, 2, 1), (6, 1, 3), (4, 4, 2), (5, 0, 5)):
        sets = list(itertools.combinations(range(n), k))
        expected = sum(any(i < c for i in drawn) for drawn in sets) / len(sets)
        assert pass_at_k(n, c, k) == pytest.approx(expected)
    assert mean_pass_at_k([(10, 0), (20, 20)]) == {1: 0.5, 10: 0.5}
    with pytest.raises(ValueError):
        pass_at_k(3, 1, 4)


async def test_generation_asks_for_the_body_and_counts(folder: Path) -> None:
    problems = read_problems(folder, "python")
    asked: list[Any] = []

    async def ask(request: AnyRequest) -> str:
        asked.append(request)
        return "    return [2 * x for x in xs]" if len(asked) % 2 else "    return 1"

    sampling = Sampling(samples=2, temperature=0.2, model="m")
    report = (await generate(problems, "python", sampling, ask, lambda _: None)).report("python")
    assert report["pass_at_k"] == {"1": 0.25}
    assert report["verdicts"] == {"failed": 3, "passed": 1}
    assert report["passed"] == ["Python/0"]
    first = asked[0]
    assert isinstance(first, CompletionRequest)
    assert (first.context.prefix, first.context.suffix) == (problems[0].prompt, "")
    assert (first.model, first.temperature, first.memory) == ("m", 0.2, False)
    assert [request.seed for request in asked] == [0, 1, 0, 1]


async def test_a_translation_is_judged_with_the_targets_tests(folder: Path) -> None:
    sources = {p.number: p for p in read_problems(folder, "javascript")}
    targets = read_problems(folder, "python")
    asked: list[Any] = []

    async def ask(request: AnyRequest) -> str:
        asked.append(request)
        return "def double_all(xs: List[int]):\n    return [x + x for x in xs]\n"

    pair = ("javascript", "python")
    tally = await translate(sources, targets, pair, Sampling(), ask, lambda _: None)
    assert tally.report("python")["pass_at_k"] == {"1": 1.0}
    (request,) = asked  # the second problem has no source
    assert isinstance(request, TranslationRequest)
    assert (request.source, request.target) == pair
    assert request.names == ("doubleAll = double_all",)
    assert request.code.startswith("const doubleAll")
    assert "map" in request.code


def test_brackets_of_the_prompt_are_closed() -> None:
    assert closed("f() { // {\n", "  g('{');\n", "javascript") == "  g('{');\n\n}"
    assert closed("f() {\n", "  return {};\n}\n", "javascript") == "  return {};\n}\n"
    assert closed("def f():\n", "    {\n", "python") == "    {\n"


def test_the_command_judges_saved_generations_and_names_missing_compilers(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        {"task_id": "Python/0", "generation": PYTHON[0]["canonical_solution"]},
        {"task_id": "Python/1", "generation": "    return True\n"},
    ]
    file = folder / "samples.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    arguments = ["humaneval-x", str(folder), "--judge", str(file), "--json"]
    assert dispatch(["eval", *arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["languages"][0]["pass_at_k"] == {"1": 0.5}
    assert report["sandbox"] == sandbox_kind().value
    monkeypatch.setattr(humaneval_x_command, "missing_tools", lambda language: ("magic",))
    assert dispatch(["eval", *arguments]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["not_run"] == [{"language": "python", "missing": ["magic"]}]
    assert read_samples(file) == {
        "Python/0": [lines[0]["generation"]],
        "Python/1": [lines[1]["generation"]],
    }


def test_all_languages_that_have_a_file_are_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "none.jsonl"
    file.write_text("")
    arguments = ["humaneval-x", str(folder), "--target", "all", "--judge", str(file), "--json"]
    assert dispatch(["eval", *arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    not_run = {left["language"]: left["missing"] for left in report["not_run"]}
    assert not_run["rust"] == ["its file"]
    assert "python" in [found["language"] for found in report["languages"]]


def test_wrong_usage_gets_a_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["eval", "humaneval-x", str(folder), "--task", "translate"]) == 1
    assert "--source and --target" in capsys.readouterr().err
    assert dispatch(["eval", "humaneval-x", str(folder), "--samples", "0"]) == 1
    assert dispatch(["eval", "nothing"]) == 2
    with pytest.raises(SystemExit):
        dispatch(["eval", "--help"])
    assert "humaneval-x" in capsys.readouterr().out
