# Two commands do everything on a machine that has Python and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test lint docs campaign bench clean

demo: $(VENV)/installed
	$(BIN)/fastgd run --method minibatch

# Compilation takes most of the time: tests of many variants run as plain Python, the others on compiled kernels.
test: $(VENV)/installed-dev
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m plain_python
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not plain_python"

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The pages that scripts write: the vocabulary, the tutorial with its pictures, and the figures of the last campaigns.
docs: $(VENV)/installed-dev
	$(BIN)/python docs/make_vocabulary.py
	$(BIN)/python docs/make_tutorial.py
	$(BIN)/python docs/make_reliability.py

# The long randomised campaigns, which `make test` runs in a short form. Each part takes under 30 minutes and leaves its
# figures in build/campaign; `make docs` merges them into docs/reliability.md. Without PART: all tests that are marked as
# campaigns, and on compiled kernels what `make test` runs as plain Python.
# PART=fuzz reads damaged files of every kind, for FASTGD_FUZZ_SECONDS (75) each.
# PART=sklearn runs the test files of scikit-learn on fastgd.sklearn.
# PART=zoo fits the 1,000 problems of tests/zoo by every method and writes docs/convergence.md.
CAMPAIGN_fuzz := pytest -m campaign -rP tests/fuzz
CAMPAIGN_kills := pytest -m campaign tests/campaign -k "kills or failing_disks"
CAMPAIGN_threads := pytest -m campaign tests/campaign/test_kernel_cache.py
CAMPAIGN_soak := pytest -m campaign tests/campaign -k soak
CAMPAIGN_numbers := pytest -m campaign tests -k "large_indices or float32_sums" && \
  $(BIN)/python -m pytest tests -k many_digits
CAMPAIGN_zoo := tests.zoo.run --count 1000 --write docs/convergence.md
CAMPAIGN_sklearn := pytest -m campaign -rP tests/sklearn_interface
CAMPAIGN_mutation := tests.mutation.run

campaign: export FASTGD_CAMPAIGN_FIGURES = $(CURDIR)/build/campaign
campaign: $(VENV)/installed-dev
ifdef PART
	$(if $(CAMPAIGN_$(PART)),,$(error PART is fuzz, kills, threads, soak, numbers, zoo, sklearn or mutation))
	rm -f build/campaign/$(PART).json
	$(BIN)/python -m $(CAMPAIGN_$(PART))
else
	$(BIN)/python -m pytest -m plain_python
	$(BIN)/python -m pytest -m campaign
endif

bench: $(VENV)/installed-dev
	$(BIN)/fastgd bench $(QUESTIONS)

# The install is editable: sources may change, and only a change of pyproject.toml installs anew.
$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	@echo "installing fastgd and what it needs into $(VENV); this takes a minute, once"
	$(PIP) install --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/python
	@echo "installing fastgd and what its tests need into $(VENV); this takes a minute, once"
	$(PIP) install --editable ".[dev]"
	@touch $@ $(VENV)/installed

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "fastgd needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is another; try make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) *.egg-info build .pytest_cache .mypy_cache .ruff_cache .hypothesis
