# `make reproduce` and `make test` each set up what they need in .venv; nothing else has to be installed but
# Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Modules are compiled when they are first imported, and kept so; most of what is installed never is.
INSTALL := -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python $(INSTALL)
SCALE ?= smoke
PAPER ?= santurkar2018

# The lowest and the newest that README claims; say which: make test-versions PYTHON_NEWEST=/path/to/python3.13
find = $(firstword $(foreach name,python$(1) $(wildcard $(HOME)/.pyenv/versions/$(1).*/bin/python$(1)),$(shell $(name) -c 'import sys; print(sys.executable)' 2>/dev/null)))
PYTHON_LOWEST ?= $(or $(call find,3.11),$(PYTHON))
PYTHON_NEWEST ?= $(or $(call find,3.13),$(PYTHON))

.PHONY: reproduce corpus test test-long test-all test-versions check docs bare bench results clean
TESTS := -m pytest -n auto

reproduce: $(VENV)/reproduces ## the paper's claims and figures, on bundled data
	$(BIN)/clinometer reproduce santurkar2018 --scale $(SCALE) --to runs/santurkar2018-$(SCALE)

corpus: $(VENV)/reproduces ## the training runs, healthy ones and others, on which alarms are scored; the smoke part is a long test as well
	$(BIN)/clinometer reproduce instability --scale $(SCALE) --to runs/instability-$(SCALE)

test: $(VENV)/develops ## tests, doctests, the layers, and the snippets of README and docs
	$(BIN)/python $(TESTS) -m "not long"

test-long: $(VENV)/develops ## the tests that take many seconds each: trainers on two processes, benchmarks, C++ compilation, fifty kills
	$(BIN)/python $(TESTS) -m long tests

test-all: $(VENV)/develops ## both in one, without those that a file names: make test-all WITHOUT=.venv-bare/passed
	$(BIN)/python $(TESTS) -m "not quick" $(addprefix --without=,$(WITHOUT))

bench: $(VENV)/develops ## the benchmarks, for their figures: on a machine that does nothing else
	for file in $$(grep -l "def main" benchmarks/*.py); do echo "== $$file"; $(BIN)/python $$file || exit 1; done

check: $(VENV)/develops ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(VENV)/develops ## the site, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

BARE := objective measures probes recorder nn store learning_rate
COMMANDS := tests/learning_rate/test_script.py
COMPILED := $(addprefix tests/recorder/test_,ranks.py compiled.py the_step_taken.py batches_of_a_step.py public_loops.py)

bare: $(VENV)-bare/ready ## the instrument where nothing but torch and NumPy is installed
	@# what compiles or exchanges takes its time from torch alone, which `make test` has just as well
	$(VENV)-bare/bin/python $(TESTS) -m "not long" -p no:cacheprovider --keep-passed=$(VENV)-bare/passed $(addprefix --ignore=,$(COMMANDS) $(COMPILED)) $(addprefix tests/,$(BARE))

# Without trainers, trackers, Ray and the readers of exported tables, whose libraries are not installed there.
COVERED := $(addprefix tests/,objective measures probes recorder nn store training results studies analysis plots report test_versions.py) src
ELSEWHERE := tests/recorder/integrations src/clinometer/recorder/integrations src/clinometer/recorder/sinks.py tests/results/test_export.py

test-versions: $(VENV)-lowest/ready $(VENV)-newest/ready ## most tests, with the lowest and the newest versions that README claims
	for each in lowest newest; do \
	  $(VENV)-$$each/bin/python -c 'import platform, numpy, torch; print("== Python", platform.python_version(), "torch", torch.__version__, "NumPy", numpy.__version__)' && \
	  $(VENV)-$$each/bin/python $(TESTS) -m "not long" -p no:cacheprovider $(addprefix --ignore ,$(ELSEWHERE)) $(COVERED) || exit 1; \
	done

results: MADE = runs/$(PAPER)-$(SCALE)
results: KEPT = results/$(PAPER)/$(SCALE)
results: ## keep what a finished study found, without its runs: make results PAPER=santurkar2018 SCALE=smoke
	mkdir -p $(KEPT)/figures
	cp $(wildcard $(addprefix $(MADE)/,claims.json theorems.json report.html rules.json looks.json)) $(KEPT)
	cp $(MADE)/figures/*.png $(KEPT)/figures
	$(BIN)/python docs/fill.py

clean:
	rm -rf $(VENV) $(VENV)-bare $(VENV)-lowest $(VENV)-newest site

# torch goes first: whatever depends on it then finds it there.
$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "clinometer needs Python 3.11 or newer; found " + sys.version.split()[0] + ". Say which: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/reproduces: $(VENV)/python pyproject.toml constraints.txt
	@echo "Setting up $(VENV): about a minute, once."
	$(PIP) torch
	$(PIP) --editable '.[studies,report,data]'
	@touch $@

$(VENV)/develops: $(VENV)/reproduces
	$(PIP) --editable '.[dev]'
	@# curvlinops brings torchvision, which nothing here uses: built for another torch, it breaks lightning and transformers
	@$(BIN)/python -c 'import torchvision' 2>/dev/null || $(BIN)/python -m pip uninstall --quiet --yes torchvision
	@touch $@

$(VENV)-bare/ready: pyproject.toml constraints.txt $(shell find src -name '*.py')
	$(PYTHON) -m venv $(VENV)-bare
	$(VENV)-bare/bin/python $(INSTALL) torch numpy pytest pytest-xdist hypothesis
	$(VENV)-bare/bin/python $(INSTALL) --no-deps --force-reinstall .
	@touch $@

# On Linux with x86 the package index has torch for CUDA alone: 6 GB on the disk for each of the two.
$(VENV)-lowest/ready: WANTED = 3.11
$(VENV)-lowest/ready: CHOSEN = $(PYTHON_LOWEST)
$(VENV)-newest/ready: WANTED = 3.13
$(VENV)-newest/ready: CHOSEN = $(PYTHON_NEWEST)
$(VENV)-%/ready: pyproject.toml constraints-%.txt
	@$(CHOSEN) -c 'import sys; v = "%d.%d" % sys.version_info[:2]; v == "$(WANTED)" or print("Python $(WANTED) was not found, so this takes", v, "- say where it is: make PYTHON_$(shell echo $* | tr a-z A-Z)=/path/to/python$(WANTED)")'
	rm -rf $(VENV)-$*
	$(CHOSEN) -m venv $(VENV)-$*
	$(VENV)-$*/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir -c constraints-$*.txt torch numpy pytest pytest-xdist hypothesis
	$(VENV)-$*/bin/python -m pip install --quiet --disable-pip-version-check --no-cache-dir -c constraints-$*.txt --editable '.[studies,report,data,export]'
	@touch $@
