# make demo   the whole product on a simulated machine      make test   all tests
# make bench  speed measured on this machine                make lint   ruff and mypy
# make fuzz   damaged input for every parser                 make chaos  faults into the running machine
# make audit  known holes of the libraries                   make soak   a long day
# make clean  remove what was set up here
#
# The first run sets up .venv and the pose model; later runs find them done and start at once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: demo test bench lint audit fuzz chaos soak sbom clean model pictures
.DELETE_ON_ERROR:

# The demo sees to the model itself.
demo: $(VENV)/installed
	@$(BIN)/legpress demo $(ARGS)

test: $(VENV)/installed-dev $(VENV)/checked-tests model
	@$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/installed-dev model
	@$(BIN)/legpress bench speed $(ARGS)

lint: $(VENV)/installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/mypy

# COUNT=1000000 takes hours; clips, which are slow, get a hundredth of it.
COUNT ?= 10000
fuzz: $(VENV)/installed-dev
	@$(BIN)/python tests/fuzz.py all $(COUNT) $(ARGS)

# 300 sets accelerated, then half an hour of the real processes; the plot goes to build/.
SETS ?= 300
MINUTES ?= 30
soak: $(VENV)/installed-dev model
	@mkdir -p build
	@$(BIN)/python tests/soak.py $(SETS) $(MINUTES) build

# What the product is made of, as CycloneDX.
sbom: $(VENV)/installed
	@$(BIN)/python .ci/sbom.py

# Known security holes of the locked libraries, where the advisory service can be reached.
audit: $(VENV)/installed
	@$(BIN)/python .ci/audit.py

# Faults into the three real processes; the same seed gives the same schedule.
SEED ?= 1
SEEDS ?= 20
FAULTS ?= 32
chaos: $(VENV)/installed-dev model
	@$(BIN)/python tests/chaos.py $(SEED) $(SEEDS) $(FAULTS)

# docs/pictures, from the same states and history as the tests of the pages.
pictures: $(VENV)/installed-dev
	@PYTHONPATH=tests $(BIN)/python tests/take_pictures.py $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "legpress: no $(PYTHON); run: sudo apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -m device.command.prerequisites
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

# requirements.lock holds the exact versions that were tested; pyproject.toml the range that should do.
$(VENV)/installed: pyproject.toml requirements.lock | $(BIN)/python
	@echo "Installing (once; takes about 750 MB of disk) ..."
	@$(BIN)/python -m pip install --disable-pip-version-check --constraint requirements.lock --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "Installing what the tests need (once) ..."
	@$(BIN)/python -m pip install --disable-pip-version-check --constraint requirements.lock --editable ".[dev]"
	@touch $@

$(VENV)/checked-tests: | $(BIN)/python
	@$(BIN)/python -m device.command.prerequisites --tests
	@touch $@

# Takes a third of a second where the model is there, and proves that it is undamaged.
model: $(VENV)/installed
	@$(BIN)/legpress model build
