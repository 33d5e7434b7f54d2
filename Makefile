# Everything a newcomer types.  Needs Python 3.11 or newer and make, nothing else; no sudo.

PYTHON ?= python3
MUTANTS ?= 10000
KILLS ?= 10000
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo serve test test-batch fuzz crash bench samples clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/base ## Classify the recordings in samples/ with the shipped model
	@$(BIN)/audio-emotion predict samples
	@echo
	@echo "Your own recording:  $(BIN)/audio-emotion predict FILE"

serve: $(VENV)/serve ## Answer by HTTP at http://127.0.0.1:8000/
	$(BIN)/audio-emotion serve

test: $(VENV)/dev ## Run linter, types, doctests and tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

test-batch: $(VENV)/dev ## Kill a batch, and a node of a cluster, until both are done (KILLS=20 FILES=20000 for more)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/batch_kills.py

fuzz: $(VENV)/dev ## Predict 10,000 damaged recordings (MUTANTS=300 for fewer)
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz.py --count $(MUTANTS)

crash: $(VENV)/dev ## Kill each command at each operation, and see it go on (KILLS=20 for fewer)
	OMP_NUM_THREADS=1 $(BIN)/python tests/crash.py --most $(KILLS)

bench: $(VENV)/dev ## Measure speed side by side and write benchmarks/results.md
	$(BIN)/python benchmarks/run.py

samples: $(VENV)/base ## Make the recordings in samples/ again (needs espeak-ng)
	$(BIN)/python samples/make_samples.py

clean: ## Remove the environment and everything built
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/base: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e .
	@touch $@

$(VENV)/serve: $(VENV)/base
	$(PIP) -e '.[serve]'
	@touch $@

$(VENV)/dev: $(VENV)/base
	$(PIP) -e '.[dev]'
	@touch $@
