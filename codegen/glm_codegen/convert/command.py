"""`glm-lsp models convert SRC DST`: a published checkpoint, once, into a folder that loads."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from glm_codegen.prompt_formats.chat_forms import FORM_NAMES
from glm_protocol.errors import BadRequest

_DESCRIPTION = """\
Rewrite a published checkpoint of the CodeGeeX family as safetensors in transformers' layout:
CodeGeeX-13B (nested .pt, fused, tensor-parallel or MindSpore weights), CodeGeeX2, CodeGeeX4,
ChatGLM2, ChatGLM3, GLM-4-9B, and their official int8 and int4 forms. No code of the model's
folder is run. Works piece by piece in little memory; interrupted, the same command goes on.
"""
_EPILOG = """\
SRC is a file (.pt, .bin, .safetensors) or the folder that holds the weights. Heads, epsilon
and the end token come from config.json beside them, or from the `config` object of meta.json;
the official 13B needs neither. The tokenizer (vocab.json and merges.txt, or tokenizer.model
with tokenizer_config.json) is taken from the same folder, or from --tokenizer.
DST is never overwritten. Example:

  glm-lsp models convert ~/codegeex_13b ~/models/codegeex-13b --tokenizer ~/CodeGeeX/tokenizer
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="glm-lsp models convert",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("source", metavar="SRC", type=Path, help="weights: a file or a folder")
    made.add_argument("destination", metavar="DST", type=Path, help="the folder to make")
    made.add_argument(
        "--tokenizer", metavar="DIR", type=Path, help="where its files are, if not SRC"
    )
    made.add_argument(
        "--chat",
        choices=FORM_NAMES,
        help="the model chats, in this form (default: as SRC's chat template says)",
    )
    made.add_argument(
        "--bits",
        type=int,
        choices=(8, 4),
        help="quantise the matrices of the layers on the way (8 halves the memory, 4 quarters it)",
    )
    made.add_argument(
        "--group-size",
        metavar="N",
        type=int,
        help="columns that share a scale; 0: a whole row (default: 0 with 8 bits, 32 with 4)",
    )
    made.add_argument(
        "--shard-size",
        metavar="MB",
        type=int,
        default=2000,
        help="largest file to write, in MB (default: %(default)s)",
    )
    return made


def run(argv: Sequence[str]) -> int:
    """Exit codes: 0 converted (or was already), 2 wrong usage. Raises GlmError for the rest."""
    chosen = parser().parse_args(argv)
    if chosen.group_size is not None and (chosen.bits is None or chosen.group_size < 0):
        raise BadRequest("--group-size is a natural number and goes with --bits.")
    if chosen.shard_size < 1:
        raise BadRequest("--shard-size must be at least 1.")
    # torch and transformers take seconds to load: not for --help, not for a wrong command line
    from glm_codegen.convert.conversion import ConversionRequest, convert
    from glm_codegen.convert.progress import sized
    from glm_runtime.quantized_weight import QuantizationScheme

    scheme = None
    if chosen.bits is not None:
        group = {8: 0, 4: 32}[chosen.bits] if chosen.group_size is None else chosen.group_size
        scheme = QuantizationScheme(bits=chosen.bits, group_size=group)
    request = ConversionRequest(
        source=chosen.source.expanduser(),
        destination=chosen.destination.expanduser(),
        tokenizer=None if chosen.tokenizer is None else chosen.tokenizer.expanduser(),
        chat_form=chosen.chat,
        scheme=scheme,
        shard_bytes=chosen.shard_size * 1_000_000,
    )
    report = convert(request, told_on=sys.stderr)
    if report.already:
        print(f"{report.destination} is this conversion already; nothing was done.")
        return 0
    print(
        f"{report.destination}: {report.architecture}, {report.weights} weights,"
        f" {sized(report.stored_bytes)}."
    )
    if report.dropped:
        print(f"Left out, no weights: {', '.join(report.dropped[:5])}.")
    if report.tokenizer is None:
        print("No tokenizer files were found: give their folder with --tokenizer DIR.")
    return 0
