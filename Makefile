# Everything installs itself into .venv from hash-locked requirements; nothing else is touched.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CLUSTER := .venv-cluster
# Where Python may not keep what it compiles, it is compiled once: or each of Airflow's processes does it.
COMPILED := $(if $(PYTHONDONTWRITEBYTECODE),--compile-bytecode)

.DEFAULT_GOAL := help
.PHONY: help nightly test test-all lint types dictionary bench chaos cluster-test sbom audit lock clean

help: ## what there is to do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort

$(READY): requirements/dev.lock.txt requirements/tools.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Hearth needs Python 3.11, 3.12 or 3.13; call make PYTHON=python3.12"; exit 1; }
	@echo "Making $(VENV) (once; about a minute)"
	@$(PYTHON) -m venv $(VENV) || { echo "On Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/tools.txt
	@$(BIN)/uv pip install -q $(COMPILED) --python $(BIN)/python --require-hashes -r requirements/dev.lock.txt
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $(READY)

nightly: $(READY) ## a whole night of the sandbox community through Airflow; again: the next night
	@$(BIN)/hearth demo

test: $(READY) ## every test but the slow ones
	@$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: $(READY) ## every test, and how many turned conditions of the marts their cases notice
	@$(BIN)/python -m pytest -n 2
	@$(BIN)/python -m tests.mutation

lint: $(READY) ## style, import directions, SQL, and whether the data dictionary is current
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/sqlfluff lint --disable-progress-bar sql
	@$(BIN)/hearth dictionary --check

types: $(READY) ## mypy, strict
	@$(BIN)/mypy

dictionary: $(READY) ## write expectations/README.md from the contracts
	@$(BIN)/hearth dictionary

bench: $(READY) ## requests, bytes, seconds and memory of nights, and what Airflow adds to them; posts judged a second
	@$(BIN)/python -m tests.bench

chaos: $(READY) ## 200 nights killed at random instants, held against undisturbed ones
	@$(BIN)/python -m tests.ops.chaos

$(CLUSTER)/.ready: requirements/cluster.lock.txt requirements/cluster-test.lock.txt $(READY)
	@$(PYTHON) -m venv $(CLUSTER)
	@$(BIN)/uv pip install -q $(COMPILED) --python $(CLUSTER)/bin/python --require-hashes \
		-r requirements/cluster.lock.txt -r requirements/cluster-test.lock.txt
	@touch $@

cluster-test: $(CLUSTER)/.ready ## a night on Airflow with Celery, Redis, PostgreSQL and S3, held against one machine
	@for tool in redis-server initdb; do \
		command -v $$tool >/dev/null || ls /usr/lib/postgresql/*/bin/$$tool >/dev/null 2>&1 || \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq redis-server postgresql >/dev/null || \
		{ echo "$$tool is missing; install Redis and PostgreSQL, on Debian as root: apt-get install redis-server postgresql"; exit 1; }; done
	@$(BIN)/python -m tests.ops.cluster --python $(CLUSTER)/bin/python

AUDIT := var/audit
$(AUDIT)/.ready: requirements/audit.lock.txt $(READY)
	@$(BIN)/uv venv -q --clear --python $(BIN)/python $(AUDIT)
	@$(BIN)/uv pip install -q --python $(AUDIT)/bin/python --require-hashes -r $<
	@touch $@

sbom: $(AUDIT)/.ready ## var/sbom.json: all that the product installs, with versions and hashes (CycloneDX)
	@$(AUDIT)/bin/cyclonedx-py requirements --output-reproducible --no-validate --pyproject pyproject.toml \
		requirements/runtime.lock.txt -o var/sbom.json
	@echo "wrote var/sbom.json"

audit: $(AUDIT)/.ready ## known vulnerabilities of what the product installs, where PyPI can be asked
	@$(BIN)/python -m tests.audit $(AUDIT)/bin/pip-audit

lock: $(READY) ## resolve requirements/*.in anew
	@for name in tools runtime dev cluster cluster-test audit; do $(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --no-emit-index-url \
		requirements/$$name.in -o requirements/$$name.lock.txt; done
	@mv requirements/tools.lock.txt requirements/tools.txt

clean: ## forget the sandbox's nights (not the environment)
	@rm -rf var/demo
