#!/usr/bin/env bash
# What takes too long for CI: scripts/soak.sh [ROUNDS]   (default: 10)
#
# The tests of both editors ROUNDS times, then the daemon under 5,000 completions, disconnects and a
# worker killed every few hundred. Writes bench/results/DATE-soak.md; ends with 1 if anything failed.
set -uo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-10}
report=bench/results/$(date -u +%F)-soak.md
failed=0

{
  printf '# Soak, %s\n\n' "$(date -u '+%F %H:%M UTC')"
  printf '%s\n\n' "$(.venv/bin/python -c 'from bench.machine import machine_line; print(machine_line())')"
  printf '| round | editors | seconds |\n| --- | --- | --- |\n'
} > "$report"
for round in $(seq "$rounds"); do
  began=$SECONDS
  log=$(mktemp)
  if bash scripts/test_editors.sh > "$log" 2>&1; then
    said=$(grep -Eo '[0-9]+ passed' "$log" | tail -1)
    rm -f "$log"
  else
    failed=1
    said="FAILED: $(grep -E '^FAILED|^ERROR' "$log" | head -3 | tr '\n' ' ') (log: $log)"
  fi
  printf '| %s | %s | %s |\n' "$round" "$said" "$((SECONDS - began))" | tee -a "$report"
done
printf '\n## Daemon\n\n' >> "$report"
.venv/bin/python -m bench.soak | tee -a "$report" || failed=1
printf '%s\n' "$report"
exit $failed
