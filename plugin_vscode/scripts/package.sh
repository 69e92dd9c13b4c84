#!/usr/bin/env bash
# plugin_vscode/glm-lsp-VERSION.vsix: types checked, tested, bundled, packed. Packing needs no network;
# only the first run does, for the pinned development packages (npm ci).
set -euo pipefail
cd "$(dirname "$0")/.."
fail() { printf 'vsix: %s\n' "$*" >&2; exit 1; }

node_ok() { node -e 'process.exit(+(process.versions.node.split(".")[0] < 22))' 2> /dev/null; }
if ! node_ok; then
  # The one that `make test-editors` installs.
  for bin in "${GLM_EDITORS_CACHE:-$HOME/.cache/glm-lsp-editors}"/vscode-*/node_modules/node-linux-*/bin; do
    [ -x "$bin/node" ] && PATH=$bin:$PATH && break
  done
fi
node_ok || fail "Node 22 or newer is needed. Install it, or run: make test-editors"
if ! cmp -s package-lock.json node_modules/.installed-lock; then
  npm ci --prefer-offline --loglevel=error || fail "the development packages did not install. Is the npm registry reachable?"
  cp package-lock.json node_modules/.installed-lock
fi
npm run --silent typecheck
npm run --silent test -- --test-reporter=dot > /dev/null || { npm run --silent test; exit 1; }
rm -rf dist ./*.vsix
npm run --silent package > package.log 2>&1 || { cat package.log >&2; exit 1; }
rm package.log
vsix=$(echo *.vsix)
size=$(stat -c %s "$vsix" 2> /dev/null || stat -f %z "$vsix")
[ "$size" -lt 2000000 ] || fail "$vsix is $size bytes; under 2 MB was promised."
echo "plugin_vscode/$vsix ($((size / 1000)) kB)"
