# Everything starts from a bare python3: the first call of a target installs what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# The first of these that is new enough; say PYTHON=... to choose another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$p; break; fi; done)

BIN := .venv/bin
SERVICES := .venv-services
BENCH := .venv-bench
SITE := .venv-docs
UV := .tools/bin/uv
INSTALL := $(UV) pip install --quiet --require-hashes
SYNC := $(UV) pip sync --quiet --require-hashes
PROJECT := $(UV) pip install --quiet --no-deps --no-build-isolation --editable .
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url \
	--no-header --python-version 3.11
WORKERS ?= 2
PEERS ?= polars,duckdb,clickhouse,spark

# With it every process of demo and tests would compile its libraries again: 3 s each.
unexport PYTHONDONTWRITEBYTECODE

# A time zone that no correct result depends on.
TEST := TZ=Asia/Kathmandu PYTHONHASHSEED=random
# Stealing keeps a file's tests together, so that what they share is made once.
PYTEST := python -m pytest -n $(WORKERS) --dist worksteal

# uv does not read pip's settings; an index chosen in the environment counts for both.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

.PHONY: help
help:  ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

.PHONY: demo
demo: .venv/.base  ## Simulate a market, load, correct and question it (under a minute)
	@INGOT=$(BIN)/ingot bash examples/demo.sh

.PHONY: test
test: .venv/.dev  ## Run the hermetic tests: no network, no JVM, random order
	$(TEST) $(BIN)/$(PYTEST) -m "not services" $(ARGS)

.PHONY: test-services
test-services: $(SERVICES)/.installed  ## Run the tests that start real servers (Java needed)
	@command -v java >/dev/null || { echo "There is no java, which Spark needs." \
		"Install it, for example: apt-get install -y openjdk-17-jre-headless"; exit 1; }
	$(TEST) INGOT_TESTS_NETWORK=1 $(SERVICES)/bin/$(PYTEST) -m services $(ARGS)

.PHONY: lint
lint: .venv/.dev  ## Check style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

.PHONY: format
format: .venv/.dev  ## Rewrite the code in the house's format
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

.PHONY: bench
bench: $(BENCH)/.installed  ## Measure against PEERS=polars,duckdb,clickhouse,spark
	$(BENCH)/bin/python -m benchmarks --peers $(PEERS) $(ARGS)

.PHONY: wheel
wheel: .venv/.base  ## Build the wheel and load a small lake with it in an empty environment
	@rm -rf dist build/wheel
	@$(UV) build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir dist
	@$(UV) venv --quiet --python "$(PYTHON)" build/wheel
	@$(INSTALL) --python build/wheel/bin/python -r requirements/base.txt
	@$(UV) pip install --quiet --no-deps --python build/wheel/bin/python dist/*.whl
	@$(UV) pip check --quiet --python build/wheel/bin/python
	@bash .ci/wheel build/wheel/bin

.PHONY: docs
docs: .venv/.base  ## Write docs/reference/ and the notebook from the code and the tutorial
	$(BIN)/python docs/generate.py
	$(BIN)/python -m docs.notebook

.PHONY: site
site: $(SITE)/.installed  ## Build docs/ as a site into site/; a broken link is an error
	@$(SITE)/bin/zensical build --strict --clean --config-file zensical.toml

.PHONY: lock
lock: $(UV)  ## Resolve requirements/*.txt again, with hashes
	$(COMPILE) --upgrade --group uv --output-file requirements/uv.txt
	$(COMPILE) --upgrade pyproject.toml --group dev --output-file requirements/dev.txt
	$(COMPILE) pyproject.toml --group build -c requirements/dev.txt \
		--output-file requirements/base.txt
	$(COMPILE) pyproject.toml --group dev --extra spark -c requirements/dev.txt \
		--output-file requirements/spark.txt
	$(COMPILE) pyproject.toml --group build --group bench -c requirements/spark.txt \
		--output-file requirements/bench.txt
	$(COMPILE) --group docs -c requirements/dev.txt --output-file requirements/docs.txt

.PHONY: clean
clean:  ## Remove environments, caches and the demo's lake
	rm -rf .venv .venv-services .venv-bench .venv-docs .tools demo build dist site
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# Environments. Each stamp is newer than the lock that it was installed from.

$(UV): requirements/uv.txt
	@test -n "$(PYTHON)" || { echo "Ingot needs Python 3.11 or newer; python3 is" \
		"$$(python3 --version 2>&1 || true). Install one, or say make PYTHON=/path/to/python"; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make" \
		"environments. On Debian and Ubuntu: apt-get install -y python3-venv"; exit 1; }
	@echo "Preparing .tools (uv)"
	@"$(PYTHON)" -m venv .tools
	@.tools/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --only-binary :all: -r requirements/uv.txt
	@touch $@

.venv/.base: $(UV) requirements/base.txt pyproject.toml
	@echo "Installing Ingot into .venv"
	@test -x $(BIN)/python || $(UV) venv --quiet --python "$(PYTHON)" .venv
	@$(INSTALL) --python $(BIN)/python -r requirements/base.txt
	@$(PROJECT) --python $(BIN)/python
	@touch $@

.venv/.dev: .venv/.base requirements/dev.txt
	@echo "Installing the test tools into .venv"
	@$(SYNC) --python $(BIN)/python requirements/dev.txt
	@$(PROJECT) --python $(BIN)/python
	@touch $@

$(SERVICES)/.installed: $(UV) requirements/spark.txt pyproject.toml
	@echo "Installing Ingot with Spark into $(SERVICES)"
	@test -x $(SERVICES)/bin/python || $(UV) venv --quiet --python "$(PYTHON)" $(SERVICES)
	@$(SYNC) --python $(SERVICES)/bin/python requirements/spark.txt
	@$(PROJECT) --python $(SERVICES)/bin/python
	@touch $@

$(BENCH)/.installed: $(UV) requirements/bench.txt pyproject.toml
	@echo "Installing Ingot and its peers into $(BENCH)"
	@test -x $(BENCH)/bin/python || $(UV) venv --quiet --python "$(PYTHON)" $(BENCH)
	@$(SYNC) --python $(BENCH)/bin/python requirements/bench.txt
	@$(PROJECT) --python $(BENCH)/bin/python
	@touch $@

$(SITE)/.installed: $(UV) requirements/docs.txt
	@echo "Installing what builds the site into $(SITE)"
	@test -x $(SITE)/bin/python || $(UV) venv --quiet --python "$(PYTHON)" $(SITE)
	@$(SYNC) --python $(SITE)/bin/python requirements/docs.txt
	@touch $@
