"""CogView2's refinement, parallel against raster: `python -m bench.refinement [--json FILE]`.

The released grid (60 x 60 codes behind 16 ids of text) and schedule over a small network of random
weights: how many passes either way takes does not depend on the weights, and a pass costs either
way the same whole forward, for a cell that is set changes what its neighbours on all sides are, so
nothing of the pass before can be kept. The parallel way is run whole; of the raster way the first
`--cells` cells are, and its whole time is their mean times the number of cells. `--cells 0` runs
it whole.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from bench.machine import describe
from glm_t2i.models.super_resolution import IterativeSuperResolution, SuperResolutionConfig
from glm_t2i.models.transformer import TransformerConfig
from glm_t2i.pipelines.refinement import RefiningPass, parallel_passes, raster_passes, refine
from glm_t2i.pipelines.sampling import greedy
from glm_t2i.pipelines.vocabulary import IcetkIds

TEXT = 16
CODES = 512
AIM = 8  # raster passes for one parallel pass, at least


@dataclass(frozen=True, kw_only=True, slots=True)
class Timed:
    """`passes` a picture needs; `run` of them were run, in `seconds`."""

    passes: int
    run: int
    seconds: float

    @property
    def whole_s(self) -> float:
        """Seconds of a whole picture."""
        return self.seconds / self.run * self.passes


def network(edge: int) -> IterativeSuperResolution:
    """Two layers, 64 wide."""
    base = TransformerConfig(
        num_layers=2, hidden_size=64, num_attention_heads=4, vocab_size=CODES + 88,
        max_sequence_length=1024, num_image_tokens=CODES,
    )  # fmt: skip
    model = IterativeSuperResolution(
        SuperResolutionConfig(base=base, layout=(TEXT, TEXT + edge**2), fine_positions=edge**2)
    )
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.1, generator=generator)
    return model.eval().requires_grad_(False)


def timed(
    model: IterativeSuperResolution, edge: int, passes: list[RefiningPass], most: int
) -> Timed:
    ids = IcetkIds(image_tokens=CODES, pad=CODES + 3, start_of_image=CODES + 80)
    codes = torch.randint(CODES, (1, edge, edge), generator=torch.Generator().manual_seed(2))
    chosen = passes[: most or None]
    began = time.perf_counter()
    refine(model, ids, [CODES + 9, CODES + 8], codes, chosen, choose=[greedy] * len(chosen))
    seconds = time.perf_counter() - began
    return Timed(passes=len(passes), run=len(chosen), seconds=seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edge", type=int, default=60)
    parser.add_argument("--cells", type=int, default=200, help="raster cells that are run; 0: all")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    machine, model, edge = describe(), network(options.edge), options.edge
    with torch.inference_mode():
        timed(model, edge, parallel_passes(edge), 2)  # warms
        parallel = timed(model, edge, parallel_passes(edge), 0)
        raster = timed(model, edge, raster_passes(edge), options.cells)
    print("; ".join(f"{key} {value}" for key, value in machine.items()))
    print("| way | passes | run | a picture |\n|---|---|---|---|")
    for name, one in (("parallel", parallel), ("raster", raster)):
        print(f"| {name} | {one.passes} | {one.run} | {one.whole_s:.2f} s |")
    fewer, faster = raster.passes / parallel.passes, raster.whole_s / parallel.whole_s
    print(f"{fewer:.0f} times fewer passes (aim: at least {AIM}), {faster:.0f} times faster")
    if options.json:
        wire = {
            "machine": machine, "edge": edge, "passes_ratio": fewer, "time_ratio": round(faster, 1),
            "parallel": [parallel.passes, parallel.run, round(parallel.whole_s, 3)],
            "raster": [raster.passes, raster.run, round(raster.whole_s, 3)],
        }  # fmt: skip
        options.json.write_text(json.dumps(wire, indent=1) + "\n", encoding="utf-8")
    return int(fewer < AIM)


if __name__ == "__main__":
    sys.exit(main())
