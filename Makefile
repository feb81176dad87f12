# make run    web, worker and practice world on this machine
# make test   everything in its short form, as CI calls it
# make audit  the long forms: Lighthouse, throttled phones, endurance, faults, benchmarks

SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONPATH := $(CURDIR)
# images that forbid bytecode would have web and worker compile the whole house at every start
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test audit lint types contracts unit browser bench clean

run: .venv/run .venv/words
	@exec $(BIN)/python -m app.cli serve

test: .venv/test .venv/words .venv/tools
	@$(MAKE) --no-print-directory -j 2 --output-sync lint types contracts
	@$(MAKE) --no-print-directory -j 2 unit browser # a story waits most of the time

lint:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/djlint --lint templates
	e2e/node_modules/.bin/biome lint --skip=style/noDescendingSpecificity --skip=suspicious/noDuplicateProperties --skip=complexity/noImportantStyles --error-on-warnings static/js static/css static/sw.js

types:
	$(BIN)/mypy

contracts:
	$(BIN)/lint-imports

unit:
	@roomy=$$([ "$$(df --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 2000000 ] 2>/dev/null && echo "-p /dev/shm"); \
	folder=$$(mktemp -d $$roomy); trap 'rm -rf "$$folder"' EXIT; \
	$(BIN)/python -m pytest -m "not long" -n 3 --dist loadgroup --no-loadscope-reorder --durations=15 --basetemp="$$folder/tests"

browser:
	$(BIN)/python -m pytest e2e -m "not long" -n 2 --dist loadfile --no-loadscope-reorder --durations=12

audit: .venv/test .venv/words .venv/tools
	$(BIN)/python -m tests.long all
	$(BIN)/python -m tests.bench
	$(BIN)/python -m pytest e2e -m long
	$(BIN)/python -m e2e.lighthouse
	$(BIN)/python -m e2e.slow_phone

bench: .venv/test .venv/words
	$(BIN)/python -m tests.bench

# --- what a clean machine lacks ------------------------------------------------------------------------------------

# need: install Debian packages as root or by sudo, else stop with the exact command
define need
if [ "$$(id -u)" = 0 ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) >/dev/null; \
elif sudo -n true 2>/dev/null; then sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(1) >/dev/null; \
else echo "Please run: sudo apt-get install --no-install-recommends $(1)"; exit 1; fi
endef

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo "Werkring needs Python 3.11 to 3.13."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { $(call need,python3-venv); }
	@$(PYTHON) -m venv .venv

.venv/run: .venv/bin/python requirements.lock
	@$(BIN)/pip install -q --use-pep517 -r requirements.lock
	@touch $@

.venv/test: .venv/run requirements-test.lock
	@$(BIN)/pip install -q --use-pep517 -r requirements-test.lock
	@touch $@

.venv/words: .venv/run $(wildcard app/translations/*/LC_MESSAGES/messages.po)
	@$(BIN)/pybabel -q compile -d app/translations
	@touch $@

.venv/tools: e2e/package-lock.json
	@command -v chromium >/dev/null || { $(call need,chromium fonts-dejavu-core); }
	@ls /usr/lib/*/libatomic.so.1 >/dev/null 2>&1 || { $(call need,libatomic1); }
	@command -v npm >/dev/null || { $(call need,nodejs npm); }
	@command -v caddy >/dev/null || { $(call need,caddy); }
	@command -v certutil >/dev/null || { $(call need,libnss3-tools); }
	@command -v setpriv >/dev/null || { $(call need,util-linux); }
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || { $(call need,postgresql); }
	@cd e2e && npm install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

clean:
	rm -rf .venv e2e/node_modules
