#!/usr/bin/env bash
# Style, types and rules of import: scripts/lint.sh BIN
set -euo pipefail
bin=${1:?usage: lint.sh BIN}
cd "$(dirname "$0")/.."
"$bin/ruff" check .
"$bin/ruff" format --check .
"$bin/mypy"
PYTHONPATH=. "$bin/lint-imports" --config .importlinter
