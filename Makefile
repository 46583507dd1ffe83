.PHONY: help setup serve dev test extras test-servers lint audit docs release demo bench soak chaos lock clean
PY ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
TSC := node_modules/.package-lock.json

help: ## list these commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(STAMP) ## set up the environment only

serve: $(STAMP) ## run the service at http://127.0.0.1:3000
	@$(BIN)/transcription-proxy serve

dev: $(STAMP) ## run the service, restarting when the source changes
	@$(BIN)/watchfiles --filter default --target-type command '$(BIN)/transcription-proxy serve' src

demo: $(STAMP) ## caption a recording from start to receipt
	@$(BIN)/transcription-proxy demo

test: $(STAMP) $(TSC) ## run all tests
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/python -m tests.standin.display
	@$(BIN)/python -m tests.debian
	@$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

extras: $(STAMP) ## install each extra into an empty environment, and start it
	@$(BIN)/pytest -m slow

test-servers: $(STAMP) ## run tests on Debian's PostgreSQL, and through PgBouncer
	@$(BIN)/python -m tests.debian
	@$(BIN)/python -m tests.servers

lint: $(STAMP) $(TSC) ## run ruff, mypy, import-linter, oxlint, tsc and biome
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports
	@$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32 src/transcription_client src/transcription_wire
	@$(BIN)/oxlint && $(BIN)/node node_modules/typescript/bin/tsc
	@$(BIN)/node node_modules/@biomejs/biome/bin/biome ci --log-level=warn

audit: $(STAMP) ## ask for known vulnerabilities of the locked dependencies (needs the internet)
	@$(BIN)/python -m tools.audit

bench: $(STAMP) ## run the benchmarks (half an hour), or some: make bench ROWS="1000 tls" ROUNDS=5 SECONDS=20
	@$(BIN)/python -m tests.debian nginx
	@$(BIN)/python -m bench $(ROWS) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS))
	@$(if $(ROWS),:,$(BIN)/python -m bench.overlay)

soak: $(STAMP) ## let sessions come and go, and see that nothing is left behind: make soak MINUTES=60
	@$(BIN)/python -m bench.soak --minutes $(or $(MINUTES),10)

chaos: $(STAMP) ## break things at random and check the bill: make chaos MINUTES=30 SEED=7
	@$(BIN)/python -m tests.chaos --minutes $(or $(MINUTES),2) $(if $(SEED),--seed $(SEED))

docs: $(STAMP) ## build the documentation in build/site, with the reference made from the code
	@$(BIN)/python -m tools.manual

release: $(STAMP) ## build the wheel and the source archive in dist/, twice, and compare them
	@$(BIN)/python -m tools.release

lock: ## update the lock files from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-header -o requirements.lock
	echo hatchling | uv pip compile pyproject.toml - --extra server -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o deploy/requirements.lock

clean: ## remove the environment and caches, but not the data
	rm -rf .venv node_modules build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(STAMP): requirements.lock pyproject.toml
	@$(PY) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed. Try make PY=python3.12 ...")'
	@test -x $(BIN)/python || $(PY) -m venv .venv
	@echo "Installing dependencies (first time: about a minute) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

$(TSC): package-lock.json package.json | $(STAMP)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --silent --no-audit --no-fund --ignore-scripts
