# Every target sets up what it needs, from Python 3.11 or newer with pip alone (pyright's Node.js is a wheel too).
# A stamp file says that a step is done: a second call costs nothing until what the step read has changed.

PYTHON ?= python3
JOBS ?= 2
# How long each parser is fuzzed.
FUZZ_SECONDS ?= 30
# Options of the benchmarks: `.venv/bin/python -m benchmarks --help` lists them.
BENCH ?=
# The packages that decide; of them every line and branch must run.
CORE := domain machine rules decider

VENV := .venv
TESTS := $(VENV)/test
PIP := -m pip install --quiet --quiet --disable-pip-version-check
# What lies there under a name that make cannot take is none of ours.
SOURCES := $(shell find src \( -name __pycache__ -o -name '*[!A-Za-z0-9_.-]*' \) -prune -o -print) README.md LICENSE pyproject.toml
PYTEST = $(TESTS)/bin/pytest -n $(JOBS) --dist worksteal --durations 20
EXAMPLE = $(firstword $(sort $(wildcard examples/*.dispute.yaml)))

# The real mermaid and XState; without Node.js, or where npm reaches no registry, what is tested with them is skipped.
JS := $(and $(shell command -v node),$(shell command -v npm),$(VENV)/.js)

# The same versions everywhere, in pip's build environments too.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
unexport PYTHONPATH VIRTUAL_ENV
# Silences pyright's advice to take a newer version: constraints.txt says which.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help demo test test-all mutants fuzz lint format diagrams docs bench dev constraints clean

help: ## say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

demo: $(VENV)/.demo ## run every example, then show the merchant's options at the end of one
	$(VENV)/bin/dispute-fsm run examples/
	$(VENV)/bin/dispute-fsm options $(EXAMPLE)

test: $(TESTS)/.wheel $(JS) ## build the wheel and test it, doctests included; of the long tests run a sample
	$(PYTEST)

test-all: $(TESTS)/.wheel $(JS) ## the same with the long tests whole, and with coverage
	$(PYTEST) --whole --cov --cov-report=
	$(TESTS)/bin/coverage report
	@echo 'Core packages ($(CORE)): every line and branch must have run.'
	$(TESTS)/bin/coverage report --fail-under=100 --include='$(subst $() $(),$(comma),$(CORE:%=src/dispute_fsm/%/*))'

mutants: $(VENV)/.dev ## make every small wrong version of the rules, and see that each is noticed
	$(VENV)/bin/python tools/rule_mutations.py --jobs $(JOBS)

fuzz: $(VENV)/.fuzz ## fuzz every parser, steered by coverage: make fuzz FUZZ_SECONDS=600
	$(VENV)/bin/python tools/fuzz.py --seconds $(FUZZ_SECONDS)

lint: $(VENV)/.dev ## check format, lint, types, the committed pictures and dependencies
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy
	$(VENV)/bin/pyright
	$(VENV)/bin/dispute-fsm diagram --check
	$(VENV)/bin/python tools/audit.py

format: $(VENV)/.dev ## format the code and apply automatic fixes
	$(VENV)/bin/ruff check --fix-only --quiet
	$(VENV)/bin/ruff format

diagrams: $(VENV)/.demo ## draw the pictures in diagrams/ anew
	$(VENV)/bin/dispute-fsm diagram all

docs: $(VENV)/.dev ## build the documentation site into build/docs, and check its links
	rm -rf build/docs
	$(VENV)/bin/python -m sphinx --quiet --fail-on-warning --keep-going -b html -c docs . build/docs
	$(VENV)/bin/python -m tools.website.check build/docs

bench: $(VENV)/.bench ## measure everything side by side with its peers: make bench BENCH="--only decisions start"
	$(VENV)/bin/python -m benchmarks $(BENCH)

dev: $(VENV)/.dev $(JS) ## set up .venv for work: `.venv/bin/pytest tests/...` then runs on the source tree

constraints: ## write constraints.txt anew with the newest versions that fit together
	@$(require-python)
	rm -rf build/constraints && $(PYTHON) -m venv build/constraints
	unset PIP_CONSTRAINT PIP_BUILD_CONSTRAINT; cd build/constraints && \
	  bin/python $(PIP) --upgrade pip && bin/python -m pip uninstall --quiet --yes setuptools && \
	  bin/python $(PIP) $(foreach group,dev fuzz bench,--group ../../pyproject.toml:$(group)) editables -e '../..[all]'
	{ sed -n '/^#/p' constraints.txt; build/constraints/bin/python -m pip freeze --all --exclude dispute-fsm; } >build/constraints.txt
	mv build/constraints.txt constraints.txt && rm -rf build/constraints

clean: ## remove everything that was made
	rm -rf $(VENV) build dist tests/js/node_modules .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -prune -exec rm -rf {} +

define require-python
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
  echo 'make: Python 3.11 or newer is needed, "$(PYTHON)" is not; try: make PYTHON=python3.11' >&2; exit 1; }
endef
comma := ,
NPM := --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000

$(VENV)/.pip: constraints.txt
	@$(require-python)
	@echo 'Making $(VENV)'
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python $(PIP) pip
	@touch $@

$(VENV)/.demo: $(VENV)/.pip pyproject.toml
	@echo 'Installing dispute-fsm[all]'
	@$(VENV)/bin/python $(PIP) -e '.[all]'
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@echo 'Installing the tools for work on it'
	@$(VENV)/bin/python $(PIP) --group dev
	@touch $@

$(VENV)/.fuzz: $(VENV)/.dev
	@echo 'Installing the fuzzer'
	@$(VENV)/bin/python $(PIP) --group fuzz
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	@echo 'Installing what is compared with'
	@$(VENV)/bin/python $(PIP) --group bench
	@touch $@

$(VENV)/.build: $(VENV)/.pip pyproject.toml
	@echo 'Installing the build tools'
	@$(VENV)/bin/python $(PIP) --group build
	@touch $@

dist/.built: $(VENV)/.build $(SOURCES)
	@rm -rf dist
	@echo 'Building the wheel'
	@$(VENV)/bin/python -m build --wheel --no-isolation >$(VENV)/build.log 2>&1 || { cat $(VENV)/build.log >&2; exit 1; }
	@touch $@

$(TESTS)/.wheel: dist/.built constraints.txt
	@echo 'Installing the wheel into $(TESTS)'
	@test -x $(TESTS)/bin/python || $(VENV)/bin/python -m venv $(TESTS)
	@$(TESTS)/bin/python $(PIP) pip
	@$(TESTS)/bin/python $(PIP) --group test "$$(echo dist/*.whl)[all]"
	@$(TESTS)/bin/python $(PIP) --force-reinstall --no-deps dist/*.whl
	@touch $@

$(VENV)/.js: tests/js/package.json | $(VENV)/.pip
	@echo 'Installing what tests/js needs'
	@if npm install --prefix tests/js $(NPM) >/dev/null; then touch $@; \
	  else echo 'npm could not install it, so what is tested with mermaid and XState is skipped.' >&2; fi
