#!/bin/bash
# The speed tables of docs/speed.md, measured on this machine: scripts/measure_speed.sh [first|second|…]
#
# Parts, each a few minutes on a quiet machine; without a name all of them:
#   small   nano-code and S (46M) against every peer that scripts/peers/ installed, int8 and int4
#   middle  M (494M), the same
#   edge    1.5B and 3B in int4: tokens a second and memory
#   typing  the replay, 1 to 64 editors; agreement   best tokens against float32
#   cold    from nothing running to the first completion
# Writes bench/results/DATE-speed-*.json. Two threads; GLM_LSP_BENCH names the folder of peers and models.
set -eu
cd "$(dirname "$0")/.."
to="bench/results/$(date -u +%F)-speed"
bench() { .venv/bin/glm-lsp bench "$@"; }
peers=llama.cpp,openvino,transformers,vllm

small() {
  bench engine --model nano-code --threads 2 --peers torch,transformers --output "$to-nano-code.json"
  bench engine --model S --threads 2 --peers $peers --output "$to-S.json"
  bench engine --model S --bits 4 --threads 2 --peers llama.cpp,openvino --output "$to-S-int4.json"
}
middle() {
  bench engine --model M --threads 2 --rounds 3 --peers llama.cpp,openvino --output "$to-M.json"
  bench engine --model M --bits 4 --threads 2 --rounds 3 --peers llama.cpp --output "$to-M-int4.json"
  bench engine --model M --threads 2 --quick --peers transformers,vllm --output "$to-M-floats.json"
}
edge() { bench engine --model 1.5B,3B --bits 4 --threads 2 --quick --peers none --output "$to-edge.json"; }
typing() { bench replay --editors 1,2,4,8,16,32,64 --threads 2 --output "$to-replay.json"; }
agreement() { bench agreement --output "$to-agreement.json"; }
cold() { bash scripts/measure_cold_start.sh | tee "$to-cold.md"; }

for part in "${@:-small middle edge typing agreement cold}"; do
  for one in $part; do "$one"; done
done
