# Each target sets up .venv by itself. PYTHON chooses the interpreter (3.11 to 3.13).
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
# Small nets run fastest with one thread a process.
export OMP_NUM_THREADS ?= 1

.PHONY: quick test lint docs speed peers setup clean

quick: $(READY)  ## run the quick suite, print the tables, name the report
	$(BIN)/python run_all.py run --suite quick

test: $(READY)  ## run the tests that are not slow
	$(BIN)/python -m pytest -q -n auto --dist loadfile

lint: $(READY)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=.venv/types $(BIN)/mypy --no-incremental

# The extra `peers` goes to a folder of its own, without what it depends on: torchmetrics imports
# torch-fidelity wherever it sees it, and that needs a torchvision that many machines lack.
PEERS := geomloss prdc pytorch-fid torch-fidelity torchcfm vendi-score zuko \
	torchgfn certifi einops importlib_metadata orjson psutil pyvers requests tensordict \
	torch_geometric urllib3 zipp
.venv/peers/ready: $(READY)
	$(BIN)/python -m pip install -q --no-deps --upgrade --target .venv/peers -c constraints.txt $(PEERS)
	touch $@

speed: .venv/peers/ready  ## time metrics and training steps against their peers
	env -u OMP_NUM_THREADS $(BIN)/python run_all.py speed

peers: .venv/peers/ready  ## the tests that compare with other libraries
	$(BIN)/python -m pytest -q -m peers

.venv/docs: $(READY)
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[docs]"
	touch $@

docs: .venv/docs  ## the documentation, as pages in build/docs
	$(BIN)/sphinx-build -q -W --keep-going -d build/doctrees docs build/docs
	@echo "Wrote build/docs/index.html"

setup: $(READY)  ## make the environment alone

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else "Expected Python 3.11 to 3.13, got %d.%d; call make PYTHON=python3.12." % v[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[dev]"
	mkdir -p .venv/types
	ln -sfn "$(CURDIR)" .venv/types/dgmbench
	touch $(READY)

clean:
	rm -rf .venv build dist *.egg-info
