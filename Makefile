# Radrelay's commands. Each sets up what it needs: Debian packages (as root or by sudo), a virtual environment, the front end.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
FRONT := src/radrelay/web/static/index.html
FRONT_SOURCES := $(shell find frontend -path frontend/node_modules -prune -o -type f -print 2>/dev/null)

.PHONY: help serve demo test soak bench lint format clean install dev sbom audit-parts

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

$(BIN)/python:
	@scripts/debian-packages run
	$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml hatch_build.py | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade pip
	RADRELAY_SKIP_FRONTEND=1 $(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(DEV_STAMP): pyproject.toml $(STAMP)
	@scripts/debian-packages test
	$(BIN)/python scripts/install-group dev
	@touch $@

$(FRONT): $(STAMP) $(FRONT_SOURCES)
	$(BIN)/python scripts/build-frontend

install: $(STAMP) $(FRONT) ## set up what running needs

dev: $(DEV_STAMP) $(FRONT) ## set up what testing needs, too

serve: install ## start Radrelay on loopback with embedded defaults
	$(BIN)/radrelay serve

demo: install ## the same, with sample studies
	$(BIN)/radrelay demo

lint: dev ## formatting, lint, types, direction of imports
	scripts/lint

test: lint ## everything that must hold before a change lands
	scripts/test

soak: dev ## the long part: kills, power loss, fuzzing, PostgreSQL and S3; writes docs/soak.md
	scripts/soak

bench: dev ## Radrelay beside Orthanc and dcmtk, in one run; writes benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

sbom: install ## all parts as installed for running and as built into the pages, as CycloneDX in dist/
	$(BIN)/python scripts/parts.py sbom

audit-parts: install ## ask the advisory services what is known against those parts
	$(BIN)/python scripts/parts.py audit

format: dev ## put the sources into shape
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

clean: ## forget what was built, keep what was stored
	rm -rf $(VENV) frontend/node_modules src/radrelay/web/static
