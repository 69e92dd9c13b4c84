#!/usr/bin/env bash
# Make the environment that `make demo` and `make test` use: scripts/install.sh VENV
# Safe to run again; a half-made environment is made anew.
set -euo pipefail
venv=${1:?usage: install.sh VENV}
cd "$(dirname "$0")/.."

if [ -t 1 ]; then mark=$(printf "\033[1m==>\033[0m"); else mark="==>"; fi
say() { printf "%s %s\n" "$mark" "$*"; }
fail() { printf 'install: %s\n' "$*" >&2; exit 1; }

find_python() {
  local candidate
  for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  fail "Python 3.11 or newer is needed and was not found. Install it, or run: make PYTHON=/path/to/python3.11 demo"
}

if ! "$venv/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  python=$(find_python)
  say "environment: $venv ($("$python" --version))"
  "$python" -m venv --clear "$venv" || fail "could not make $venv. On Debian and Ubuntu: apt install python3-venv"
fi

pip=("$venv/bin/python" -m pip --disable-pip-version-check)
quiet=(-q)
[ -t 1 ] && quiet=()
"${pip[@]}" install -q 'pip>=25.1'

torch_args=()
[ -n "${TORCH_INDEX_URL:-}" ] && torch_args=(--extra-index-url "$TORCH_INDEX_URL")
if ! "$venv/bin/python" -c 'import torch' 2>/dev/null; then
  plan=$("${pip[@]}" install -q --dry-run --report - -c constraints.txt torch "${torch_args[@]}" 2>/dev/null || true)
  if grep -q '"nvidia-' <<<"$plan"; then
    say "torch comes with its CUDA libraries here: about 3 GB to download."
    say "Without an NVIDIA GPU, stop now (Ctrl-C) and set TORCH_INDEX_URL to PyTorch's CPU wheel index"
    say "(pytorch.org, 'Get Started', Compute Platform: CPU): about 200 MB instead. See docs/install.md."
    sleep 5
  else
    say "torch, CPU build: about 200 MB to download"
  fi
  "${pip[@]}" install "${quiet[@]}" -c constraints.txt torch "${torch_args[@]}"
fi

say "glm-lsp and its packages: about 115 MB to download"
"${pip[@]}" install "${quiet[@]}" -c constraints.txt -e '.[local,finetune]' --group dev
"$venv/bin/glm-lsp" --version
