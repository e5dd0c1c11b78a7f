# make demo: set up, then the main job on the embedded digits.   make test: set up, then every check.
PYTHON ?= python3
BIN = .venv/bin
# On Linux the default torch brings gigabytes of CUDA; this index has the CPU build. Without it any torch will do.
TORCH_INDEX = https://download.pytorch.org/whl/cpu

.PHONY: demo test format clean

demo: .venv/ready
	$(BIN)/metazoo demo

test: .venv/ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest

format: .venv/ready-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.venv/torch: constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --retries 1 --timeout 20 --no-deps --extra-index-url $(TORCH_INDEX) -c constraints.txt torch
	touch $@

.venv/ready: .venv/torch pyproject.toml
	$(BIN)/pip install --quiet -c constraints.txt -e .
	touch $@

.venv/ready-dev: .venv/ready
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv *.egg-info
