#!/usr/bin/env bash
# Real VS Code (code-server: VS Code's own server and workbench) and a browser driver: vscode.sh DIR
# A finished folder holds the file `.complete`; a torn install is made anew. Nothing lands outside DIR.
set -euo pipefail
target=${1:?usage: vscode.sh DIR}
here=$(cd "$(dirname "$0")" && pwd)
[ -e "$target/.complete" ] && exit 0

rm -rf "$target"
mkdir -p "$target"
target=$(cd "$target" && pwd)
cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$target/"
cd "$target"

# No install scripts: they would compile kerberos and others, which VS Code without log-in never loads.
npm ci --loglevel=error
# VS Code's own dependencies. Its lock file is out of step with its package.json, so `npm ci` refuses;
# what is pinned is code-server's version, and with it the ranges below it.
(cd node_modules/code-server/lib/vscode && npm install --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error)
# 200 MB that only the built-in chat uses.
rm -rf node_modules/code-server/lib/vscode/node_modules/@github/copilot* \
       node_modules/code-server/lib/vscode/node_modules/@microsoft/mxc-sdk

# Its logger is compiled C++; without one every output channel stays empty.
cp "$here/spdlog.cjs" node_modules/code-server/lib/vscode/node_modules/@vscode/spdlog/index.js

node=$(echo node_modules/node-linux-*/bin/node)
XDG_CONFIG_HOME=$target/.config XDG_DATA_HOME=$target/.data "$node" node_modules/code-server/out/node/entry.js --version
touch .complete
