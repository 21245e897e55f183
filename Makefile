# Only python3 >= 3.11 and make are needed: the first target prepares .venv by itself.
PYTHON ?= python3
ARGS ?=
BOOT = $(PYTHON) -S deploy/bootstrap.py
BIN = .venv/bin
.DEFAULT_GOAL := help
.PHONY: help demo test lint bench chaos mutants load

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile

demo: ## start everything with demo data and the sandbox (PORT, SANDBOX_PORT)
	@$(BOOT) run && exec $(BIN)/python -m bot demo $(ARGS)

test: ## run all tests (ARGS="-k welcome" to choose)
	@$(BOOT) dev && $(BIN)/python deploy/test_services.py && exec $(BIN)/python -m pytest -n auto --dist loadgroup $(ARGS)

lint: ## formatting, lint, types, import contracts
	@$(BOOT) dev && $(BIN)/ruff format --check && $(BIN)/ruff check && $(BIN)/mypy && $(BIN)/lint-imports --no-logo

bench: ## benchmarks, as ratios to baselines of the same run
	@$(BOOT) run && exec $(BIN)/python -m bot bench $(ARGS)

chaos: ## let processes, servers, networks and the platform fail for minutes; the ledgers are compared
	@$(BOOT) dev && $(BIN)/python deploy/test_services.py && $(BIN)/python -m tests.chaos
	@$(BIN)/python -m tests.cluster_chaos --engine postgresql && $(BIN)/python -m tests.cluster_chaos --engine mariadb

mutants: ## plant known bugs one at a time; the tests must notice each (ARGS="--list", ARGS="--only NAME")
	@$(BOOT) dev && $(BIN)/python deploy/test_services.py && exec $(BIN)/python -m tests.mutants $(ARGS)

load: ## 200 callbacks a second, 5,000 at once, a day in simulated time, on both servers; the ledgers are compared
	@$(BOOT) dev && $(BIN)/python deploy/test_services.py && $(BIN)/python -m tests.load --all
