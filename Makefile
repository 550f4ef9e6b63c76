# Each of these does everything from a fresh clone on a fresh machine:
#   make up      ends with a running cluster           (ARGS="--workers 3" goes to `ohmykube up`)
#   make test    ends with the verdict of every test   (ARGS="-k ssh" goes to pytest)

VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)

# The Pythons that ansible-core 2.19 runs on.
SUPPORTED := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON = $(firstword $(foreach python,python3 python3.13 python3.12 python3.11,\
	$(shell $(python) -c '$(SUPPORTED)' >/dev/null 2>&1 && echo $(python))))

PACKAGES := python3-venv openssh-client iproute2 nftables systemd-container mmdebstrap zstd
TEST_PACKAGES := $(PACKAGES) openssh-server sudo docker-registry iptables

PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
COVERAGE := --cov --cov-report=term:skip-covered --cov-fail-under=85
LINTS := ruff mypy ansible-lint sanity

.PHONY: up test lint pytest $(LINTS) docs packages test-packages test-browser clean

up: packages $(VENV)/installed
	ohmykube up $(ARGS)

test: test-packages test-browser $(VENV)/installed-dev
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory pytest

lint: $(VENV)/installed-dev
	@$(MAKE) --no-print-directory --jobs 2 --keep-going $(LINTS)

ruff: $(VENV)/installed-dev
	@.ci/stage $@ bash -c 'ruff check . && ruff format --check .'

mypy: $(VENV)/installed-dev
	@.ci/stage $@ mypy

ansible-lint: $(VENV)/installed-dev
	@.ci/stage $@ ansible-lint

sanity: $(VENV)/installed-dev
	@.ci/stage $@ python tests/sanity.py

# One run over everything, so that its closing line is the verdict. Who works on what, tests/conftest.py says.
pytest: $(VENV)/installed-dev
	pytest --numprocesses auto --dist loadscope --no-loadscope-reorder $(COVERAGE) $(ARGS)

docs: $(VENV)/installed-dev
	NO_MKDOCS_2_WARNING=1 mkdocs build

packages:
	@.ci/packages $(PACKAGES)

test-packages:
	@.ci/packages $(TEST_PACKAGES)

# Where a system has it under another name, or none, the tests of the report's page are skipped.
test-browser:
	@.ci/packages chromium || echo "no package chromium here: reports are not opened in it" >&2

$(VENV)/installed: pyproject.toml | $(VENV)
	$(PIP) --editable .
	@touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/installed

$(VENV):
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 with its venv module is needed: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $@

clean:
	rm -rf $(VENV) build dist .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .ansible
