# Everything a newcomer types.  Needs Python 3.11 or newer and make, nothing else; no sudo.

PYTHON ?= python3
MUTANTS ?= 10000
KILLS ?= 10000
VENV := .venv
BIN := $(VENV)/bin
ORT := src/audio_emotion/web/page/ort
RUNTIME := $(ORT)/ort-wasm-simd-threaded.wasm.gz
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo serve page test test-batch test-browser fuzz crash bench samples clean
.DEFAULT_GOAL := help

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 15

demo: $(VENV)/base ## Classify the recordings in samples/ with the shipped model
	@$(BIN)/audio-emotion predict samples
	@echo
	@echo "Your own recording:  $(BIN)/audio-emotion predict FILE"

serve: $(VENV)/serve ## Open the page and the service at http://127.0.0.1:8000/
	$(BIN)/audio-emotion serve

page: $(VENV)/base $(RUNTIME) ## Write the page to site/, for any web server (needs npm)
	$(BIN)/audio-emotion page --out site --force

test: $(VENV)/dev ## Run linter, types, doctests and tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --ignore tests/browser

test-browser: $(VENV)/dev $(RUNTIME) ## Test the page in Chromium (needs chromium, node and npm)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile tests/browser

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
	rm -rf $(VENV) $(ORT) node_modules site build dist .mypy_cache .pytest_cache .ruff_cache

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

# The runtime of the page: two of the files of onnxruntime-web, one of them packed.
$(RUNTIME): package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund
	@mkdir -p $(ORT)
	cp node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs $(ORT)/
	gzip -9nc node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm > $@
