# All that a machine needs is Python 3.11 or newer with venv, and make. "make help" lists what can be made.
# Nothing here names an absolute path to a program, so that a clone may lie in any folder, one with spaces too.

PYTHON ?= python3
PORT ?= 8888
NB ?=
PY := .venv/bin/python
STANDIN := BACKEND=cupy PYTHONPATH="$(CURDIR)/tests/standin/stub"

.DEFAULT_GOAL := help
.PHONY: help book run test test-peers test-real test-latest bench gpu notebooks lint clean

help:  ## this list
	@awk -F ':.*  ## ' '/^[a-z-]+:.*  ## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo 'PYTHON=python3.12 chooses the interpreter of a new .venv; "make clean" removes the one that is there.'
	@echo 'BACKEND, DTYPE, DATA_DIR, WORKERS and BOOK_LANG are read by the book: see README.md.'

# A virtual environment knows its own place, so a clone that has moved, or was copied, gets a new one.
ifneq ($(shell cat .venv/where 2>/dev/null),$(CURDIR))
.PHONY: .venv/where
endif
.venv/where:
	@"$(PYTHON)" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo 'This book needs Python 3.11 or newer with its module venv; "$(PYTHON)" is:'; \
		"$(PYTHON)" --version; \
		echo 'Install one (on Debian and Ubuntu: apt install python3-venv) and name it: make PYTHON=python3.12 ...'; \
		exit 1; }
	@echo 'Making the virtual environment .venv'
	@"$(PYTHON)" -m venv --clear .venv
	@printf '%s\n' '$(CURDIR)' > .venv/where

# One stamp for each extra of pyproject.toml. Bytecode is left to the first import: a third less to write.
.venv/installed-%: pyproject.toml .venv/where
	@echo 'Installing the packages for "$*" (about half a minute)'
	@$(PY) -m pip install --quiet --no-compile --disable-pip-version-check -e '.[$*]'
	@touch $@

book: .venv/installed-book  ## set up and open the book in JupyterLab (PORT=8888; BROWSER=none: print the address alone)
	@$(PY) -m data sample
	@echo 'JupyterLab starts. Its address follows; Ctrl-C twice ends it.'
	@options=''; \
	if [ "$$(id -u)" = 0 ]; then options='--allow-root'; fi; \
	if [ "$$BROWSER" = none ] || { [ "$$(uname)" = Linux ] && [ -z "$$DISPLAY$$WAYLAND_DISPLAY$$BROWSER" ]; }; then \
		options="$$options --no-browser"; fi; \
	exec $(PY) -m jupyterlab $$options --log-level=WARN --ServerApp.port=$(PORT) --ServerApp.root_dir=book \
		--LabApp.default_url=/lab/tree/00_start.ipynb

run: $(if $(wildcard .venv/installed-book),.venv/installed-book,.venv/installed-test)  ## execute one notebook here: make run NB=05 (result in build/)
	@$(PY) tools/notebooks.py run $(NB)

test: .venv/installed-test  ## all tests and notebooks, on NumPy and on a strict stand-in for CuPy
	BACKEND=numpy $(PY) -m pytest --nbval
	$(STANDIN) $(PY) -m pytest --nbval --ignore=tests/project --ignore=tests/standin

# Where the registry's PyTorch brings CUDA along, this takes the CPU build, a tenth of the size:
# PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make test-peers
test-peers: .venv/installed-test .venv/installed-peers  ## compare with PyTorch on the CPU
	$(PY) -m pytest tests/peers

test-real: .venv/installed-test  ## tests on the real images and tables: make test-real DATA_DIR=...
	@test -n "$(DATA_DIR)" || { \
		echo 'make test-real needs DATA_DIR=..., a folder with flowers/, office31/, mnist/ and tabular/.'; \
		echo '"$(PY) -m data fetch flowers office31 mnist tabular" brings them.'; exit 1; }
	DATA_DIR="$(DATA_DIR)" $(PY) -m pytest tests/real

# In an environment of its own, made anew each time. The project comes without its requirements: upper bounds do not count.
test-latest: .venv/where  ## all tests with the newest versions of everything, above the known bounds too
	$(PY) -m venv --clear .venv-latest
	.venv-latest/bin/python -m pip install --quiet --no-compile --disable-pip-version-check packaging
	.venv-latest/bin/python tools/latest.py > .venv-latest/newest.txt
	.venv-latest/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --upgrade \
		--requirement .venv-latest/newest.txt
	.venv-latest/bin/python -m pip install --quiet --no-compile --disable-pip-version-check --no-deps -e .
	.venv-latest/bin/python -m pip list --disable-pip-version-check
	BACKEND=numpy .venv-latest/bin/python -m pytest --nbval

bench: .venv/installed-test .venv/installed-peers  ## measure speed, PyTorch beside it
	$(PY) -m tests.bench.cpu

# No virtual environment: a GPU machine brings its own Python with CuPy (environment-gpu.yml, or pip install -e '.[gpu,test]').
gpu: export BACKEND := cupy
gpu: export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))
gpu:  ## on a machine with a GPU: tests, notebooks and a first benchmark with CuPy (PYTHON=python3)
	@"$(PYTHON)" -c 'import cupy, pytest, nbval, ipykernel, matplotlib, PIL, tqdm, safetensors, filelock' || { \
		echo '"$(PYTHON)" lacks the package named above: $(PYTHON) -m pip install -e ".[gpu,test]"'; exit 1; }
	"$(PYTHON)" -m pytest --nbval --ignore=tests/project --ignore=tests/standin --junitxml=build/gpu-tests.xml
	"$(PYTHON)" -m tests.bench.gpu --junit build/gpu-tests.xml

notebooks: .venv/installed-test  ## execute the notebooks in place and store their outputs (NB=05: one of them)
	@$(PY) tools/notebooks.py store $(NB)

lint: .venv/installed-lint  ## ruff: rules and formatting
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

clean:  ## remove .venv and what can be made again; results of your own runs in results/ stay
	rm -rf .venv .venv-latest build/sample* build/cache build/*.ipynb build/*.html *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
