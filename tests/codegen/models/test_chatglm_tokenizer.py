"""SentencePiece models become the same ids through `tokenizers`; torn or strange ones refuse."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from glm_codegen.models.chatglm_tokenizer import chatglm_tokenizer
from glm_codegen.models.sentencepiece_model import (
    PieceKind,
    SentencePieceModel,
    read_sentencepiece_model,
)
from tests.codegen.models.reference_cases import TOKENIZERS

CASES: dict[str, list[dict[str, Any]]] = json.loads(
    (TOKENIZERS / "sentencepiece_cases.json").read_text()
)


def _model(name: str = "identity") -> SentencePieceModel:
    return read_sentencepiece_model((TOKENIZERS / f"{name}.model").read_bytes())


@pytest.mark.parametrize("name", sorted(CASES))
def test_ids_and_text_of_the_sentencepiece_package(name: str) -> None:
    tokenizer = chatglm_tokenizer(_model(name), {}).tokenizer
    tokenizer.encode_special_tokens = True
    for case in CASES[name]:
        ids = tokenizer.encode(case["text"], add_special_tokens=False).ids
        assert ids == case["ids"], repr(case["text"])
        assert tokenizer.decode(ids) == case["decoded"], repr(case["text"])


def test_every_prompt_begins_with_the_two_control_tokens() -> None:
    made = chatglm_tokenizer(_model(), {})
    assert [made.special_ids[name] for name in ("[MASK]", "[gMASK]", "[sMASK]", "sop", "eop")] == [
        640, 641, 642, 643, 644,
    ]  # fmt: skip
    made.tokenizer.encode_special_tokens = True
    plain = made.tokenizer.encode("def f", add_special_tokens=False).ids
    assert made.tokenizer.encode("def f").ids == [641, 643, *plain]
    assert made.tokenizer.decode([641, 643, *plain]) == "def f"
    assert (made.begin, made.end, made.pad) == ("<s>", "</s>", "<unk>")


def test_text_that_spells_a_control_token_stays_text() -> None:
    made = chatglm_tokenizer(_model(), {})
    made.tokenizer.encode_special_tokens = True
    for text in ("[gMASK]", "sop", "</s>", "<unk>", "<0x0A>", "<s>sop</s>"):
        ids = made.tokenizer.encode(text, add_special_tokens=False).ids
        assert not set(ids) & set(made.special_ids.values())
        assert made.tokenizer.decode(ids) == text


def test_chatglm3_roles_are_read_from_the_list() -> None:
    made = chatglm_tokenizer(_model(), {641: "[gMASK]", 645: "<|system|>", 647: "<|assistant|>"})
    assert made.special_ids["<|assistant|>"] == 647
    assert made.special_ids["<|unused_646|>"] == 646
    assert made.size == 648


def test_strange_models_are_refused() -> None:
    model = _model()
    pieces = list(model.pieces)
    pieces[10] = replace(pieces[10], kind=PieceKind.USER_DEFINED)
    strange = {
        "not BPE": replace(model, is_bpe=False),
        "writes spaces": replace(model, space_is_suffix=True),
        "no end token": replace(model, end_id=-1),
        "beyond its pieces": replace(model, pad_id=640),
        "cannot be kept exact": replace(model, pieces=tuple(pieces)),
    }
    for reason, wrong in strange.items():
        with pytest.raises(ValueError, match=reason):
            chatglm_tokenizer(wrong, {})
    with pytest.raises(ValueError, match=r"<\|user\|> at 641, where \[gMASK\] is"):
        chatglm_tokenizer(model, {641: "<|user|>"})


def test_torn_files_are_refused() -> None:
    content = (TOKENIZERS / "identity.model").read_bytes()
    assert len(read_sentencepiece_model(content).pieces) == 640
    for length in range(0, len(content) - 1, 41):
        try:
            whole = read_sentencepiece_model(content[:length])
        except ValueError:
            continue
        # cut between two fields: the pieces that follow are simply not there
        assert len(whole.pieces) <= 640
    with pytest.raises(ValueError, match="cut short"):
        read_sentencepiece_model(content[:1001])
    with pytest.raises(ValueError, match="not a SentencePiece|cut short|message|vocabulary"):
        read_sentencepiece_model(b"\xff" * 64)
