# make demo: set up, then the main job on the embedded digits.   make test: set up, then every check.
# make docs: set up, then the documentation site.
PYTHON ?= python3
BIN = .venv/bin
# With npm the tests try the hub's JavaScript client too; without it they skip that, so its failure is ignored.
# On Linux the default torch brings gigabytes of CUDA; this index has the CPU build. Without it any torch will do.
TORCH_INDEX = https://download.pytorch.org/whl/cpu

.PHONY: demo test docs format clean

demo: .venv/ready
	$(BIN)/metazoo demo

test: .venv/ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

docs: .venv/ready-docs
	$(BIN)/python docs/pages.py

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
	-npm install --silent --fetch-retries 0 --fetch-timeout 20000 --prefix .venv/js @huggingface/hub@2.17.5
	touch $@

.venv/ready-docs: .venv/ready
	$(BIN)/pip install --quiet -c constraints.txt -e '.[docs]'
	touch $@

clean:
	rm -rf .venv *.egg-info
