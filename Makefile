# glm-lsp: `make demo` shows it at work, `make test` checks it. Both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test test-unit lint install soak bench clean test-editors vsix
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.installed ## environment and packages, once

$(VENV)/.installed: pyproject.toml constraints.txt scripts/install.sh
	@PYTHON="$(PYTHON)" bash scripts/install.sh $(VENV)
	@touch $@

demo: install ## the main job on a real file of this repository
	@PYTHONPATH="$(CURDIR)" $(BIN)/python -u -m scripts.demo

lint: install ## ruff, mypy, import rules
	@bash scripts/lint.sh $(BIN)

test: install lint ## lint and the whole test suite
	@$(BIN)/python -P -m pytest tests -q

test-unit: install ## the tests that start no process
	@$(BIN)/python -P -m pytest tests -q -m "not e2e"

test-editors: install ## both plug-ins in real VS Code and real Neovim
	@bash scripts/test_editors.sh

vsix: ## plugin_vscode/*.vsix, the VS Code extension
	@bash plugin_vscode/scripts/package.sh

soak: install ## what takes hours: editors ten times, the daemon under kills
	@bash scripts/soak.sh

bench: install ## everything but the model, timed
	@$(BIN)/python -m bench.latency

clean: ## what was built; the environment and downloads stay
	@rm -rf build dist plugin_vscode/dist plugin_vscode/*.vsix .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
