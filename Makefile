# Every target sets up what it needs. On a fresh machine: python3 >= 3.11 and make; cargo if there is one.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

UV_VERSION := 0.13.9
UV := .tools/bin/uv
PASSPORT := .venv/bin/passport
CARGO := $(shell command -v cargo)

export UV_PYTHON_DOWNLOADS := never
export UV_PYTHON_PREFERENCE := only-system
export UV_PROJECT_ENVIRONMENT := .venv

.PHONY: help serve test check format smoke bench campaign-restart campaign-rotation clean

help: ## these lines
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

# uv comes from PyPI into .tools; the workspace goes into .venv as uv.lock says.
$(UV):
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "python3 >= 3.11 is needed")'
	python3 -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.synced: $(UV) uv.lock pyproject.toml $(wildcard packages/*/pyproject.toml)
	$(UV) sync --locked --quiet --python "$$(command -v python3)"
	@touch $@

serve: .venv/.synced ## run the service in the development profile, and say what to try
	@$(PASSPORT) serve --dev

test: .venv/.synced ## every test
	.venv/bin/pytest

check: .venv/.synced ## format, lint, strict types, import contracts, Rust where cargo is
	.venv/bin/ruff format --check --quiet .
	.venv/bin/ruff check --quiet .
	.venv/bin/mypy --no-error-summary
	.venv/bin/lint-imports --no-cache > .tools/imports.log || { cat .tools/imports.log; exit 1; }

format: .venv/.synced ## put the code into its form
	.venv/bin/ruff format --quiet .
	.venv/bin/ruff check --quiet --fix .

clean: ## away with everything that was made
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis dist bench/rivals/axum/target
