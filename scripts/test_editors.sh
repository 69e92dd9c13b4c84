#!/usr/bin/env bash
# Tests in the real editors: scripts/test_editors.sh [vscode|neovim|picture]...   (default: all)
#
# Installs, once, into ${GLM_EDITORS_CACHE:-~/.cache/glm-lsp-editors}: VS Code's server and workbench, Node 24,
# a browser driver, Neovim 0.12. Chromium comes from apt (root) or from GLM_CHROMIUM. Then it packs the
# extension and drives both editors with the fake model, in folders of their own: no user's daemon,
# settings or history is met. "picture" drives both with the models that come with the project, for
# the README's pictures (scripts/readme_pictures.py). Screenshots and results lie in the folder that the last line names.
# GLM_NVIM names a Neovim of your own, GLM_LSP_COMMAND another server, GLM_EDITORS_OUT another folder
# for the results; GLM_VSIX=keep takes the extension that was packed last.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
cache=${GLM_EDITORS_CACHE:-$HOME/.cache/glm-lsp-editors}
out=${GLM_EDITORS_OUT:-$root/build/editors}
install=$root/tests/editors/install
editors=("$@")
[ ${#editors[@]} -gt 0 ] || editors=(vscode neovim picture)

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
fail() { printf 'test-editors: %s\n' "$*" >&2; exit 1; }

[ "$(uname -s)" = Linux ] || fail "the editors' tests run on Linux."
[ -x .venv/bin/glm-lsp ] || fail ".venv/bin/glm-lsp is missing: run make install."
command -v npm > /dev/null || fail "npm is missing: apt install npm (Node 20 or newer)."
mkdir -p "$cache"

# One key for what decides the install: a changed pin or script makes a new folder.
key=$(cat "$install"/package-lock.json "$install"/vscode.sh "$install"/spdlog.cjs | sha256sum | cut -c1-12)
vscode=$cache/vscode-$key
if ! [ -e "$vscode/.complete" ]; then
  say "VS Code's server, Node 24 and a browser driver: about 230 MB to download, 650 MB on disk"
  flock "$cache/.lock" nice -n 10 bash "$install/vscode.sh" "$vscode" \
    || fail "VS Code did not install. Is the npm registry reachable?"
fi
say "Chromium"
GLM_CHROMIUM=$(nice -n 10 bash "$install/chromium.sh") || exit 1
export GLM_CHROMIUM
neovim=${GLM_NVIM:-}
if [ -z "$neovim" ]; then
  key=$(sha256sum < "$install/neovim.sh" | cut -c1-12)
  neovim=$cache/neovim-$key/nvim
  if ! [ -e "$cache/neovim-$key/.complete" ]; then
    say "Neovim 0.12: about 12 MB to download"
    flock "$cache/.lock" nice -n 10 bash "$install/neovim.sh" "$cache/neovim-$key" .venv/bin/python \
      || fail "Neovim did not install. Are the Debian mirror and the Python package index reachable?"
  fi
fi

node=$(echo "$vscode"/node_modules/node-linux-*/bin/node)
PATH=$(dirname "$node"):$PATH
export PATH
if [ "${GLM_VSIX:-}" != keep ] || ! ls plugin_vscode/*.vsix > /dev/null 2>&1; then
  say "the extension"
  bash plugin_vscode/scripts/package.sh
fi

rm -rf "$out"
mkdir -p "$out"
export GLM_TEST_EDITORS="${editors[*]}" GLM_EDITORS_OUT=$out GLM_EDITORS_INSTALLED=$vscode GLM_NVIM=$neovim
status=0
.venv/bin/python -P -m pytest tests/editors -q -s -p no:cacheprovider || status=$?
say "screenshots and results: $out"
exit $status
