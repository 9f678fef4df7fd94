# `make demo` and `make test` set up everything that they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MELTANO := .venv-meltano
MELTANO_READY := $(MELTANO)/.ready
BENCH := .venv-bench
BENCH_READY := $(BENCH)/.ready
# A process more than processors: tests wait for programs that they start.
PYTEST := $(BIN)/python -m pytest -n 3 --dist worksteal

.PHONY: help setup demo test test-all check bench soak clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(READY) $(MELTANO_READY) ## Virtual environments, dependencies, system libraries for ODBC

$(READY): pyproject.toml constraints.txt system-packages.sh
	sh system-packages.sh
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[sandbox]' --group dev
	@touch $@

# Only the tests need Meltano.
$(MELTANO_READY): constraints-meltano.txt $(READY)
	$(BIN)/python -m tests.end_to_end.meltano_environment $(MELTANO)
	@touch $@

demo: $(READY) ## A project on the sample shop, end to end; results in demo-output/
	$(BIN)/python -m sandbox demo --picture docs/terminal.svg

# Build servers set CI=true, and so does .ci/run.
ifeq ($(CI),true)
test: test-all
else
test: setup check ## Lint, types, and all tests but the slow sweeps, which CI (CI=true) runs as well
	$(PYTEST) -m "not slow"
	@echo 'The slow sweeps were not run: `make test-all` includes them.'
endif

test-all: setup check ## What CI runs: `make test` with the slow sweeps
	$(PYTEST)

check: $(READY) ## ruff, its formatter, mypy, and the import contracts of pyproject.toml
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=.:plugins $(BIN)/lint-imports --no-cache

bench: $(BENCH_READY) ## Speed and memory, as ratios to baselines in the same run
	$(BIN)/python -m benchmarks

# matplotlib and the packages to compare with, outside the environment that is measured.
$(BENCH_READY): $(READY)
	$(PYTHON) -m venv --clear $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BENCH)/bin/python -m pip install --quiet --constraint constraints.txt --group bench
	@touch $@

soak: $(READY) ## Thousands of injected faults: figures for docs/reliability.md (SOAK="--seed 7")
	$(BIN)/python -m tests.reliability.soak $(SOAK)

clean: ## Remove everything that make created
	rm -rf $(VENV) $(MELTANO) $(BENCH) demo-output .mypy_cache .pytest_cache .ruff_cache dist build
