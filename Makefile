# `make` alone prints this help. Every command sets up what it needs; see scripts/set_up.py.

# The first Python >= 3.11 on the path; another one: make PYTHON=/path/to/python run
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$name" && break; done)
BIN := .venv/bin
SET_UP = $(if $(PYTHON),$(PYTHON),$(error Python 3.11 or newer is needed, and none is on the path)) scripts/set_up.py
LOCK := .tools/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock" --extra postgres
# A new release is taken a week after it appeared, when the bad ones have been found out.
COOLDOWN := --exclude-newer "7 days"

# Where the environment forbids Python to keep what it has compiled, each start of the program takes twice as long.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run scale dev test check fix bench audit lock clean set-up-run set-up-dev

help: ## print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: set-up-run ## serve on http://127.0.0.1:8000 (settings: ORCHESTRATOR_PORT, ORCHESTRATOR_DATA_DIR, …)
	@$(BIN)/python -m orchestrator_app build
	@exec $(BIN)/python -m orchestrator_app serve

scale: set-up-run ## serve with two workers beside, on the PostgreSQL database of ORCHESTRATOR_DATABASE_URL
	@$(BIN)/python -m orchestrator_app build
	@exec $(BIN)/python scripts/scale.py

dev: set-up-dev ## serve, and start anew whenever a source changes
	@exec $(BIN)/python -m orchestrator_app dev

test: set-up-test ## run all tests, then check the coverage
	@$(BIN)/python -m orchestrator_app build
	@rm -f .coverage .coverage.*
	$(BIN)/python scripts/all_tests.py
	@$(MAKE) --no-print-directory coverage

check: set-up-dev ## check format, lint, types, import contracts and dead code
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright
	$(BIN)/lint-imports --no-cache --no-logo
	$(BIN)/python scripts/dead_code.py

fix: set-up-dev ## format, and mend what the linter can mend by itself
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format --quiet .

bench: set-up-dev ## measure the engine and print the figures
	@$(BIN)/python -m orchestrator_app build
	@$(BIN)/python -m bench

audit: set-up-dev ## look for known vulnerabilities in the locked packages (needs the network)
	$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements/run.txt
	cd reflex.lock && ../$(BIN)/bun audit

lock: set-up-dev ## resolve the packages anew within pyproject.toml and write requirements/
	$(LOCK) $(COOLDOWN) --upgrade --output-file requirements/run.txt
	$(LOCK) $(COOLDOWN) --upgrade --group dev --constraint requirements/run.txt --output-file requirements/dev.txt

clean: ## remove everything that make can make again (never the data)
	rm -rf .cache .tools .venv .web assets/external .coverage .coverage.* .hypothesis .import_linter_cache \
		.pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The parts that are no commands of their own.

.PHONY: set-up-test coverage
set-up-run:
	@$(SET_UP) run

set-up-dev:
	@$(SET_UP) dev

set-up-test:
	@$(SET_UP) dev --browser

coverage:
	$(BIN)/coverage report --fail-under=90
	$(BIN)/coverage report --include='orchestrator_app/domain/*,orchestrator_app/runner/*' --fail-under=100
