# What a fresh clone needs: Python 3.11 or newer, git and make.  Everything else comes from PyPI into .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint test-wheel test-system test-interop-go test-postgres test-long bench bench-full vectors openapi clean

demo: .venv/demo
	@$(BIN)/counterfoil demo

test: .venv/test
	$(BIN)/python -m pytest -n 2 --dist worksteal --ignore tests/system --ignore tests/interop/go

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The package as users get it: built, installed alone into a fresh environment, its own vectors run against itself and
# against the second verifier that it brings along.
test-wheel: .venv/test
	rm -rf .venv/wheel
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir .venv/wheel .
	$(PYTHON) -m venv .venv/wheel/env
	.venv/wheel/env/bin/python -m pip install --quiet .venv/wheel/counterfoil-*.whl
	cd .venv/wheel && env/bin/counterfoil conformance run --command "env/bin/counterfoil conformance respond"
	cd .venv/wheel && env/bin/counterfoil conformance run --command "env/bin/python $$(find env -name reference_verifier.py)"

# Needs strace (Debian: apt-get install strace).
test-system: .venv/test
	$(BIN)/python -m pytest -n 2 --dist worksteal tests/system

# Needs Go 1.18 or newer (Debian: apt-get install golang-go); it fetches one module, which go.sum pins.
test-interop-go: .venv/test
	go version
	$(BIN)/python -m pytest tests/interop/go

# The stores' contract, the engine and the command line, on the PostgreSQL in POSTGRES: a folder with initdb and postgres (Debian: postgresql-15).
POSTGRES ?= /usr/lib/postgresql/15/bin
test-postgres: .venv/test
	COUNTERFOIL_TEST_POSTGRES=$(POSTGRES) $(BIN)/python -m pytest -n 2 --dist worksteal -k postgres tests/storage tests/engine tests/cli

# The suites that go on for as long as one lets them, for hours: docs/contributing.md.
test-long: .venv/test
	$(BIN)/python -m pytest -n 2 --dist worksteal --long tests/faults tests/simulation tests/system \
		tests/core/test_statement_histories.py tests/core/test_pack_audit.py tests/vectors/test_reference_verifier.py

bench: .venv/bench
	$(BIN)/python tests/bench

bench-full: .venv/bench
	$(BIN)/python tests/bench --full

vectors: .venv/test
	$(BIN)/python vectors/generate.py

openapi: .venv/test
	$(BIN)/python -m tests.web.openapi

clean:
	rm -rf .venv

# Environments: each stamp says what was installed, and is made again when pyproject.toml changes.
.venv/bin/python:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

.venv/demo: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[store]"
	@touch $@

.venv/test: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --editable ".[postgres,server,client]" --group test --group lint
	@touch $@ .venv/demo

.venv/bench: .venv/test
	$(BIN)/python -m pip install --quiet --group bench
	@touch $@
