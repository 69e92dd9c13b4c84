"""`python -P -m glm_daemon …` is `glm-lsp serve …` without the command line's other parts."""

import sys

from glm_daemon.main import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
