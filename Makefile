# `make help` lists the commands.
.DEFAULT_GOAL := help
# Hundreds of processes start during the tests; compiling the modules for each takes minutes.
export PYTHONDONTWRITEBYTECODE :=
VENV := .venv
PYTHON := python3
WORKERS := 6
STAMP := $(VENV)/.installed
SOME_WITH_PROCESSES := tests/unit/jobs/connectors tests/simulated/test_migrate.py \
	$(addprefix tests/integration/test_,init.py commands.py http.py redis_users.py wheel.py)

$(STAMP): pyproject.toml constraints.txt
	python3 -m venv --clear $(VENV)
	$(VENV)/bin/pip download -q --no-deps --require-hashes -r constraints.txt -d $(VENV)/wheels
	$(VENV)/bin/pip install -q --no-index --find-links $(VENV)/wheels -e '.[dev]'
	rm -r $(VENV)/wheels
	touch $@

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(STAMP) ## create the environment in .venv

.PHONY: pins
pins: ## update constraints.txt to the newest versions and their hashes
	python3 -m venv --clear .pins && .pins/bin/pip install -q pip-tools
	printf 'async-timeout\nsetuptools\n' | .pins/bin/pip-compile -q --upgrade --extra dev --generate-hashes --allow-unsafe \
		--strip-extras --no-annotate --no-header --no-emit-options -o .pins/all pyproject.toml -
	{ head -n 2 constraints.txt; sed '/^#/d; /^$$/d; /^imker @/d' .pins/all; } > .pins/new
	mv .pins/new constraints.txt && rm -r .pins

.PHONY: generated
generated: $(STAMP) ## write the files that are generated from the code: commands.md, the schema, the completions
	$(VENV)/bin/python -m bot.commands.reference > docs/commands.md
	$(VENV)/bin/imker schema > docs/imker.schema.json
	for shell in bash zsh fish; do \
		$(VENV)/bin/python -m shtab --shell $$shell --prefix imker imker_cli.parser.build_parser > imker_cli/completions/imker.$$shell || exit; done

.PHONY: lint
lint: $(STAMP) ## check format, lint, types, and import rules
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

.PHONY: lowest
lowest: ## run the fast tests and some with processes with the oldest versions that pyproject.toml accepts
	python3 -m venv --clear .lowest && .lowest/bin/pip install -q uv
	.lowest/bin/uv pip install -q --python .lowest/bin/python --resolution lowest-direct -e '.[dev]'
	.lowest/bin/python -m pytest -q -m "not processes" -n 2 -p no:cacheprovider tests/unit tests/golden --deselect tests/unit/test_install.py
	.lowest/bin/python -m pytest -q -n 2 -p no:cacheprovider $(SOME_WITH_PROCESSES)
	rm -r .lowest

.PHONY: test-python
test-python: ## run the fast tests and some with processes with another Python: PYTHON=python3.13
	$(PYTHON) -m venv --clear .python
	.python/bin/pip download -q --no-deps --require-hashes -r constraints.txt -d .python/wheels
	.python/bin/pip install -q --no-index --find-links .python/wheels -e '.[dev]'
	.python/bin/python -m pytest -q -m "not processes" -n 2 -p no:cacheprovider tests/unit tests/golden tests/lab
	.python/bin/python -m pytest -q -n 2 -p no:cacheprovider $(SOME_WITH_PROCESSES)
	rm -r .python

.PHONY: release
release: lint ## build wheel, sdist, SBOM, and checksums in dist, and audit the packages that they need
	rm -rf build dist .release && python3 -m venv .release/imker && python3 -m venv .release/tools
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(VENV)/bin/python -c \
		'from setuptools import build_meta as build; build.build_wheel("dist"); build.build_sdist("dist")' > /dev/null
	.release/imker/bin/pip download -q --no-deps --require-hashes -r constraints.txt -d .release/wheels
	.release/imker/bin/pip install -q --no-index --find-links .release/wheels "$$(ls dist/*.whl)[all]"
	.release/tools/bin/pip install -q cyclonedx-bom pip-audit
	.release/tools/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		-o dist/imker.cdx.json .release/imker/bin/python
	cd dist && sha256sum * > SHA256SUMS
	@$(MAKE) --no-print-directory audit

.PHONY: audit
audit: ## check the packages of the last make release for known vulnerabilities; AUDIT=skip does not, and says so
ifeq ($(AUDIT),skip)
	@echo "NOT AUDITED: AUDIT=skip. Run make audit on a machine that reaches PyPI before you publish dist."
else
	@.release/tools/bin/pip-audit --strict --path .release/imker/lib/python3*/site-packages || { \
		echo "The audit found something, or could not ask PyPI. dist is complete, but do not publish it before make audit passes."; \
		echo "Without access to PyPI: make release AUDIT=skip"; exit 1; }
endif

.PHONY: demo
demo: $(STAMP) ## play a migration on real hosts (without root: simulated): HOSTS="connewitz tondi lausen" or HOSTS=all, STAY=1, STORY=day2
	@$(VENV)/bin/python -m lab demo $(HOSTS) $(if $(filter-out 0,$(STAY)),--stay) $(if $(DEMO_PORT),--port $(DEMO_PORT)) $(if $(STORY),--story $(STORY))

.PHONY: screenshots
screenshots: $(STAMP) browser ## take the pictures in docs/screenshots, with simulated hosts
	$(VENV)/bin/python -m lab screenshots

.PHONY: chaos
chaos: $(STAMP) ## inject random faults into all processes, Redis, Slack, and simulated hosts: N=500, SEED=...
	$(VENV)/bin/python -m lab chaos --number $(or $(N),500) $(if $(SEED),--seed $(SEED))

.PHONY: run
run: $(STAMP) ## run the four processes with your imker.toml and the tokens in .env
	@$(VENV)/bin/imker up

.PHONY: doctor
doctor: $(STAMP) ## check tokens, channels, Redis, rights, keys, and hosts
	@$(VENV)/bin/imker doctor

.PHONY: fleet-down
fleet-down: $(STAMP) ## stop the lab's hosts, also after a crash
	$(VENV)/bin/python -m lab fleet down

.PHONY: browser
browser: # for the tests of the fake Slack's page; without it they are skipped, and the summary says so
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get -qq update && \
		DEBIAN_FRONTEND=noninteractive apt-get -qq install -y chromium >/dev/null; } || true

.PHONY: test
test: lint browser ## run all tests except those that keep real hosts busy for minutes (without root: none on real hosts)
	$(VENV)/bin/python -m pytest -m "not long and not quiet" -n $(WORKERS)
	$(VENV)/bin/python -m pytest -m "quiet and not long"

.PHONY: figures
figures: $(STAMP) ## measure the figures of docs/reliability.md, and as root of docs/lab.md: 40 minutes
	@mkdir -p .lab && rm -f .lab/figures
	FIGURES=$(CURDIR)/.lab/figures $(VENV)/bin/python -m pytest -m figures tests
	@cat .lab/figures

.PHONY: bench
bench: $(STAMP) ## as root: measure Imker against a hand-written script (PEERS=1: and pyinfra, Ansible): N=5 rounds, 25 minutes
	$(VENV)/bin/python -m bench --rounds $(or $(N),5) $(if $(filter-out 0,$(PEERS)),--peers --minutes 35)

.PHONY: test-fast
test-fast: lint ## run the tests that start no process and open no connection
	$(VENV)/bin/python -m pytest -m "not processes" -n 2 tests/unit tests/golden tests/lab

.PHONY: test-fleet
test-fleet: $(STAMP) ## as root: inject faults into real hosts, 30 minutes
	$(VENV)/bin/python -m pytest tests/e2e
