"""Tiny random models of three families that transformers knows, each with its own processor."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from transformers import PreTrainedTokenizerFast

from tests.vision.scripted_model import character_tokenizer

TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
ROPE = {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [2, 3, 3]}


def chat_template(image: str) -> str:
    return (
        "{% for m in messages %}{{m['role']}}: {% for c in m['content'] %}{% if c['type']=='image'"
        " %}" + image + "{% else %}{{c['text']}}{% endif %}{% endfor %}\n{% endfor %}assistant:"
    )


def tokenizer_with(*special: str) -> PreTrainedTokenizerFast:
    raw = character_tokenizer()
    raw.add_special_tokens(list(special))
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )


def save(
    model: Any, folder: Path, *, processor: str, images: Any, tokenizer: Any, **more: Any
) -> None:
    """As released folders are: part by part, so that no part for films is needed to write them."""
    model.generation_config.eos_token_id = 2
    model.generation_config.pad_token_id = 0
    model.save_pretrained(folder)
    images.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    words = {"processor_class": processor, **more}
    (folder / "processor_config.json").write_text(json.dumps(words))


def write_qwen2_vl(folder: Path) -> None:
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    marks = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    tokenizer = tokenizer_with(*marks)
    ids = [tokenizer.convert_tokens_to_ids(mark) for mark in marks]
    template = chat_template("<|vision_start|><|image_pad|><|vision_end|>")
    images = Qwen2VLImageProcessorPil(
        size={"shortest_edge": 8 * 8 * 4, "longest_edge": 32 * 32}, patch_size=8, merge_size=2
    )
    tokenizer.chat_template = template
    made: Any = Qwen2VLConfig
    config = made(
        text_config={**TEXT, "vocab_size": len(tokenizer), "rope_parameters": ROPE},
        vision_config={
            "depth": 1,
            "embed_dim": 16,
            "hidden_size": 32,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 8,
            "spatial_merge_size": 2,
        },
        vision_start_token_id=ids[0],
        vision_end_token_id=ids[1],
        image_token_id=ids[2],
        video_token_id=ids[3],
    )
    torch.manual_seed(0)
    save(
        Qwen2VLForConditionalGeneration(config),
        folder,
        processor="Qwen2VLProcessor",
        images=images,
        tokenizer=tokenizer,
    )


def write_glm4v(folder: Path) -> None:
    from transformers import Glm4vConfig, Glm4vForConditionalGeneration
    from transformers.models.glm4v.image_processing_pil_glm4v import Glm4vImageProcessorPil

    marks = ("<|begin_of_image|>", "<|end_of_image|>", "<|image|>", "<|video|>")
    more = ("<|begin_of_video|>", "<|end_of_video|>")
    tokenizer = tokenizer_with(*marks, *more)
    ids = [tokenizer.convert_tokens_to_ids(mark) for mark in (*marks, *more)]
    template = chat_template("<|begin_of_image|><|image|><|end_of_image|>")
    images = cast("Any", Glm4vImageProcessorPil)(
        size={"shortest_edge": 8 * 8 * 4, "longest_edge": 2 * 32 * 32}, patch_size=8, merge_size=2
    )
    tokenizer.chat_template = template
    made: Any = Glm4vConfig
    config = made(
        text_config={
            **TEXT,
            "vocab_size": len(tokenizer),
            "pad_token_id": 0,
            "rope_parameters": {**ROPE, "partial_rotary_factor": 1.0},
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "out_hidden_size": 32,
            "intermediate_size": 32,
            "num_heads": 2,
            "patch_size": 8,
            "image_size": 32,
            "spatial_merge_size": 2,
        },
        image_start_token_id=ids[0],
        image_end_token_id=ids[1],
        image_token_id=ids[2],
        video_token_id=ids[3],
        video_start_token_id=ids[4],
        video_end_token_id=ids[5],
    )
    torch.manual_seed(0)
    save(
        Glm4vForConditionalGeneration(config),
        folder,
        processor="Glm4vProcessor",
        images=images,
        tokenizer=tokenizer,
    )


def write_idefics3(folder: Path) -> None:
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    marks = ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
    tokenizer = tokenizer_with(*marks)
    tokenizer.image_token = "<image>"
    tokenizer.fake_image_token = "<fake_token_around_image>"
    tokenizer.global_image_token = "<global-img>"
    tokenizer.end_of_utterance_token = "<end_of_utterance>"
    images = Idefics3ImageProcessorPil(
        size={"longest_edge": 32}, max_image_size={"longest_edge": 32}, do_image_splitting=False
    )
    tokenizer.chat_template = chat_template("<image>")
    made: Any = Idefics3Config
    config = made(
        text_config={
            **TEXT,
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            "pad_token_id": 0,
        },
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 8,
        },
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=0,
    )
    torch.manual_seed(0)
    save(
        Idefics3ForConditionalGeneration(config),
        folder,
        processor="Idefics3Processor",
        images=images,
        tokenizer=tokenizer,
        image_seq_len=4,
    )


FAMILIES: dict[str, Callable[[Path], None]] = {
    "qwen2_vl": write_qwen2_vl,
    "glm4v": write_glm4v,
    "idefics3": write_idefics3,
}
