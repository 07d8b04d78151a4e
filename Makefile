# `make help` lists the commands.
.DEFAULT_GOAL := help
VENV := .venv
STAMP := $(VENV)/.installed
HONCHO = PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/honcho

$(STAMP): pyproject.toml constraints.txt
	python3 -m venv --clear $(VENV)
	$(VENV)/bin/pip download -q --no-deps --require-hashes -r constraints.txt -d $(VENV)/wheels
	$(VENV)/bin/pip install -q --no-index --find-links $(VENV)/wheels -e '.[dev]'
	rm -r $(VENV)/wheels
	touch $@

.PHONY: help
help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

.PHONY: setup
setup: $(STAMP) ## the environment, in .venv

.PHONY: pins
pins: ## the newest versions and their hashes, in constraints.txt
	python3 -m venv --clear .pins && .pins/bin/pip install -q pip-tools
	printf 'async-timeout\nsetuptools\n' | .pins/bin/pip-compile -q --upgrade --extra dev --generate-hashes --allow-unsafe \
		--strip-extras --no-annotate --no-header --no-emit-options -o .pins/all pyproject.toml -
	{ head -n 2 constraints.txt; sed '/^#/d; /^$$/d; /^imker @/d' .pins/all; } > .pins/new
	mv .pins/new constraints.txt && rm -r .pins

.PHONY: lint
lint: $(STAMP) ## format, lint, types, import rules
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

.PHONY: demo
demo: $(STAMP) ## the story on real hosts (without root: simulated): HOSTS="connewitz tondi lausen" or HOSTS=all, STAY=1
	@$(VENV)/bin/python -m lab demo $(HOSTS) $(if $(filter-out 0,$(STAY)),--stay) $(if $(DEMO_PORT),--port $(DEMO_PORT))

.PHONY: chaos
chaos: $(STAMP) ## random faults on all four processes, Redis, Slack and simulated hosts: N=500, SEED=...
	$(VENV)/bin/python -m lab chaos --number $(or $(N),500) $(if $(SEED),--seed $(SEED))

.PHONY: run
run: $(STAMP) ## the four processes, with your own imker.toml, and tokens in .env
	@{ $(HONCHO) run python -m bot check; $(HONCHO) run python -m jobs check; } 2>&1 | awk '!told[$$0]++; END {exit NR > 0}'
	@$(HONCHO) start

.PHONY: doctor
doctor: $(STAMP) ## what is still missing: tokens, channels, Redis, rights, keys, hosts
	@$(HONCHO) run python -m bot doctor; bot=$$?; $(HONCHO) run python -m jobs doctor && exit $$bot

.PHONY: fleet-down
fleet-down: $(STAMP) ## end the lab's hosts, whatever left them
	$(VENV)/bin/python -m lab fleet down

.PHONY: browser
browser: # for the page's tests; without it they are skipped, and the last lines say so
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get -qq update && \
		DEBIAN_FRONTEND=noninteractive apt-get -qq install -y chromium >/dev/null; } || true

.PHONY: test
test: lint browser ## all tests but those that keep real hosts busy for minutes (without root: none on real hosts)
	$(VENV)/bin/python -m pytest -m "not long"

.PHONY: figures
figures: $(STAMP) ## the figures of docs/reliability.md, and as root docs/lab.md, measured anew: half an hour
	@mkdir -p .lab && rm -f .lab/figures
	FIGURES=$(CURDIR)/.lab/figures $(VENV)/bin/python -m pytest -m figures tests/unit/bot tests/chaos tests/integration tests/lab tests/e2e
	@cat .lab/figures

.PHONY: test-fast
test-fast: lint ## the tests that need no processes: a few seconds
	$(VENV)/bin/python -m pytest tests/unit/bot tests/unit/jobs tests/lab/slack/test_validate_message.py

.PHONY: test-fleet
test-fleet: $(STAMP) ## as root: real hosts with real faults, 15 minutes
	$(VENV)/bin/python -m pytest tests/e2e
