# Two commands are meant for everyone: `make demo` and `make test`. The rest is for those who change the code.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
# The first interpreter that runs and is new enough; `make PYTHON=... install` overrides.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
STAMP := $(VENV)/.installed
LOCK_OPTIONS := --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 --quiet
ARGS ?=
# Code as it runs in the image: installed beside the work tree, of which only the tests are taken then.
COMPILED := build/compiled
COMPILED_STAMP := $(COMPILED)/.installed
AS_COMPILED := PYTHONSAFEPATH=1 PYTHONPATH=$(CURDIR)/$(COMPILED)/site
# A test that exchanges a function of a module from outside, which a compiled module does not notice.
EXCHANGED := tests/contracts/test_decode.py::test_even_a_fault_of_the_decoder_does_not_stop_the_partition
# How the worker that is measured folds: compiled where there is a C compiler, or FOLD=interpreted.
FOLD ?= $(if $(shell command -v cc),compiled,interpreted)
SECONDS ?= 600
# Processes that the tests run in, by file; each has a Kafka and a Postgres of its own.
PROCESSES ?= 2
# Examples of the conservation property in a soak, for each of the five programs.
CONSERVED ?= 4000
# Requests that a soak puts to the store in memory and to Postgres, to be answered alike.
COMPARED ?= 100000

.PHONY: help install demo test compiled compiled-test bench soak fuzz mutants lint types layers migrations-lint lock lock-check check

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

install: $(STAMP)  ## a virtual environment in .venv, from the lock

$(STAMP): requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name one: make PYTHON=/path/to/python install" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)  ## a day of a shop's life through a real worker; KEEP=1 leaves it running
	$(BIN)/loyalty demo $(if $(filter-out 0,$(KEEP)),--keep) $(ARGS)

test: $(STAMP)  ## everything, on real Kafka and real Postgres; ARGS="-k name" narrows it, PROCESSES=0 runs it in one process
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

compiled: $(COMPILED_STAMP)  ## the worker with fold and decoding compiled (needs a C compiler): a wheel in build/compiled, installed in its site

$(COMPILED_STAMP): $(STAMP) $(shell find worker contracts db -type f -not -name '*.pyc')
	rm -rf $(COMPILED) && mkdir -p $(COMPILED)/source
	cp -r pyproject.toml README.md LICENSE worker contracts db $(COMPILED)/source
	cd $(COMPILED)/source && HATCH_BUILD_HOOK_ENABLE_MYPYC=true $(CURDIR)/$(BIN)/python -m pip wheel --quiet \
		--disable-pip-version-check --no-deps --no-build-isolation --wheel-dir .. .
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-index --target $(COMPILED)/site $(COMPILED)/*.whl
	@touch $@

compiled-test: $(COMPILED_STAMP)  ## rules, properties of the fold and decoding on compiled code, and that its ledgers are the same
	$(AS_COMPILED) LOYALTY_TEST_FOLD=compiled FOLD_EXAMPLES=4 CONSERVATION_EXAMPLES=50 $(BIN)/python -m pytest -q -o pythonpath= \
		-n $(PROCESSES) --dist loadfile \
		tests/compiled tests/rules tests/fold tests/contracts/test_decode.py tests/contracts/test_decode_properties.py \
		--deselect $(EXCHANGED) $(ARGS)

bench: $(STAMP) $(if $(filter compiled,$(FOLD)),$(COMPILED_STAMP))  ## how fast, against what people would use instead; ARGS=--quick shows within minutes that it works
	$(if $(filter compiled,$(FOLD)),$(AS_COMPILED)) $(BIN)/python -m tests.bench.run $(ARGS)

soak: $(STAMP)  ## simulation and faults on real parts for SECONDS=600, from where the last soak ended; results in build/soak.ndjson
	@mkdir -p build
	CONSERVATION_EXAMPLES=$(CONSERVED) $(BIN)/python -m pytest -q --timeout=0 --hypothesis-show-statistics tests/fold/test_conservation.py \
		| tee build/conservation.txt
	STORES_REQUESTS=$(COMPARED) STORES_SEED=$$RANDOM $(BIN)/python -m pytest -q --timeout=0 tests/stores/test_stores_agree.py | tee build/stores.txt
	$(BIN)/python -m tests.soak --seconds $(SECONDS) $(ARGS)

mutants: $(STAMP)  ## small changes of the fold, each to be noticed by a test, for SECONDS=600; results in build/mutants.ndjson
	$(BIN)/python -m tests.mutation --seconds $(SECONDS) $(ARGS)

fuzz: $(STAMP)  ## hostile records, terms and lives for SECONDS=600; counts in build/fuzz.ndjson; pip install '.[fuzz]' adds atheris
	$(BIN)/python -m tests.hostile --seconds $(SECONDS) $(ARGS)

lint: $(STAMP)  ## ruff
	$(BIN)/ruff check .

types: $(STAMP)  ## mypy, strict
	$(BIN)/mypy

layers: $(STAMP)  ## import-linter: who may know whom
	$(BIN)/lint-imports

migrations-lint: $(STAMP)  ## squawk: what would hurt a running database (the way up only; the way down is for development)
	@shopt -s nullglob; for file in db/migrations/*.sql; do \
		sed '/^-- migrate:down/,$$d' "$$file" | $(BIN)/squawk --config .squawk.toml --stdin-filepath "$$file"; done

lock: $(STAMP)  ## bring the locks up to date with pyproject.toml; LOCK_ARGS=--upgrade takes newer versions
	$(BIN)/uv pip compile pyproject.toml --extra signatures $(LOCK_OPTIONS) $(LOCK_ARGS) -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra dev $(LOCK_OPTIONS) $(LOCK_ARGS) -o requirements-dev.lock

lock-check: $(STAMP)  ## the locks say what pyproject.toml says
	@fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; cp requirements.lock requirements-dev.lock "$$fresh"; \
	$(BIN)/uv pip compile pyproject.toml --extra signatures $(LOCK_OPTIONS) -o "$$fresh/requirements.lock" >/dev/null; \
	$(BIN)/uv pip compile pyproject.toml --extra dev $(LOCK_OPTIONS) -o "$$fresh/requirements-dev.lock" >/dev/null; \
	for lock in requirements.lock requirements-dev.lock; do \
		diff -u $$lock "$$fresh/$$lock" || { echo "$$lock is not current: run 'make lock' and commit it" >&2; exit 1; }; done; \
	if grep -nE 'https?://|--(find-links|(extra-)?index-url)' requirements.lock requirements-dev.lock; then \
		echo "a lock names an address: it would not work elsewhere" >&2; exit 1; fi

check: lint types layers migrations-lint lock-check demo test compiled-test  ## all of it, as CI does
