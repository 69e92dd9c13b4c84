#!/bin/bash
# From nothing running to the first completion of nano-code, three times each way: native, then torch.
# The whole way: command, daemon, worker, model, answer. Private folders; each daemon is stopped again.
set -eu
cd "$(dirname "$0")/.."
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
printf 'def mean(values):\n    total = sum(values)\n    return \n' > "$room/sample.py"
export GLM_LSP_HOME="$room/home" GLM_LSP_RUNTIME="$room/run"

echo "$(date -u '+%F %H:%M UTC'); $(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2), $(nproc) cores; load $(cut -d' ' -f1 /proc/loadavg)"
for native in 1 0; do
  for round in 1 2 3; do
    began=$(date +%s%N)
    GLM_LSP_NATIVE=$native .venv/bin/glm-lsp complete "$room/sample.py" --line 3 --column 12 > "$room/out"
    ended=$(date +%s%N)
    [ -s "$room/out" ] || echo "nothing was completed"
    echo "$([ $native = 1 ] && echo native || echo torch), round $round: $(((ended - began) / 1000000)) ms"
    .venv/bin/glm-lsp stop > /dev/null
  done
done
