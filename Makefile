# Plancton. `make run` and `make test` do all the set-up by themselves.
.DEFAULT_GOAL := help
.PHONY: help run test test-quick test-examples test-vm test-worlds soak check image bench clean
PY := .venv/bin/python
IMAGE ?= plancton
MINUTES ?= 4
WORLDS ?= trixie sid
QUICK := tests/unit tests/scenario tests/control tests/tui
# Container images set it: each of the hundreds of processes of a test run would compile all anew.
unexport PYTHONDONTWRITEBYTECODE

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 8

run: ## set up what is missing (Python packages, Docker, the default image) and run Plancton: tui, or serve without a terminal
	@scripts/setup run
	@if [ -t 0 ] && [ -t 2 ]; then exec .venv/bin/plancton tui $(ARGS); fi; exec .venv/bin/plancton serve $(ARGS)

test: ## set up what the tests need, check the code, run all tests
	@scripts/setup test
	@$(MAKE) --no-print-directory check
	@.venv/bin/pytest -m 'quiet and not long' $(ARGS)
	@.venv/bin/pytest -n 8 --dist load --maxschedchunk 1 -m 'not quiet and not long' $(ARGS)

test-quick: ## the daily loop, without Docker: unit, scenario, control and tui tests (about a minute)
	@scripts/setup quick
	@.venv/bin/pytest -n 4 --dist worksteal --hypothesis-profile quick -m 'not slow' $(QUICK) $(ARGS)

test-examples: ## run the recipes in examples/ and contrib/ for real (5 minutes, builds a Debian once)
	@scripts/setup examples
	@.venv/bin/pytest tests/examples $(ARGS)

test-vm: ## test in a booted Debian: systemd, cgroup v2, a container image (a quarter of an hour, builds it once)
	@scripts/setup vm
	@.venv/bin/pytest tests/vm --timeout 900 -m 'not world' $(ARGS)

test-worlds: ## test with newer engines in booted Debians, and write docs/engines-tested.md: WORLDS="trixie sid" (half an hour each)
	@for world in $(WORLDS); do scripts/setup vm $$world && \
		.venv/bin/pytest tests/vm --timeout 900 -m world --release=$$world --record $(ARGS) || failed=1; \
	done; exit $${failed:-0}

soak: ## kill Plancton 200 times at random points, run the long tests, then walk at random: SEED=7 repeats, MINUTES=60 takes longer (12 minutes)
	@scripts/setup test
	@PLANCTON_TEST_KILLS=200 .venv/bin/pytest -n 4 --dist load --maxschedchunk 1 -m 'long and not quiet'
	@PLANCTON_SOAK_MINUTES=$(MINUTES) PLANCTON_SOAK_SEED=$(SEED) .venv/bin/pytest -s tests/soak

image: ## build a container image of Plancton from contrib/Dockerfile; ARGS="--build-arg BASE=..."
	@scripts/setup python
	@rm -rf build/image && scripts/wheels build/image
	@docker build --quiet --tag $(IMAGE) $(ARGS) --file contrib/Dockerfile build/image

check: ## formatting, lint, types, import contracts
	@scripts/setup python
	@.venv/bin/ruff format --check --quiet . || { .venv/bin/ruff format --diff . ; exit 1; }
	@.venv/bin/ruff check --quiet .
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports --no-cache > .venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }
	@if command -v shellcheck > /dev/null; then shellcheck scripts/* .ci/run; fi
	@echo "check: all good"

bench: ## measure, beside peers; ARGS names some: requests refill cost network proof harvest latency redis placement ... (2 hours)
	@scripts/setup bench
	@$(PY) -m benchmarks $(ARGS)

clean: ## remove the virtual environment and caches
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
