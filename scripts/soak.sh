#!/usr/bin/env bash
# What takes too long for CI: scripts/soak.sh [ROUNDS]   (default: 10, about 20 minutes)
#
# The tests of both editors ROUNDS times, then the daemon under 5,000 completions, disconnects and a
# worker killed every few hundred. A round that fails is reported and the next one still runs. Writes
# bench/results/DATE-soak.md, to be committed; ends with 1 if anything failed.
set -uo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-10}
report=bench/results/$(date -u +%F)-soak.md
kept=$(mktemp -d "${TMPDIR:-/tmp}/glm-soak-XXXXXX")
failed=0

began=$SECONDS
for round in $(seq "$rounds"); do
  folder=$kept/$(printf '%02d' "$round")
  mkdir -p "$folder"
  started=$SECONDS
  GLM_EDITORS_OUT=$folder/out GLM_VSIX=$([ "$round" -gt 1 ] && echo keep) \
    timeout 600 bash scripts/test_editors.sh vscode neovim > "$folder/log" 2>&1
  status=$?
  echo "$((SECONDS - started))" > "$folder/seconds"
  echo "$status" > "$folder/status"
  printf 'round %s: exit code %s after %s s\n' "$round" "$status" "$((SECONDS - started))"
  [ "$status" -eq 0 ] || failed=1
done
timeout 900 .venv/bin/python -m bench.soak > "$kept/daemon.md" 2>&1 || failed=1
timeout 3600 .venv/bin/python -m bench.finetune_soak > "$kept/finetune.jsonl" 2> "$kept/finetune.err" || failed=1
.venv/bin/python -m bench.soak_report "$kept" --seconds "$((SECONDS - began))" | tee "$report"
printf '%s; everything kept in %s\n' "$report" "$kept"
exit $failed
