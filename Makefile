# `make help` lists the commands.
.DEFAULT_GOAL := help
# Hundreds of processes start during the tests; compiling the modules for each takes minutes.
export PYTHONDONTWRITEBYTECODE :=
VENV := .venv
WORKERS := 6
STAMP := $(VENV)/.installed
HONCHO = PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/honcho

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

.PHONY: lint
lint: $(STAMP) ## check format, lint, types, and import rules
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

.PHONY: demo
demo: $(STAMP) ## play a migration on real hosts (without root: simulated): HOSTS="connewitz tondi lausen" or HOSTS=all, STAY=1
	@$(VENV)/bin/python -m lab demo $(HOSTS) $(if $(filter-out 0,$(STAY)),--stay) $(if $(DEMO_PORT),--port $(DEMO_PORT))

.PHONY: screenshots
screenshots: $(STAMP) browser ## take the pictures in docs/screenshots, with simulated hosts
	$(VENV)/bin/python -m lab screenshots

.PHONY: chaos
chaos: $(STAMP) ## inject random faults into all processes, Redis, Slack, and simulated hosts: N=500, SEED=...
	$(VENV)/bin/python -m lab chaos --number $(or $(N),500) $(if $(SEED),--seed $(SEED))

.PHONY: run
run: $(STAMP) ## run the four processes with your imker.toml and the tokens in .env
	@{ $(HONCHO) run python -m bot check; $(HONCHO) run python -m jobs check; } 2>&1 | awk '!seen[$$0]++; END {exit NR > 0}'
	@$(HONCHO) start

.PHONY: doctor
doctor: $(STAMP) ## check tokens, channels, Redis, rights, keys, and hosts
	@$(HONCHO) run python -m bot doctor; bot=$$?; $(HONCHO) run python -m jobs doctor && exit $$bot

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
	$(VENV)/bin/python -m bench --rounds $(or $(N),5) $(if $(filter-out 0,$(PEERS)),--peers)

.PHONY: test-fast
test-fast: lint ## run the tests that start no process and open no connection
	$(VENV)/bin/python -m pytest -m "not processes" -n 2 tests/unit tests/golden tests/lab

.PHONY: test-fleet
test-fleet: $(STAMP) ## as root: inject faults into real hosts, 30 minutes
	$(VENV)/bin/python -m pytest tests/e2e
