"""Run as a script: convert SRC to DST/float16 and DST/int8, print how far memory rose in each.

    python peak_memory.py SMALL_SRC SRC DST SHARD_BYTES

SMALL_SRC is converted first, so that imports count as the beginning. Mapped files are counted.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

from glm_codegen.convert.conversion import ConversionRequest, convert
from glm_runtime.quantized_weight import QuantizationScheme


def resident(key: str) -> int:
    """VmRSS (now) or VmHWM (the peak), in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key + ":")).split()[1]) * 1024


def main() -> None:
    small, source, made, shard_bytes = sys.argv[1:]
    grown = {}
    for name, scheme in (("float16", None), ("int8", QuantizationScheme(bits=8))):
        for folder in (small, source):
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            before = resident("VmRSS")
            request = ConversionRequest(
                source=Path(folder),
                destination=Path(made) / name / Path(folder).name,
                scheme=scheme,
                shard_bytes=int(shard_bytes),
            )
            convert(request, told_on=io.StringIO())
            grown[name] = resident("VmHWM") - before
    print(json.dumps(grown))


if __name__ == "__main__":
    main()
