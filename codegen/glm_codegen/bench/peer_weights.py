"""The weights of a quantised Llama folder, rewritten for engines that read other files. No torch.

The integers and scales stay what they are: int8 becomes GGUF's Q8_0 (each group of 64 as two
blocks of 32), int4 by groups of 32 becomes Q4_0. For engines that take floats they are multiplied
out into bfloat16. So all engines compute the same function.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glm_codegen.bench.tensor_file import LazyTensor, write_tensors
from glm_runtime.checkpoint import Checkpoint
from glm_runtime.native.native_weights import NativeTensor, native_tensors

_BLOCK = 32
_FLOAT32, _Q4_0, _Q8_0 = 0, 2, 8  # GGUF's numbers of tensor formats
_FILE_TYPE = {4: 2, 8: 7}  # of a whole file, by bits
_UINT32, _FLOAT, _STRING, _ARRAY, _INT32 = 4, 6, 8, 9, 5  # GGUF's numbers of value types
_ALIGNED = 32
_NAMES = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    **{f"self_attn.{one}_proj": f"attn_{one}" for one in "qkv"},
    "self_attn.o_proj": "attn_output",
    **{f"mlp.{one}_proj": f"ffn_{one}" for one in ("gate", "up", "down")},
}


def gguf_of(checkpoint: Checkpoint) -> Path:
    """`model.gguf` beside the weights, written unless it is there."""
    file = checkpoint.folder / "model.gguf"
    if not file.is_file():
        part = file.with_suffix(".part")
        with part.open("wb") as out:
            _write_gguf(checkpoint, out.write, out.tell)
        part.replace(file)
    return file


def floats_of(checkpoint: Checkpoint) -> Path:
    """A folder of bfloat16 beside the quantised one, written unless it is there."""
    folder = checkpoint.folder.with_name(checkpoint.folder.name + "-bfloat16")
    if not (folder / "config.json").is_file():
        folder.mkdir(exist_ok=True)
        lazy = [
            LazyTensor(name=name, kind="BF16", shape=_shape(one), make=partial(_bfloat16, one))
            for name, one in native_tensors(checkpoint.shards).items()
        ]
        write_tensors(folder / "model.safetensors", lazy)
        config = json.loads((checkpoint.folder / "config.json").read_text(encoding="utf-8"))
        del config["glm_quantization"]
        config |= {"dtype": "bfloat16", "bos_token_id": 1, "eos_token_id": 2}
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def _shape(one: NativeTensor) -> tuple[int, ...]:
    return (one.rows, one.columns) if one.values.ndim == 2 else one.values.shape


def _integers(one: NativeTensor) -> NDArray[np.int8]:
    """[rows, columns] of a quantised matrix."""
    if one.dtype == "I8":
        return np.asarray(one.values, np.int8)
    halves = np.stack([one.values & 15, one.values >> 4], axis=-1)
    return (halves.reshape(one.rows, one.columns) - np.uint8(8)).view(np.int8)


def _bfloat16(one: NativeTensor) -> NDArray[np.uint16]:
    if one.scale is None:
        values = one.floats()
    else:
        scale = one.scale.view(np.float16).astype(np.float32)
        values = _integers(one).reshape(one.rows, one.groups, -1) * scale[..., None]
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return rounded.astype(np.uint16).reshape(_shape(one))


def _blocks(one: NativeTensor, heads: int | None) -> NDArray[Any]:
    """A matrix in blocks of 32; `heads`: rows of each head with rotary pairs beside each other."""
    assert one.scale is not None
    values = _integers(one).reshape(one.rows, -1, _BLOCK)
    scale = np.repeat(one.scale.view(np.float16), values.shape[1] // one.groups, axis=1)
    if heads is not None:
        values, scale = _paired(values, heads), _paired(scale, heads)
    width = _BLOCK if one.dtype == "I8" else _BLOCK // 2
    blocks = np.empty(values.shape[:2], [("scale", "<f2"), ("values", "u1", width)])
    blocks["scale"] = scale
    if one.dtype == "I8":
        blocks["values"] = values.view(np.uint8)
    else:
        shifted = (values + np.int8(8)).view(np.uint8)
        blocks["values"] = shifted[..., :16] | (shifted[..., 16:] << 4)
    return blocks


def _paired(rows: NDArray[Any], heads: int) -> NDArray[Any]:
    split = rows.reshape(heads, 2, -1, *rows.shape[1:])
    return np.ascontiguousarray(split.swapaxes(1, 2)).reshape(rows.shape)


def _gguf_name(name: str) -> str:
    if name in _NAMES:
        return _NAMES[name]
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{_NAMES[rest.removesuffix('.weight')]}.weight"


def _write_gguf(
    checkpoint: Checkpoint, write: Callable[[bytes], int], tell: Callable[[], int]
) -> None:
    fields = checkpoint.config.fields
    heads = {"q": int(fields["num_attention_heads"]), "k": int(fields["num_key_value_heads"])}
    tensors = native_tensors(checkpoint.shards)
    values = list(_values(checkpoint))
    write(struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(values)))
    for key, value in values:
        write(_text(key) + value)
    place = 0
    sizes = []
    for name, one in tensors.items():
        shape, kind = _shape(one), {"I8": _Q8_0, "U8": _Q4_0}.get(one.dtype, _FLOAT32)
        count = int(np.prod(shape))
        sizes.append(count * {_Q8_0: 34, _Q4_0: 18, _FLOAT32: 128}[kind] // _BLOCK)
        write(_text(_gguf_name(name)) + struct.pack("<I", len(shape)))
        write(struct.pack(f"<{len(shape)}QIQ", *reversed(shape), kind, place))
        place += -(-sizes[-1] // _ALIGNED) * _ALIGNED
    write(b"\0" * (-tell() % _ALIGNED))
    for (name, one), size in zip(tensors.items(), sizes, strict=True):
        if one.scale is None:
            data = np.ascontiguousarray(one.floats())
        else:
            of = next((count for key, count in heads.items() if f".{key}_proj" in name), None)
            data = _blocks(one, of)
        assert data.nbytes == size, f"{name} is not of the size that was said"
        write(data.tobytes() + b"\0" * (-size % _ALIGNED))


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _values(checkpoint: Checkpoint) -> Iterator[tuple[str, bytes]]:
    """Key and encoded value of all that GGUF wants to know."""
    fields = checkpoint.config.fields
    scheme = checkpoint.config.scheme
    assert scheme is not None
    hidden, heads = int(fields["hidden_size"]), int(fields["num_attention_heads"])
    yield "general.architecture", struct.pack("<I", _STRING) + _text("llama")
    yield "general.name", struct.pack("<I", _STRING) + _text("random")
    counts = {
        "general.file_type": _FILE_TYPE[scheme.bits],
        "general.quantization_version": 2,
        "llama.block_count": fields["num_hidden_layers"],
        "llama.context_length": fields["max_position_embeddings"],
        "llama.embedding_length": hidden,
        "llama.feed_forward_length": fields["intermediate_size"],
        "llama.attention.head_count": heads,
        "llama.attention.head_count_kv": fields["num_key_value_heads"],
        "llama.rope.dimension_count": hidden // heads,
        "llama.vocab_size": fields["vocab_size"],
        "tokenizer.ggml.bos_token_id": 257,
        "tokenizer.ggml.eos_token_id": 258,
    }
    for key, count in counts.items():
        yield key, struct.pack("<II", _UINT32, int(count))
    for key, field in (
        ("llama.attention.layer_norm_rms_epsilon", "rms_norm_eps"),
        ("llama.rope.freq_base", "rope_theta"),
    ):
        yield key, struct.pack("<If", _FLOAT, float(fields[field]))
    yield from _vocabulary(int(fields["vocab_size"]))


def _vocabulary(size: int) -> Iterator[tuple[str, bytes]]:
    """A byte-level vocabulary that no text of the bench goes through: 256 bytes, one merge."""
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printed]
    letters = {byte: chr(byte) for byte in printed}
    letters |= {byte: chr(256 + place) for place, byte in enumerate(others)}
    words = [letters[byte] for byte in range(256)] + ["ab", "<s>", "</s>"]
    words += [f"<unused{number}>" for number in range(size - len(words))]
    kinds = [1] * 257 + [3, 3] + [5] * (size - 259)
    yield "tokenizer.ggml.model", struct.pack("<I", _STRING) + _text("gpt2")
    yield "tokenizer.ggml.pre", struct.pack("<I", _STRING) + _text("gpt-2")
    for key, texts in (("tokens", words[:size]), ("merges", ["a b"])):
        head = struct.pack("<IIQ", _ARRAY, _STRING, len(texts))
        yield f"tokenizer.ggml.{key}", head + b"".join(map(_text, texts))
    head = struct.pack("<IIQ", _ARRAY, _INT32, size)
    yield "tokenizer.ggml.token_type", head + np.array(kinds[:size], "<i4").tobytes()
