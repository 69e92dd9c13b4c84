"""A tiny model folder that chats: official-looking template, and weights that say one answer.

Attention and MLP add nothing, so the next token follows from the last one alone: after the newline
that opens a turn come `PROSE`, a block of code and the family's own end of a turn. The code is one
of two, which only drawing tells apart. So everything from the template to the edit can be seen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer
from tokenizers.pre_tokenizers import ByteLevel

from tests.runtime.tiny_models import byte_tokenizer

PROSE = "It adds them.\n"
OPENING, CLOSING = "```python\n", "\n```\n"
CODES = ("def total(items):\n    return sum(items)", "def total(items):\n    return 0 + sum(items)")
SAID = (PROSE, OPENING, *CODES, CLOSING)
SIZE = 64

GLM4_TEMPLATE = (
    "[gMASK]<sop>{% for item in messages %}{% if item['tools'] is defined %}<|system|>\n"
    "{{ item['tools'] | tojson }}{% endif %}{% if item['content'] %}<|{{ item['role'] }}|>"
    "{{ item['metadata'] }}\n{{ item['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
QWEN_TEMPLATE = (
    "{%- if tools %}{{- raise_exception('no tools here') }}{%- endif %}"
    "{%- if messages[0]['role'] != 'system' %}"
    "{{- '<|im_start|>system\\nYou help.<|im_end|>\\n' }}{%- endif %}"
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)


@dataclass(frozen=True, kw_only=True)
class Family:
    """What tells one family's folder from another's. `ends`: the end of text, then of a turn."""

    config: dict[str, Any]
    control: tuple[str, ...]
    ends: tuple[str, ...]
    template: str


FAMILIES = {
    "glm4": Family(
        config={
            "model_type": "glm",
            "architectures": ["GlmForCausalLM"],
            "attention_bias": True,
            "head_dim": SIZE // 2,
        },
        control=(
            *("<|endoftext|>", "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>"),
            "<|observation|>",
        ),
        ends=("<|endoftext|>", "<|user|>", "<|observation|>"),
        template=GLM4_TEMPLATE,
    ),
    "qwen": Family(
        config={"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]},
        control=("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
        ends=("<|endoftext|>", "<|im_end|>"),
        template=QWEN_TEMPLATE,
    ),
}


def letters_of(text: str) -> str:
    """A text as the byte-level alphabet spells it."""
    ((spelled, _),) = ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)
    return spelled


def speaking_tokenizer(control: tuple[str, ...]) -> Tokenizer:
    """Bytes, and tokens of `SAID` that no merge makes: only the model says them."""
    saved = json.loads(byte_tokenizer(()).to_str())
    vocabulary = saved["model"]["vocab"]
    vocabulary |= {letters_of(text): len(vocabulary) + n for n, text in enumerate(SAID)}
    tokenizer: Tokenizer = Tokenizer.from_str(json.dumps(saved))
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in control])
    return tokenizer


def write_answering_model(folder: Path, family: Family) -> Path:
    """The folder of a model that says `PROSE` and a block of code to whatever it is asked."""
    import transformers
    import transformers.models.auto.modeling_auto

    folder.mkdir()
    tokenizer = speaking_tokenizer(family.control)
    spelled = tokenizer.get_vocab()
    ids = {text: spelled[letters_of(text)] for text in SAID}
    ids |= {name: spelled[name] for name in family.ends}
    size = len(spelled)
    config = {
        "vocab_size": size,
        "hidden_size": SIZE,
        "intermediate_size": SIZE,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "rope_theta": 10_000.0,
        "rms_norm_eps": 1e-6,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": False,
        "pad_token_id": ids[family.ends[0]],
        "eos_token_id": [ids[end] for end in family.ends],
        **family.config,
    }
    fields = {k: v for k, v in config.items() if k not in ("model_type", "architectures")}
    model_class = getattr(transformers, family.config["architectures"][0])
    model = model_class(model_class.config_class(**fields))
    weights = {name: torch.zeros_like(tensor) for name, tensor in model.state_dict().items()}
    for name in weights:
        if name.endswith("norm.weight"):
            weights[name] += 1.0
    first = tokenizer.encode("\n", add_special_tokens=False).ids[0]
    end = ids[family.ends[1]]
    follows = {
        first: {ids[PROSE]: 3.0},
        ids[PROSE]: {ids[OPENING]: 3.0},
        ids[OPENING]: {ids[CODES[0]]: 3.0, ids[CODES[1]]: 2.95},
        ids[CODES[0]]: {ids[CLOSING]: 3.0},
        ids[CODES[1]]: {ids[CLOSING]: 3.0},
        ids[CLOSING]: {end: 3.0},
    }
    weights["model.embed_tokens.weight"][:, 0] = 1.0
    weights["lm_head.weight"][end, 0] = 1.0
    for place, (token, following) in enumerate(follows.items(), start=1):
        weights["model.embed_tokens.weight"][token, 0] = 0.0
        weights["model.embed_tokens.weight"][token, place] = 1.0
        for then, weight in following.items():
            weights["lm_head.weight"][then, place] = weight
    save_file({name: tensor.contiguous() for name, tensor in weights.items()},
              folder / "model.safetensors")  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": family.ends[0]}))
    (folder / "chat_template.jinja").write_text(family.template)
    return folder
