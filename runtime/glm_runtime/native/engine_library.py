"""The shared library's functions with their types, and nothing more. See `engine.cpp`.

`GLM_LSP_NATIVE=0` in the environment turns the native engine off; `GLM_LSP_KERNELS` names the
instruction set to use (`portable`, `avx2`, …) instead of the best one.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import c_char_p, c_float, c_int32, c_int64, c_uint64, c_void_p
from functools import lru_cache

from glm_runtime.native.engine_build import NoCompiler, built_library

SWITCH = "GLM_LSP_NATIVE"
KERNELS = "GLM_LSP_KERNELS"
ABI = 2
PAGE = 16  # tokens


class ShapeStruct(ctypes.Structure):
    """`Shape` of engine.cpp."""

    _fields_ = (
        *((name, c_int32) for name in ("layers", "hidden", "heads", "key_heads", "head_size")),
        *((name, c_int32) for name in ("forward", "vocabulary", "rotary", "terms")),
        *((name, c_float) for name in ("epsilon", "attention_scale", "embedding_scale")),
        *((name, c_float) for name in ("residual_scale", "logit_scale", "rotary_scale")),
    )


class BatchStruct(ctypes.Structure):
    """`Batch` of engine.cpp; pointers are addresses of numpy arrays that the caller keeps."""

    _fields_ = (
        *((name, c_int32) for name in ("tokens", "sequences", "outputs", "threads")),
        *((name, c_void_p) for name in ("ids", "positions", "sequence", "pages")),
        ("page_stride", c_int64),
        *((name, c_void_p) for name in ("output", "adapter", "logits")),
    )


_SIGNATURES: dict[str, tuple[object, tuple[object, ...]]] = {
    "glm_abi": (c_int32, ()),
    "glm_kernels": (c_char_p, (c_int32,)),
    "glm_model_new": (c_void_p, (c_void_p, c_int32, c_void_p)),
    "glm_model_free": (None, (c_void_p,)),
    "glm_model_kernels": (c_char_p, (c_void_p,)),
    "glm_matrix_new": (c_int32, (c_void_p, *(c_int32,) * 6)),
    "glm_matrix_pack": (
        c_int32,
        (c_void_p, *(c_int32,) * 4, c_void_p, c_int32, c_void_p, c_void_p, c_int32),
    ),
    "glm_vector_set": (c_int32, (c_void_p, c_int32, c_int32, c_void_p, c_int32)),
    "glm_layer_set": (None, (c_void_p, c_int32, c_int32, c_int32)),
    "glm_weight_bytes": (c_int64, (c_void_p,)),
    "glm_pages_set": (c_int32, (c_void_p, c_int64)),
    "glm_page_bytes": (c_int64, (c_void_p,)),
    "glm_page_copy": (None, (c_void_p, c_int32, c_int32)),
    "glm_page_at": (c_void_p, (c_void_p, c_int32)),
    "glm_adapter_new": (c_int32, (c_void_p,)),
    "glm_adapter_set": (c_int32, (c_void_p, *(c_int32,) * 5, c_void_p, c_void_p)),
    "glm_adapter_free": (None, (c_void_p, c_int32)),
    "glm_forward": (c_int32, (c_void_p, c_void_p)),
    "glm_read": (c_uint64, (c_void_p, c_int64, c_int32)),
}


@lru_cache(maxsize=1)
def load_library() -> ctypes.CDLL:
    """Raises NoCompiler, saying why there is no native engine."""
    if os.environ.get(SWITCH) == "0":
        raise NoCompiler(f"{SWITCH}=0 turns it off")
    path = built_library()
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise NoCompiler(f"{path} cannot be loaded ({error})") from error
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    if library.glm_abi() != ABI:
        raise NoCompiler(f"{path} is of another version")
    return library


def kernel_names(library: ctypes.CDLL) -> list[str]:
    """Instruction sets that this processor has, best first."""
    names: list[str] = []
    while (name := library.glm_kernels(len(names))) is not None:
        names.append(name.decode())
    return names


def chosen_kernels(library: ctypes.CDLL) -> int:
    """Place of the kernels to use: the best, or those that the environment names."""
    names = kernel_names(library)
    wanted = os.environ.get(KERNELS)
    return names.index(wanted) if wanted in names else 0
