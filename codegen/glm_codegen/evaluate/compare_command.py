"""`glm-lsp eval compare A.json B.json`: the difference of two runs, hole by hole."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from glm_codegen.evaluate.evaluation import comparison, comparison_table, read_evaluation


def run(argv: Sequence[str]) -> int:
    """The `eval compare` subcommand."""
    parser = argparse.ArgumentParser(
        prog="glm-lsp eval compare",
        description="Compare two runs of `glm-lsp eval repo --json` over their common places: "
        "B minus A with 95 % intervals of the paired difference.",
    )
    parser.add_argument("a", type=Path, help="the first run's JSON file")
    parser.add_argument("b", type=Path, help="the second run's")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    wire = comparison(read_evaluation(options.a), read_evaluation(options.b))
    print(json.dumps(wire) if options.json else comparison_table(wire))
    return 0
