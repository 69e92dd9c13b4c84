"""The tokenizer's files beside the weights, converted; or the reason why they cannot be.

Which files there are decides: `vocab.json` and `merges.txt` for CodeGeeX-13B, and for the
ChatGLM family `tokenizer.model`, a SentencePiece model or a list of ranks. No file: no
tokenizer, which the caller says. A file that is torn or lacks a control token is an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glm_codegen.convert.plan import Plan
from glm_codegen.models.chatglm_tokenizer import chatglm_tokenizer
from glm_codegen.models.codegeex_tokenizer import codegeex_tokenizer
from glm_codegen.models.converted_tokenizer import ConvertedTokenizer
from glm_codegen.models.glm4_tokenizer import glm4_tokenizer, read_ranks
from glm_codegen.models.sentencepiece_model import read_sentencepiece_model
from glm_codegen.prompt_formats.chat_forms import FORM_KEY
from glm_protocol.errors import ModelUnusable

CONFIG = "tokenizer_config.json"
_REMEDY = "Fetch the tokenizer's files of this very model again."


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenizerFiles:
    """`files` of the converted folder; `config_fields` are the ids that only it could tell."""

    kind: str
    files: Mapping[str, bytes]
    config_fields: Mapping[str, int]


def convert_tokenizer(
    chosen: Path | None, beside: Path, plan: Plan, chat_form: str | None = None
) -> TokenizerFiles | None:
    """Convert what lies in `chosen`, else beside the weights. Raises ModelUnusable.

    `chat_form` names the form of a model that chats and whose folder holds no chat template.
    """
    folder = beside if chosen is None else chosen
    try:
        made = _gpt2(folder) if plan.model_type == "codegeex" else _chatglm(folder)
        if made is None:
            if chosen is None:
                return None
            wanted = "vocab.json" if plan.model_type == "codegeex" else "tokenizer.model"
            raise ModelUnusable(f"There is no {wanted} in {folder}.", remedy=_REMEDY)
        _check_against(made, plan.fields)
        files = dict(made.files(longest=plan.fields["max_position_embeddings"]))
        files[CONFIG] = _with_chat(files[CONFIG], folder / CONFIG, chat_form)
    except (ValueError, OSError, RecursionError) as error:
        raise ModelUnusable(f"The tokenizer in {folder}: {error}.", remedy=_REMEDY) from error
    roles = {"pad_token_id": made.pad, "bos_token_id": made.begin}
    untold = {field: name for field, name in roles.items() if plan.fields[field] is None and name}
    return TokenizerFiles(
        kind=made.kind,
        files=files,
        config_fields={field: made.special_ids[name] for field, name in untold.items()},
    )


def _with_chat(config: bytes, published: Path, chat_form: str | None) -> bytes:
    """The new tokenizer_config.json with what the published one says of chats."""
    fields = json.loads(config)
    old = json.loads(published.read_bytes()) if published.is_file() else {}
    template = old.get("chat_template") if isinstance(old, dict) else None
    if template is not None:
        fields["chat_template"] = template
    if chat_form is not None:
        fields[FORM_KEY] = chat_form
    return json.dumps(fields, indent=2, ensure_ascii=False).encode() + b"\n"


def _check_against(made: ConvertedTokenizer, fields: Mapping[str, Any]) -> None:
    """The config's ends must be control tokens here, and every id must have a row."""
    end = fields["eos_token_id"]
    for index in end if isinstance(end, list) else [end]:
        if index not in made.special_ids.values():
            raise ValueError(f"the end token {index} of config.json is no control token of it")
    rows = fields["vocab_size"]
    if made.size > rows:
        raise ValueError(f"it has ids up to {made.size - 1}, the model {rows} rows")


def _gpt2(folder: Path) -> ConvertedTokenizer | None:
    vocabulary_file, merges_file = folder / "vocab.json", folder / "merges.txt"
    if not vocabulary_file.is_file() and not merges_file.is_file():
        return None
    for file in (vocabulary_file, merges_file):
        if not file.is_file():
            raise ValueError(f"{file.name} is missing")
    vocabulary = json.loads(vocabulary_file.read_bytes())
    if not isinstance(vocabulary, dict) or any(type(i) is not int for i in vocabulary.values()):
        raise ValueError("vocab.json does not map texts to ids")
    merges = []
    for number, line in enumerate(merges_file.read_text("utf-8").split("\n"), start=1):
        if line and not (number == 1 and line.startswith("#version")):
            left, _, right = line.rstrip("\r").partition(" ")
            if not left or not right:
                raise ValueError(f"merges.txt, line {number}: no pair")
            merges.append((left, right))
    return codegeex_tokenizer(vocabulary, merges)


def _chatglm(folder: Path) -> ConvertedTokenizer | None:
    file = folder / "tokenizer.model"
    if not file.is_file():
        return None
    content, listed = file.read_bytes(), _listed(folder / CONFIG)
    if content.startswith(b"version https://git-lfs"):
        raise ValueError("tokenizer.model is a Git LFS pointer, not the file itself")
    if _holds_ranks(content):
        return glm4_tokenizer(read_ranks(content), listed)
    return chatglm_tokenizer(read_sentencepiece_model(content), listed)


def _holds_ranks(content: bytes) -> bool:
    first, _, rank = content.partition(b"\n")[0].strip().partition(b" ")
    return bool(first) and rank.isdigit()


def _listed(file: Path) -> dict[int, str]:
    """Control tokens by id, as `added_tokens_decoder` lists them."""
    if not file.is_file():
        return {}
    config = json.loads(file.read_bytes())
    tokens = config.get("added_tokens_decoder", {}) if isinstance(config, dict) else None
    if not isinstance(tokens, dict):
        raise ValueError("tokenizer_config.json holds no list of tokens")
    listed: dict[int, str] = {}
    for index, token in tokens.items():
        name = token.get("content") if isinstance(token, dict) else token
        if not str(index).isdigit() or not isinstance(name, str) or not name:
            raise ValueError(f"tokenizer_config.json: added_tokens_decoder, entry {index}")
        listed[int(index)] = name
    if len(set(listed.values())) != len(listed):
        raise ValueError("tokenizer_config.json lists a token twice")
    return listed
