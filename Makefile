# Referral Exchange: every way to run, check and measure it. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PEERS := .venv-bench
JARS := build/java

.DEFAULT_GOAL := help
.PHONY: help install demo test check lint types fast mutants bench chaos sbom lock docs clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## .venv with everything and .venv/bin/refex

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "python3 >= 3.11 is needed; say PYTHON=/path/to/python3.11 make ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: install ## the whole exchange with moving referrals; prints the URL; Ctrl-C stops it
	@$(BIN)/refex demo

test: install ## every test of every kind: lint, types, unit, contract, integration, e2e, browser
	@bash tests/ensure_browser.sh
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports
	$(BIN)/pytest -m "not long"

check: lint types fast ## lint, types and fast tests in under a minute

lint: install
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

types: install
	$(BIN)/mypy

fast: install
	$(BIN)/pytest -q tests/unit tests/contract

mutants: install ## plant every known bug in a copy; its named check must see it (MUTANTS="--random 6", see tests/mutants)
	$(BIN)/python -m tests.mutants.run $(MUTANTS)

chaos: install ## kill -9 under load, tens of thousands of simulated runs, other long failure runs: an hour (docs/chaos.md)
	$(BIN)/pytest -s -m long tests/chaos tests/simulation

bench: install $(PEERS)/.installed $(JARS)/.built ## measured figures, as ratios where they compare (needs mvn for the Java peers)
	BENCH_PEERS=$(CURDIR)/$(PEERS)/bin/python BENCH_JARS=$(CURDIR)/$(JARS) $(BIN)/pytest -s -m long tests/benchmarks
	$(BIN)/python -m tests.benchmarks.page

$(JARS)/.built: $(wildcard tests/benchmarks/engine/java/pom.xml tests/benchmarks/engine/java/src/main/java/bench/*.java)
	mvn -q -B -f tests/benchmarks/engine/java/pom.xml -DbuildDirectory=$(CURDIR)/$(JARS) package
	@touch $@

$(PEERS)/.installed: tests/benchmarks/engine/peers.lock
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

sbom: install ## build/sbom.cdx.json: every pinned package with licence and hashes; fails on a licence not accepted
	$(BIN)/python -m tests.supply.sbom

docs: install ## write the generated documents (docs/flow.md, lifecycle.md, vocabularies.md, asyncapi.yaml)
	$(BIN)/python -m docs.generate

lock: ## make the lock files anew (needs uv)
	uv pip compile pyproject.toml --extra embedded --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock
	uv pip compile tests/benchmarks/engine/peers.in --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet -o tests/benchmarks/engine/peers.lock

clean: ## remove what was built here (keeps the data directory)
	rm -rf $(VENV) $(PEERS) build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
