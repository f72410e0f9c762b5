# Every target sets up what it needs, in .venv: a machine with make, bash and Python 3.11 or later is enough.
# uv is used where it is there, because it is faster. Kept to what GNU make 3.81 (macOS) understands.

PYTHON ?= python3
UV     := $(shell command -v uv 2>/dev/null)
SHELL  := bash

OLD_PYTHON = tcop-mock needs Python 3.11 or later, and $(PYTHON) is older; name another: make PYTHON=python3.12 ...

# $(call create,FOLDER) makes a virtual environment; $(call install,FOLDER) ARGUMENTS installs into it.
ifdef UV
create  = uv venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(1)
install = uv pip install --quiet --python $(1)/bin/python
else
create  = $(PYTHON) -m venv $(1)
install = $(1)/bin/python -m pip install --quiet --disable-pip-version-check
endif

# The output of pytest goes through a pipe; MAKE_TERMOUT says (from make 4.1 on) that a terminal is at its end.
PYTEST_FLAGS = -n 4 --dist worksteal $(if $(MAKE_TERMOUT),--color=yes)

.PHONY: help demo test lint unit wheel wheel-suite bench pools docs pins clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: .venv/.run ## Show tcop-mock at work; installs what it needs to run and nothing else
	@.venv/bin/tcop-mock demo

test: lint unit wheel-suite ## Everything that must pass: lint, unit, wheel-suite
	@for log in .venv/unit.log .venv-wheel/unit.log; do tail -n 1 $$log; done

lint: .venv/.dev ## Check style, types, import layers, pins, pools and docs
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/basedpyright
	.venv/bin/lint-imports
	! grep -n '://' requirements/*
	.venv/bin/python scripts/pools.py --check
	.venv/bin/python scripts/cli_docs.py --check
	.venv/bin/python scripts/documents.py --check
	.venv/bin/python scripts/errata.py --check
	.venv/bin/python scripts/clauses_docs.py --check
	.venv/bin/python scripts/openapi.py --check
	.venv/bin/python scripts/profiles.py --check
	.venv/bin/python scripts/proof.py --check
	.venv/bin/python scripts/shapes.py --check

unit: .venv/.dev ## Run the tests on the checkout, but the long proofs; branch coverage must be 100 %
	.venv/bin/coverage erase
	set -o pipefail; .venv/bin/coverage run -m pytest -m "not proof" $(PYTEST_FLAGS) | tee .venv/unit.log
	.venv/bin/coverage combine --quiet
	.venv/bin/coverage report

wheel: .venv/.dev ## Build the source archive and, from it, the wheel: dist/
	rm -rf dist
	.venv/bin/python -m build --no-isolation

wheel-suite: wheel .venv-wheel/.dev ## Run all tests, the proofs too, against the built wheel and without the sources
	$(call install,.venv-wheel) --no-deps --force-reinstall dist/*.whl
	set -o pipefail; scripts/wheel_suite.sh .venv-wheel/bin/python $(PYTEST_FLAGS) | tee .venv-wheel/unit.log

bench: .venv/.dev ## Run the benchmarks
	set -e; for benchmark in benchmarks/*.py; do .venv/bin/python $$benchmark; done

pools: .venv/.dev ## Draw the pools of names anew
	.venv/bin/python scripts/pools.py

docs: .venv/.dev ## Write the generated pages of docs/ anew and build the site: build/site
	.venv/bin/python scripts/cli_docs.py
	.venv/bin/python scripts/documents.py
	.venv/bin/python scripts/errata.py
	.venv/bin/python scripts/clauses_docs.py
	.venv/bin/python scripts/openapi.py
	.venv/bin/python scripts/profiles.py
	.venv/bin/python scripts/proof.py
	.venv/bin/python scripts/shapes.py
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet

PIN = uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make pins' $(if $(UPGRADE),--upgrade)

pins: ## Pin the dependencies anew; UPGRADE=1 takes the newest; needs uv
	$(if $(UV),,@echo 'make pins needs uv: pip install uv'; exit 1)
	$(PIN) --group build --output-file requirements/run.txt
	$(PIN) --group dev --constraints requirements/run.txt --output-file requirements/dev.txt

clean: ## Remove everything that the other targets made
	rm -rf .venv .venv-wheel build dist .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps: an environment is set up again only when its pins or pyproject.toml change.

.venv/.run: requirements/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info < (3, 11) and sys.exit("$(OLD_PYTHON)")'
	rm -rf .venv
	$(call create,.venv)
	$(call install,.venv) --require-hashes -r requirements/run.txt
	$(call install,.venv) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: .venv/.run requirements/dev.txt
	$(call install,.venv) --require-hashes -r requirements/dev.txt
	@touch $@

.venv-wheel/.dev: requirements/dev.txt
	rm -rf .venv-wheel
	$(call create,.venv-wheel)
	$(call install,.venv-wheel) --require-hashes -r requirements/dev.txt
	@touch $@
