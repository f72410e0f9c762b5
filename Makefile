# Every target sets up what it needs, in .venv: a machine with make, bash and Python 3.11 or later is enough.
# uv installs the pins, because it is faster; pip does where uv cannot. Kept to what GNU make 3.81 (macOS) understands.

PYTHON ?= python3
SHELL  := bash
export PYTHONPATH := $(CURDIR)
# Without byte code on disk, each of some thousand processes would compile all that it imports.
export PYTHONDONTWRITEBYTECODE :=

OLD_PYTHON = tcop-mock needs Python 3.11 or later, and $(PYTHON) is older; name another: make PYTHON=python3.12 ...

# $(pip) ARGUMENTS installs into .venv; $(call install,ARGUMENTS) does, too, by uv if it can.
pip     = .venv/bin/python -m pip install --quiet --disable-pip-version-check
install = .venv/bin/uv pip install --quiet --python .venv/bin/python $(1) || $(pip) $(1)

# The output of pytest goes through a pipe; MAKE_TERMOUT is set (from make 4.1 on) if a terminal is at its end.
PYTEST_FLAGS = -n 3 --dist worksteal $(if $(MAKE_TERMOUT),--color=yes)

.PHONY: help demo test lint unit wheel bench pools docs pins clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: .venv/.run ## Show tcop-mock at work; installs what it needs to run and nothing else
	@.venv/bin/python -m tcop_mock demo

test: .venv/.dev ## Everything that must pass: lint and unit, at once
	@$(MAKE) --no-print-directory -j 2 .venv/.lint unit
	@grep -h ' passed' .venv/unit.log

lint: .venv/.dev ## Check style, types, import layers, pins, pools and generated pages
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/basedpyright
	.venv/bin/lint-imports
	! grep -n '://' requirements/*
	.venv/bin/python scripts/pools.py --check
	.venv/bin/python scripts/generated.py --check

# Lint beside the tests: its output comes in one piece. There is no such file, so it always runs.
.venv/.lint:
	@$(MAKE) --no-print-directory lint > .venv/lint.log 2>&1; code=$$?; cat .venv/lint.log; exit $$code

unit: wheel ## Run all tests against the wheel (branch coverage must be 100 %) and on the checkout those about it
	$(call install,--no-deps --force-reinstall dist/*.whl)
	set -o pipefail; scripts/suite.sh .venv/bin/python $(PYTEST_FLAGS) | tee .venv/unit.log

wheel: .venv/.dev ## Build the source archive and, from it, the wheel: dist/
	rm -rf dist
	.venv/bin/python -m build --no-isolation

bench: .venv/.dev ## Run the benchmarks: tables of ratios to named peers
	@.venv/bin/python benchmarks/run.py

pools: .venv/.dev ## Draw the pools of names anew
	.venv/bin/python scripts/pools.py

docs: .venv/.dev ## Write the generated pages of docs/ anew and build the site: build/site
	.venv/bin/python scripts/pictures.py --screenshots
	.venv/bin/python scripts/console_pictures.py
	.venv/bin/python scripts/generated.py
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet

PIN = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make pins' $(if $(UPGRADE),--upgrade)

pins: .venv/.uv ## Pin the dependencies anew; UPGRADE=1 takes the newest
	$(PIN) --group setup --output-file requirements/uv.txt
	$(PIN) pyproject.toml --group build --output-file requirements/run.txt
	$(PIN) pyproject.toml --group dev --constraints requirements/run.txt --output-file requirements/dev.txt
	$(PIN) pyproject.toml --group build --group action --constraints requirements/dev.txt \
		--output-file requirements/action.txt

clean: ## Remove everything that the other targets made
	rm -rf .venv build dist .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps: packages are installed again only when their pins change.

.venv/.python:
	@$(PYTHON) -c 'import sys; sys.version_info < (3, 11) and sys.exit("$(OLD_PYTHON)")'
	rm -rf .venv
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.run: .venv/.python requirements/run.txt
	$(pip) --require-hashes -r requirements/run.txt
	@touch $@

.venv/.uv: .venv/.python requirements/uv.txt
	-$(pip) --require-hashes -r requirements/uv.txt
	@touch $@

.venv/.dev: .venv/.uv requirements/dev.txt
	$(call install,--require-hashes -r requirements/dev.txt)
	@touch $@
