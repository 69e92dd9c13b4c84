# Sourced by the scripts beside this one: makes an environment for one peer of `glm-lsp bench`.
#
# It goes into ${GLM_LSP_BENCH:-~/.cache/glm-lsp/bench}/peers/NAME, outside the source tree, so that no
# peer's dependencies meet glm-lsp's. PYTHON names the interpreter to make it with (default python3).

set -eu
make_environment() { # NAME
  folder="${GLM_LSP_BENCH:-${XDG_CACHE_HOME:-$HOME/.cache}/glm-lsp/bench}/peers/$1"
  mkdir -p "$(dirname "$folder")"
  [ -x "$folder/bin/python" ] || "${PYTHON:-python3}" -m venv "$folder"
  pip="$folder/bin/python -m pip --disable-pip-version-check"
}
