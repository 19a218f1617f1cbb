# The two commands: `make run` and `make test`. Each builds .venv first, once.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo run test quick lint setup bench dag lock
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
WORKERS ?= 2

help: ## list these commands
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' Makefile

demo: setup ## half a minute: two weeks of 2013, a bad release planted in the first, rolled back in the second
	@$(BIN)/homeostat replay --from 2013-01-01 --to 2013-01-14 --fault bad-release@2013-01-07 --name demo --force

run: setup ## replay 2013 day by day, on this repository's own data
	@$(BIN)/homeostat replay --from 2013-01-01 --to 2013-12-31

test: lint ## linter, type checker, import contracts and every test
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile

quick: setup ## the tests that take less than five seconds each
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile -m "not slow"

lint: setup ## linter, type checker, import contracts and dead code
	@$(BIN)/ruff check .
	@$(BIN)/mypy src $(wildcard flows)
	@$(BIN)/lint-imports
	@$(BIN)/vulture

setup: .venv/.ready ## build .venv from requirements.lock

bench: setup ## run the benchmarks and write benchmarks/RESULTS.md; SIZE=full for the published ones
	@$(BIN)/python benchmarks/publish.py $(SIZE)

dag: setup ## write the code and the objectives that each stage depends on into dvc.yaml
	@PYTHONPATH=src $(BIN)/python -m homeostat.adapters.dvc_yaml

lock: ## write requirements.lock again from pyproject.toml; keeps what still fits (needs uv)
	@uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --quiet -o requirements.lock
	@sed -i '1i # Exact versions and hashes for Python 3.11, 3.12 and 3.13, from pyproject.toml; made by `make lock`.' \
		requirements.lock

.venv/.ready: .venv/.packages pyproject.toml
	@$(PIP) install --no-index --no-deps --no-build-isolation --editable .
	@touch $@

# Source distributions in the lock are built without isolation, by the build tools of the lock: those come first.
# The lock is complete, so nothing is resolved (--no-deps).
.venv/.packages: requirements.lock
	@python=$$(sh .ci/python) && \
	echo "set-up: building .venv with $$python (once; about two minutes)" && \
	"$$python" -m venv --clear .venv
	@sed -nE '/^(setuptools|wheel|packaging)==/,/[^\\]$$/p' requirements.lock > .venv/build.lock
	@$(PIP) install --compile --no-deps --require-hashes -r .venv/build.lock
	@$(PIP) install --compile --no-deps --require-hashes --no-build-isolation -r requirements.lock
	@touch $@
