# Every chore of the project; bare `make` prints the list.
# Needs python3 (>= 3.11, with venv) and make; everything else comes from packages.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CACHE := .cache
HOME_OF_DEMO := .foldline/demo
# uv reads neither the system's certificates nor pip's configuration by itself; see `install`.
export UV_SYSTEM_CERTS := 1
export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Containers like to set it. Each of the hundreds of programs of the tests would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

# The generator decides which grpcio and protobuf users must have at least: kept one protobuf major
# below the newest. It lives in an environment of its own.
GENERATOR := grpcio-tools==1.76.0 mypy-protobuf==3.7.0 setuptools==80.9.0
PROTOC := $(CACHE)/protoc/bin/python -m grpc_tools.protoc
GENERATED ?= libs

# $(call install,environment,packages): with uv, or with pip where only pip knows the index.
install = $(BIN)/uv pip install --quiet --python $(1)/bin/python $(2) || $(1)/bin/python -m pip install --quiet $(2)

CONSOLE := services/gateway/console
CONSOLE_BUILT := services/gateway/foldline_gateway/static/index.html
CONSOLE_SOURCES := $(shell find $(CONSOLE) -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
PROTOS := $(shell find protos -name '*.proto')
PYTEST := $(BIN)/python -m pytest
# Most tests wait for programs, so that two workers take little more than half as long as one. Each has its own
# servers. A file's tests stay together, since they share what is dear to make; WORKERS=0 runs all one by one.
WORKERS ?= 2
PARALLEL := --numprocesses $(WORKERS) --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup demo up down status test test-unit test-integration test-acceptance test-architecture test-ray \
	format lint types contracts protos check-protos console lock bench chaos check ci clean

help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

## Making things

setup: $(VENV)/.ready $(CONSOLE_BUILT) ## make the environment and build the console

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	@# uv itself by its hashes: only its lines of the lock.
	awk '/^[^ #]/ { keep = /^uv==/ } keep' requirements.lock > $(VENV)/uv.lock
	$(BIN)/python -m pip install --quiet --require-hashes -r $(VENV)/uv.lock
	@touch $@

$(VENV)/.locked: requirements.lock $(VENV)/.made
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock \
		|| { echo "uv could not; trying pip, which may know another index"; \
		$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock; }
	@touch $@

$(VENV)/.ready: pyproject.toml $(VENV)/.locked
	$(call install,$(VENV),--no-deps -e .)
	@touch $@

console: $(CONSOLE_BUILT) ## build the console

$(CONSOLE_BUILT): $(CONSOLE_SOURCES) $(PROTOS) hatch_build.py | $(VENV)/.ready
	$(BIN)/python hatch_build.py
	@touch $@

protos: $(CACHE)/protoc/.ready ## generate the code in libs/foldline/api from protos/
	@mkdir -p $(GENERATED)/foldline/api
	@find $(GENERATED)/foldline/api -mindepth 1 -not -name __init__.py -type f -delete
	@$(PROTOC) -I protos --plugin=protoc-gen-mypy=$(CACHE)/protoc/bin/protoc-gen-mypy \
		--plugin=protoc-gen-mypy_grpc=$(CACHE)/protoc/bin/protoc-gen-mypy_grpc \
		--python_out=$(GENERATED) --mypy_out=quiet:$(GENERATED) \
		--grpc_python_out=$(GENERATED) --mypy_grpc_out=quiet:$(GENERATED) \
		$$(cd protos && find . -name '*.proto' | sort | sed 's|^\./||')
	@find $(GENERATED)/foldline/api -name '*_pb2_grpc.py*' -not -name '*_service_pb2_grpc.py*' -delete
	@find $(GENERATED)/foldline/api -type d -exec touch {}/__init__.py \;

$(CACHE)/protoc/.ready: Makefile | $(VENV)/.ready
	$(PYTHON) -m venv $(CACHE)/protoc
	$(call install,$(CACHE)/protoc,$(GENERATOR))
	@touch $@

lock: ## renew requirements.lock from pyproject.toml (UPGRADE=--upgrade for newer releases)
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --custom-compile-command 'make lock' $(UPGRADE) -o requirements.lock

## Running it

demo: setup ## the whole way of a workflow, from code to the replay of its run; shuts down at the end
	FOLDLINE_HOME=$(abspath $(HOME_OF_DEMO)) PATH="$(abspath $(BIN)):$$PATH" sh examples/demo.sh

up: setup ## start the platform on this machine and leave it running
	@$(BIN)/foldline up --detach

down: $(VENV)/.ready ## stop what `make up` started
	@$(BIN)/foldline down

status: $(VENV)/.ready ## show how the processes fare
	@$(BIN)/foldline status

## Testing it

test: setup check test-integration test-acceptance ## everything; needs nothing beforehand

test-unit: setup ## pure code, in seconds
	$(PYTEST) tests/unit $(PARALLEL)

test-architecture: setup ## contracts, sizes, drift, migrations
	$(PYTEST) tests/architecture

test-integration: setup ## one part at a time on a real Postgres and NATS
	$(PYTEST) tests/conformance tests/integration $(PARALLEL)

test-ray: setup $(CACHE)/ray/.ready ## the backend ray, on a real cluster of this machine
	$(CACHE)/ray/bin/python -m pytest tests/conformance/backends/test_ray.py \
		tests/conformance/backends/test_ray_jobs.py tests/acceptance/test_ray.py

$(CACHE)/ray/.ready: requirements.lock Makefile | $(VENV)/.ready
	$(PYTHON) -m venv $(CACHE)/ray
	$(call install,$(CACHE)/ray,-r requirements.lock)
	$(call install,$(CACHE)/ray,--no-deps -e .)
	$(call install,$(CACHE)/ray,"ray[default]==2.60.0")
	@touch $@

test-acceptance: setup ## the whole platform through its command line, kill -9 included
	$(PYTEST) tests/acceptance $(PARALLEL)

bench: ## measure what the platform costs (CASE=chain,fan ISOLATION=shared REPEATS=2 JSON=1 LONG=1)
	@# Standard output is for results alone.
	@$(MAKE) --no-print-directory setup >&2
	@$(BIN)/python -m tests.bench $(if $(JSON),--json) $(if $(CASE),--case $(CASE)) $(if $(LONG),--long) \
		$(if $(ISOLATION),--isolation $(ISOLATION)) $(if $(REPEATS),--repeats $(REPEATS))

chaos: setup ## hurt an installation by seed, 20 campaigns of 100 faults (SEED=n for others)
	$(BIN)/foldline chaos --seed $(or $(SEED),1) --campaigns $(or $(CAMPAIGNS),20) --faults 100

## Checking it

format: $(VENV)/.ready ## rewrite the code in the project's format
	$(BIN)/ruff check --quiet --fix . || true
	$(BIN)/ruff format .
	$(BIN)/buf format -w protos

lint: $(VENV)/.ready ## ruff and buf
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/buf format --exit-code -d protos > /dev/null
	$(BIN)/buf lint

types: $(VENV)/.ready ## mypy --strict
	$(BIN)/mypy
	$(BIN)/mypy tests examples

contracts: $(VENV)/.ready ## who may import whom
	$(BIN)/lint-imports

check-protos: $(VENV)/.ready ## fail when the generated code or a contract drifted
	$(PYTEST) tests/architecture/test_protos.py

check: setup lint types contracts ## all that takes a minute; before every push
	$(PYTEST) tests/unit tests/architecture $(PARALLEL)

ci: test ## test, and a plain `pip install .` in a clean environment
	rm -rf $(CACHE)/plain && $(PYTHON) -m venv $(CACHE)/plain
	$(CACHE)/plain/bin/python -m pip install --quiet .
	$(CACHE)/plain/bin/foldline --version
	$(CACHE)/plain/bin/python -c "import importlib.resources as r; assert (r.files('foldline_gateway') / 'static/index.html').is_file()"

clean: ## remove everything that was made here, data of the demo included
	@[ ! -x $(BIN)/foldline ] || $(BIN)/foldline down --home $(HOME_OF_DEMO) > /dev/null
	rm -rf $(VENV) $(CACHE) .foldline build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf services/gateway/foldline_gateway/static $(CONSOLE)/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
