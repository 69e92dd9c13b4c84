"""`python -m glm_codegen.finetune`, for torchrun: the same command."""

from __future__ import annotations

import sys

from glm_codegen.finetune.command import run
from glm_protocol.errors import GlmError

if __name__ == "__main__":
    try:
        sys.exit(run(sys.argv[1:]))
    except GlmError as error:
        print(f"glm-lsp: {error}", file=sys.stderr)
        sys.exit(1)
