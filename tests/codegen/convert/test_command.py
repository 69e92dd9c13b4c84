"""`models convert` from its arguments to a folder that loads, tokenizer and all."""

from __future__ import annotations

import base64
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

import glm_codegen  # noqa: F401 (announces CodeGeeX to the Auto classes)
from glm_codegen.convert.command import run
from glm_codegen.convert.progress import Progress, sized, timed
from glm_codegen.prompt_formats.text_tokenizer import TextTokenizer
from glm_protocol.chat import ChatMessage, ChatRequest, Role
from glm_protocol.errors import BadRequest, ModelUnusable
from tests.codegen.engine_driver import complete, load
from tests.codegen.models.reference_cases import (
    DATA,
    TOKENIZERS,
    gpt2_files,
    published_config,
    published_weights,
)

SPECIAL = {300: "<|endoftext|>", 301: "[MASK]", 302: "[gMASK]", 303: "[sMASK]", 304: "<sop>",
           305: "<eop>", 306: "<|user|>", 307: "<|observation|>"}  # fmt: skip


def _with_rows(source: Path, version: str, rows: int, **config: Any) -> None:
    """A tiny checkpoint whose vocabulary has `rows` rows."""
    source.mkdir()
    weights = published_weights(version)
    for name, weight in weights.items():
        if "word_embeddings" in name or "output_layer" in name:
            weights[name] = weight.repeat(rows // 512 + 1, 1)[:rows].clone()
    save_file(weights, source / "model.safetensors")
    told = {**published_config(version), "padded_vocab_size": rows, **config}
    text = json.dumps({"config": told} if version == "v1" else told)
    (source / ("meta.json" if version == "v1" else "config.json")).write_text(text)


def _ranks(source: Path, listed: dict[int, str]) -> None:
    tokens = [bytes([b]) for b in random.Random(1).sample(range(256), 256)]
    tokens += [b"de", b"def", b"  "] + [b"\xff" + bytes([i]) for i in range(41)]
    lines = [base64.b64encode(token) + b" %d" % rank for rank, token in enumerate(tokens)]
    (source / "tokenizer.model").write_bytes(b"\n".join(lines))
    decoder = {str(i): {"content": name, "special": True} for i, name in listed.items()}
    text = json.dumps({"tokenizer_class": "ChatGLM4Tokenizer", "added_tokens_decoder": decoder})
    (source / "tokenizer_config.json").write_text(text)


def _loads(made: Path, prefix: list[int], end: Any) -> Any:
    """The tokenizer that AutoTokenizer finds; both halves work together, specials stay text."""
    tokenizer: Any = AutoTokenizer.from_pretrained(made)
    model: Any = AutoModelForCausalLM.from_pretrained(made)
    text = "def f(x):\n    return  x  # <|endoftext|>[gMASK]sop</s>\n"
    ids = tokenizer(text)["input_ids"]
    assert ids[: len(prefix)] == prefix
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    plain = TextTokenizer.from_folder(made)
    assert plain.encode(text) == ids[len(prefix) :]
    assert plain.decode(ids) == text
    assert model.config.eos_token_id == end
    assert model.generation_config.eos_token_id == end
    batch = tokenizer([text, "x"], padding=True, return_tensors="pt")
    assert int(batch["attention_mask"][1, 0]) == 0  # padded on the left
    with torch.no_grad():
        assert bool(torch.isfinite(model.eval().float()(**batch).logits).all())
    return tokenizer


def test_codegeex(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, made = tmp_path / "source", tmp_path / "made"
    _with_rows(source, "v1", 52224, eos=50256)
    words = tmp_path / "tokenizer"
    words.mkdir()
    gpt2_files(words)
    assert run([str(source), str(made), "--tokenizer", str(words)]) == 0
    told = capsys.readouterr()
    assert "CodeGeeXForCausalLM, 69 weights" in told.out
    assert "100%" in told.err
    tokenizer = _loads(made, [], 50256)
    assert tokenizer.convert_tokens_to_ids("<|endoftext|>") == 50256
    assert json.loads((made / "config.json").read_text())["trained_vocab_size"] == 50400
    assert run([str(source), str(made), "--tokenizer", str(words)]) == 0
    assert "already" in capsys.readouterr().out


def test_chatglm2(tmp_path: Path) -> None:
    source, made = tmp_path / "source", tmp_path / "made"
    _with_rows(source, "v2", 704)
    shutil.copy(TOKENIZERS / "identity.model", source / "tokenizer.model")
    assert run([str(source), str(made), "--shard-size", "1"]) == 0
    tokenizer = _loads(made, [641, 643], 2)
    assert tokenizer.padding_side == "left"
    config = json.loads((made / "config.json").read_text())
    assert (config["bos_token_id"], config["pad_token_id"]) == (1, 0)


def test_glm4(tmp_path: Path) -> None:
    source, made = tmp_path / "source", tmp_path / "made"
    ends = [300, 306, 307]
    _with_rows(source, "v4", 320, eos_token_id=ends, pad_token_id=300)
    _ranks(source, SPECIAL)
    assert run([str(source), str(made)]) == 0
    tokenizer = _loads(made, [302, 304], ends)
    assert tokenizer.convert_tokens_to_ids("<|user|>") == 306


@pytest.mark.parametrize("told", ["template", "form", "nothing"])
def test_what_the_folder_says_of_chats_is_kept_and_served(told: str, tmp_path: Path) -> None:
    source, made = tmp_path / "source", tmp_path / "made"
    _with_rows(source, "v4", 320, eos_token_id=[300, 306], pad_token_id=300)
    _ranks(source, {**SPECIAL, 308: "<|assistant|>", 309: "<|system|>"})
    if told == "template":
        file = source / "tokenizer_config.json"
        config = json.loads(file.read_text())
        source_text = "[gMASK]<sop>{% for m in messages %}<|user|>{{ m.content }}{% endfor %}"
        file.write_text(json.dumps({**config, "chat_template": source_text}))
    form = ["--chat", "glm4"] if told == "form" else []
    assert run([str(source), str(made), *form]) == 0
    engine = load(made)
    turn = ChatMessage(role=Role.USER, text="Q <|user|>")
    answer = complete(engine, ChatRequest(id="c", document="d", messages=(turn,), max_tokens=4))
    if told == "nothing":
        assert "chat" not in engine.info.capabilities
        assert "glm-lsp models add" in str(answer.error)
        return
    assert "chat" in engine.info.capabilities
    assert answer.end is not None
    assert answer.end.tokens.generated <= 4


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ({}, r"does not list \[gMASK\], <sop>, <\|endoftext\|>"),
        ({i: t for i, t in SPECIAL.items() if t != "<sop>"}, "does not list <sop>"),
        ({i: t for i, t in SPECIAL.items() if i < 306}, "end token 306 .* is no control token"),
        ({**SPECIAL, 330: "<|late|>"}, "ids up to 330, the model 320 rows"),
        ({**SPECIAL, 308: "<sop>"}, "lists a token twice"),
    ],
)
def test_a_tokenizer_that_does_not_fit(
    listed: dict[int, str], message: str, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    _with_rows(source, "v4", 320, eos_token_id=[300, 306])
    _ranks(source, listed)
    with pytest.raises(ModelUnusable, match=message):
        run([str(source), str(tmp_path / "made")])
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_tokenizer_files_that_are_torn_or_absent(tmp_path: Path) -> None:
    source = tmp_path / "source"
    _with_rows(source, "v2", 704)
    for content, message in (
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"\x0a\xff", "cut short"),
        (b"YQ== 0\nYQ==\n", "line 2 holds no token"),
    ):
        (source / "tokenizer.model").write_bytes(content)
        with pytest.raises(ModelUnusable, match=message):
            run([str(source), str(tmp_path / "made")])
    with pytest.raises(ModelUnusable, match=r"There is no tokenizer\.model in"):
        run([str(source), str(tmp_path / "made"), "--tokenizer", str(tmp_path)])
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(ModelUnusable, match=r"merges\.txt is missing"):
        run([str(DATA / "v1"), str(tmp_path / "made"), "--tokenizer", str(tmp_path)])


def test_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for argv in ([], ["a"], ["a", "b", "--bits", "5"]):
        with pytest.raises(SystemExit) as caught:
            run(argv)
        assert caught.value.code == 2
    for argv in (["a", "b", "--group-size", "8"], ["a", "b", "--shard-size", "0"]):
        with pytest.raises(BadRequest):
            run(argv)
    with pytest.raises(SystemExit) as caught:
        run(["--help"])
    assert caught.value.code == 0
    assert "--tokenizer" in capsys.readouterr().out


def test_int4_has_groups_of_32_unless_told(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="groups of 32"):
        run([str(DATA / "v2"), str(tmp_path / "made"), "--bits", "4"])
    assert run([str(DATA / "v2"), str(tmp_path / "made"), "--bits", "4", "--group-size", "16"]) == 0
    config = json.loads((tmp_path / "made/config.json").read_text())
    assert config["glm_quantization"] == {"bits": 4, "group_size": 16}


class _Screen:
    """Collects what is told."""

    def __init__(self, *, terminal: bool) -> None:
        self.told = ""
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> int:
        self.told += text
        return len(text)

    def flush(self) -> None: ...


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_tells_bytes_rate_and_time_left(terminal: bool) -> None:
    now = [0.0]
    screen: Any = _Screen(terminal=terminal)
    progress = Progress(screen, total=4_000_000_000, done=1_000_000_000, clock=lambda: now[0])
    now[0] = 20.0
    progress.advance(1_000_000_000)
    assert "50%  2.0 GB of 4.0 GB  50.0 MB/s  40 s left" in screen.told
    assert screen.told.startswith("\r") is terminal
    now[0] = 60.0
    progress.advance(2_000_000_000)
    progress.finish()
    assert "100%  4.0 GB of 4.0 GB" in screen.told
    assert screen.told.endswith("in 1 min 00 s\n")
    assert (sized(999), sized(1500), timed(4000)) == ("999 B", "1.5 kB", "1 h 06 min")
