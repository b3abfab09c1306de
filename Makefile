# make demo    the whole story once, on real processes; OBSERVE=1 with Prometheus and dashboards
# make test    every test, in parallel
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3

.PHONY: help setup demo test pictures stress check docs bench clean
.DEFAULT_GOAL := help

help: ## Show what there is to make.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

setup: $(VENV)/.ready ## Make .venv with Trapline and its tools.

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: setup ## Boot the automotive platform, break it a little, account for it. OBSERVE=1: with dashboards.
	@$(BIN)/trapline demo $(if $(OBSERVE),--observe)

test: setup ## Run every test in parallel.
	$(BIN)/python -m pytest -n auto --dist worksteal -q

pictures: setup ## Take pictures of the dashboards (needs chromium and prometheus).
	$(BIN)/python -m deploy.observability.pictures

stress: setup ## Run the ready scenarios and 200 fresh seeds, in parallel.
	$(BIN)/python -m pytest -n auto --dist worksteal -q -m stress tests/stress

check: setup ## Lint, formatting, types, import contracts, generated files.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m deploy.generate --check
	$(BIN)/python -m tests.coverage --check
	$(BIN)/python -m deploy.observability.lint

docs: setup ## Regenerate the reference pages from the tables.
	$(BIN)/python -m deploy.generate
	$(BIN)/python -m tests.coverage

bench: setup ## Compare the real path with plain C libzmq, as ratios (needs cc and libzmq3-dev).
	$(BIN)/python -m tests.bench

clean: ## Remove .venv and everything built.
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
