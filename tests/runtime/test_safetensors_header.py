"""Headers of weights files: what is hostile or torn is refused with the file's name."""

from __future__ import annotations

import json
import pickle
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from glm_protocol.errors import ModelUnusable
from glm_runtime.safetensors_header import read_header


def write(file: Path, header: Any, data: bytes = b"", *, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = len(text) if length is None else length
    file.write_bytes(size.to_bytes(8, "little") + text + data)
    return file


def entry(shape: list[int], begin: int, end: int, dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_reads_what_safetensors_writes(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2, 3), "b": torch.ones(4, dtype=torch.bfloat16)}, tmp_path / "w")
    tensors = {tensor.name: tensor for tensor in read_header(tmp_path / "w")}
    assert tensors["a"].shape == (2, 3)
    assert tensors["a"].dtype == "F32"
    assert tensors["b"].end - tensors["b"].begin == 8


@pytest.mark.parametrize(
    ("header", "data", "reason"),
    [
        ({}, b"", "no tensors"),
        (b"[1]", b"", "JSON object"),
        (b"{nope", b"", "valid JSON"),
        (b"[" * 5000, b"", "valid JSON"),
        ({"a": entry([2], 0, 8)}, b"1234", "cut short: 4 bytes"),
        ({"a": entry([2], 0, 8)}, b"123456789", "1 bytes that belong to no tensor"),
        ({"a": entry([1], 4, 8)}, b"12345678", "gap or an overlap"),
        ({"a": entry([1], 0, 4), "b": entry([1], 0, 4)}, b"1234", "gap or an overlap"),
        ({"a": entry([3], 0, 8)}, b"12345678", "length that does not fit"),
        ({"a": entry([0], 0, 0)}, b"", "the shape"),
        ({"a": entry([-1, -2], 0, 8)}, b"12345678", "the shape"),
        ({"a": entry([2**63, 2**63], 0, 8)}, b"12345678", "length that does not fit"),
        ({"a": entry([True], 0, 4)}, b"1234", "the shape"),
        ({"a": entry([1] * 9, 0, 4)}, b"1234", "the shape"),
        ({"a": entry([1], 0, 4, "F8_E4M3")}, b"1234", "not supported"),
        ({"a": {"dtype": "F32"}}, b"", "unknown way"),
        (
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
            b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
            b"1234",
            "valid JSON",
        ),
    ],
)
def test_refusals(tmp_path: Path, header: Any, data: bytes, reason: str) -> None:
    file = write(tmp_path / "model.safetensors", header, data)
    with pytest.raises(ModelUnusable, match=reason) as caught:
        read_header(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 10**9])
def test_a_header_past_the_end_is_refused(tmp_path: Path, length: int) -> None:
    with pytest.raises(ModelUnusable, match="cut short"):
        read_header(write(tmp_path / "w", {}, length=length))


def test_a_header_over_a_megabyte_is_refused_at_once(tmp_path: Path) -> None:
    empties = b"".join(
        b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},' % i for i in range(100_000)
    )
    file = write(tmp_path / "w", b"{" + empties[:-1] + b"}")
    began = time.perf_counter()
    with pytest.raises(ModelUnusable, match="1 MB is the most"):
        read_header(file)
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize("content", [b"", b"1234567", pickle.dumps({"a": 1}) * 20])
def test_no_safetensors_file_at_all(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(ModelUnusable):
        read_header(tmp_path / "w")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match=r"gone\.safetensors"):
        read_header(tmp_path / "gone.safetensors")
