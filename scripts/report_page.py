"""Print a fine-tuning report page of the newest receipt in docs/receipts, for a screenshot."""

from __future__ import annotations

import json
from pathlib import Path

from glm_codegen.finetune.report_page import report_page

RECEIPTS = Path(__file__).parent.parent / "docs" / "receipts"


def main() -> None:
    """Without curve and examples: those never leave a run's folder."""
    newest = sorted(RECEIPTS.glob("*.json"))[-1]
    receipt = json.loads(newest.read_text(encoding="utf-8"))
    print(report_page(newest.stem, receipt, [], b""))


if __name__ == "__main__":
    main()
