"""`load_engine` on tiny random models: the answers of the real path, from folder to text."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import silu

from glm_codegen.code_engine import CodeEngine, load_engine
from glm_codegen.models.codegeex import CodeGeeXForCausalLM
from glm_codegen.models.codegeex_config import CodeGeeXConfig
from glm_protocol.answers import FinishReason
from glm_protocol.completion import CompletionMode
from glm_protocol.errors import BadRequest, EngineFailed, ModelUnknown, ModelUnusable
from glm_runtime import glm_model
from glm_runtime.engine import EngineOptions
from tests.codegen.engine_driver import Answer, complete, gather, load, request
from tests.runtime.tiny_models import (
    CONTROL,
    GLM,
    GPT2,
    LLAMA,
    MISTRAL,
    quantized,
    random_weights,
    write_model,
)

BLOCK = CompletionMode.BLOCK


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLM_LSP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GLM_LSP_RUNTIME", str(tmp_path / "run"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("glm"))


def asked(prefix: str = "def f(x):\n    return x", **options: Any) -> Any:
    return request(prefix, "\n\nprint(f(1))\n", **({"mode": BLOCK, "max_tokens": 24} | options))


@pytest.mark.parametrize("config", [GLM, LLAMA, GPT2, MISTRAL], ids=lambda c: c["model_type"])
@pytest.mark.parametrize("control", [CONTROL, ()], ids=["infilling", "left to right"])
def test_typing_gives_a_fresh_engines_answers(
    tmp_path: Path, config: dict[str, Any], control: tuple[str, ...]
) -> None:
    folder = write_model(tmp_path / "m", {**config, "vocab_size": 265}, control=control)
    engine = load(folder)
    for typed in ("", "1", "12", "", " + y", "1"):
        text = "def f(x):\n    return x" + typed
        answer = complete(engine, asked(text))
        assert answer.end is not None
        assert answer.text == complete(load(folder), asked(text)).text


CODEGEEX: dict[str, Any] = {
    "model_type": "codegeex",
    "architectures": ["CodeGeeXForCausalLM"],
    "vocab_size": 265,
    "trained_vocab_size": 257,
    "hidden_size": 32,
    "intermediate_size": 128,
    "num_hidden_layers": 3,  # two and the top query layer
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "bos_token_id": 256,
    "eos_token_id": 256,
}


@pytest.mark.parametrize("bits", [None, 8], ids=["float", "int8"])
def test_codegeex_runs_in_the_engine(tmp_path: Path, bits: int | None) -> None:
    fields = {key: CODEGEEX[key] for key in CODEGEEX if key not in ("model_type", "architectures")}
    torch.manual_seed(0)
    model: Any = CodeGeeXForCausalLM(CodeGeeXConfig(**fields, initializer_range=0.3))
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    weights.pop("lm_head.weight", None)
    config = CODEGEEX
    if bits:
        weights = quantized(weights, bits=bits, group_size=16)
        config = {**CODEGEEX, "glm_quantization": {"bits": bits, "group_size": 16}}
    folder = write_model(tmp_path / "13b", config, weights=weights, control=("<|endoftext|>",))
    engine = load(folder)
    assert engine.info.architecture == "CodeGeeXForCausalLM"
    assert engine.info.prompt_format == "left-to-right"
    assert engine.info.capabilities == ("translate",)
    for typed in ("", "1", ""):
        text = "def f(x):\n    return x" + typed
        assert complete(engine, asked(text)).text == complete(load(folder), asked(text)).text


def test_suffix_first_keeps_all_but_the_end_while_typing(folder: Path) -> None:
    engine = load(folder)
    ends = [complete(engine, asked("a = 1\nb" + typed)).end for typed in ("", " ", " =")]
    counts = [end.tokens for end in ends if end is not None]
    assert counts[0].reused == 0
    for before, after in pairwise(counts):
        assert after.prompt == before.prompt + 1
        # all but the control tokens and the newline after the prefix, and what was typed
        assert after.reused == before.prompt - 3
    assert ends[0] is not None
    assert ends[0].timings_ms.total > 0


def test_what_the_engine_says_of_itself(folder: Path) -> None:
    info = load(folder).info
    assert info.model == folder.name
    assert (info.family, info.architecture) == ("code", "GlmForCausalLM")
    assert (info.device, info.dtype) == ("cpu", "float32")
    assert info.context_length == 1024
    assert info.capabilities == ("infill",)
    assert info.prompt_format == "codegeex4"
    assert info.memory_bytes > 4 * 265 * 32


def test_the_trained_length_bounds_prompts(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", {**GLM, "glm_trained_length": 200})
    engine = load(folder)
    assert engine.info.context_length == 200
    answer = complete(engine, asked("x" * 5000))
    assert answer.end is not None
    assert answer.end.tokens.prompt <= 200 - 24


def test_seeds(folder: Path) -> None:
    engine = load(folder)

    def text(**options: Any) -> str:
        return complete(engine, asked(temperature=1.5, **options)).text

    assert text(seed=5) == text(seed=5)
    assert text(seed=5) == complete(load(folder), asked(temperature=1.5, seed=5)).text
    assert len({text(seed=seed) for seed in range(6)}) > 1


def test_a_bfloat16_model_answers(folder: Path) -> None:
    engine = load(folder, dtype="bfloat16")
    assert engine.info.dtype == "bfloat16"
    assert complete(engine, asked()).end is not None


@pytest.mark.parametrize("bits", [8, 4])
def test_a_quantised_model_answers(tmp_path: Path, bits: int) -> None:
    config = {**GLM, "glm_quantization": {"bits": bits, "group_size": 16}}
    stored = quantized(random_weights(GLM), bits, 16)
    answer = complete(load(write_model(tmp_path / "m", config, weights=stored)), asked())
    assert answer.end is not None
    assert answer.end.tokens.generated > 0


def test_after_running_out_of_memory_it_answers_like_a_fresh_engine(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load(folder)
    complete(engine, asked())
    calls = iter(range(100))

    def runs_out(x: torch.Tensor) -> torch.Tensor:
        if next(calls) == 3:  # in the second layer of the second chunk
            raise MemoryError
        return silu(x)

    monkeypatch.setattr(glm_model, "silu", runs_out)
    failed = complete(engine, asked("import os\n" * 30))
    assert isinstance(failed.error, EngineFailed)
    monkeypatch.setattr(glm_model, "silu", silu)
    again = complete(engine, asked())
    assert again.end is not None
    assert again.end.tokens.reused == 0
    assert again.text == complete(load(folder), asked()).text


def test_a_cancelled_one_leaves_a_right_cache(folder: Path) -> None:
    engine = load(folder)
    long = asked("import os\n" * 60, id="long")
    engine.submit(long)
    gather(engine, {}, steps=2)
    engine.cancel("long")
    other = asked("import os\n" * 40 + "import sys\n")
    assert complete(engine, other).text == complete(load(folder), other).text
    answers: dict[str, Answer] = {}
    engine.submit(long)
    gather(engine, answers)
    assert answers["long"].text == complete(load(folder), long).text


def test_a_registered_name(tmp_path: Path, folder: Path) -> None:
    from glm_protocol.folders import user_folders
    from glm_runtime.model_registry import ModelRegistry

    ModelRegistry(user_folders().registry).add("mine", str(folder))
    assert load_engine(EngineOptions(model="mine", threads=1)).info.model == "mine"


def test_names_devices_and_dtypes_that_are_not_there(folder: Path) -> None:
    with pytest.raises(ModelUnknown):
        load(Path("unknown"))
    with pytest.raises(ModelUnusable, match="not on this machine"):
        load_engine(EngineOptions(model="nobody/nothing-at-all"))
    with pytest.raises(BadRequest, match="npu"):
        load(folder, device="npu")
    with pytest.raises(BadRequest, match="int3"):
        load(folder, dtype="int3")


@pytest.mark.parametrize("content", [None, "", "{", "{}", "[]", '{"model": {"type": "BPE"}}'])
def test_tokenizers_that_cannot_be_read(tmp_path: Path, content: str | None) -> None:
    folder = write_model(tmp_path / "m")
    (folder / "tokenizer.json").unlink()
    if content is not None:
        (folder / "tokenizer.json").write_text(content)
    with pytest.raises(ModelUnusable, match=r"tokenizer\.json"):
        load(folder)


def test_a_tokenizer_with_more_tokens_than_the_model(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", {**GLM, "vocab_size": 260})
    with pytest.raises(ModelUnusable, match="the tokenizer has 265 tokens"):
        load(folder)


def test_files_beside_the_weights_are_never_run(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    canary = tmp_path / "canary"
    code = f"open({str(canary)!r}, 'w')\n"
    for name in ("modeling_glm.py", "configuration_glm.py", "tokenization.py", "__init__.py"):
        (folder / name).write_text(code)
    remote = {"tokenizer_class": "T", "auto_map": {"AutoTokenizer": ["tokenization.T", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(remote))
    (folder / "generation_config.json").write_text(json.dumps({"custom_generate": "evil"}))
    assert complete(load(folder), asked()).end is not None
    assert not canary.exists()


def test_nothing_connects_anywhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert complete(load(folder), asked()).end is not None


def test_the_threads_asked_for(folder: Path) -> None:
    load(folder, threads=2)
    assert torch.get_num_threads() == 2
    engine = load(folder, threads=None)
    complete(engine, asked())
    assert 1 <= torch.get_num_threads() <= (os.cpu_count() or 1)


def test_a_loaded_engine_is_idle_and_empty(folder: Path) -> None:
    engine: CodeEngine = load(folder)
    assert not engine.busy
    assert engine.step() == []
    answer = complete(engine, asked())
    assert answer.end is not None
    assert answer.end.tokens.reused == 0
    assert answer.end.finish in (FinishReason.STOP, FinishReason.LENGTH)


def test_a_glm_model_starts_without_transformers(folder: Path) -> None:
    """Importing transformers takes longer than the rest of a cold start."""
    code = (
        "import sys\n"
        "from glm_codegen.code_engine import load_engine\n"
        "from glm_runtime.engine import EngineOptions\n"
        f"load_engine(EngineOptions(model={str(folder)!r}, device='cpu', threads=1))\n"
        "print(*sorted({'transformers', 'sympy', 'huggingface_hub'} & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == ""
