#!/usr/bin/env bash
# Real screenshots with the text that stands in them: scripts/screens.sh [OUT]   (default: build/screens)
#
# The documents and model cards of this repository as web pages, and the output of its commands in a
# terminal, both in headless Chromium. Screenshots of the editors come from `make test-editors`, which
# installs what this needs; they are taken over where they are there. Then measure:
# .venv/bin/glm-lsp eval vision --screens OUT
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-build/screens}
cache=${GLM_EDITORS_CACHE:-$HOME/.cache/glm-lsp-editors}
editors=$(dirname "$(ls -t "$cache"/vscode-*/.complete 2> /dev/null | head -n 1)")
[ -e "$editors/.complete" ] || { echo "screens: run make test-editors first; it installs the browser's driver." >&2; exit 1; }
GLM_CHROMIUM=$(bash tests/editors/install/chromium.sh)
export GLM_CHROMIUM
rm -rf "$out"
mkdir -p "$out"
pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
cp docs/vision.md docs/http-api.md docs/security.md docs/finetune.md docs/settings.md README.md "$pages"
for model in nano-code nano-vision; do cp "models/$model/README.md" "$pages/card-$model.md"; done
PYTHONPATH="$PWD" .venv/bin/python -P -m scripts.report_page > "$pages/report.html"
"$(echo "$editors"/node_modules/node-linux-*/bin/node)" tests/editors/drive/screens.mjs "$out" "$editors" "$pages"
for text in build/editors/*.json; do
  [ -e "${text%.json}.png" ] && cp "$text" "${text%.json}.png" "$out"
done
echo "$(ls "$out"/*.png | wc -l) screenshots in $out"
