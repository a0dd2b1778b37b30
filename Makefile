# The two commands that a new user needs are `make sweep` and `make test`; `make help` lists all.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PREFIX ?= $(HOME)/.local
PYTHON ?= python3
CARGO ?= cargo
# Options for `make sweep`, such as SWEEP="--model model.pt --data train.npz".
SWEEP ?=

# libtorch is found or fetched by scripts/libtorch.py; torch-sys reads LIBTORCH.
WITH_LIBTORCH = LIBTORCH="$$($(PYTHON) scripts/libtorch.py)" && export LIBTORCH &&

.PHONY: help sweep build test chaos test-python check deny install uninstall bench bench-orchestration bench-fidelity bench-trust bench-regret bench-scale env clean

help: ## This list.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

sweep: build ## Finds a learning rate for a small network on handwritten digits, with 2 workers.
	@target/release/coordinator --workers 2 $(SWEEP)

build: ## Builds the coordinator and the worker in release mode.
	@$(WITH_LIBTORCH) $(CARGO) build --release --locked -p rangefinder-coordinator -p rangefinder-worker --bins

test: ## Passes all tests.
	@$(WITH_LIBTORCH) $(CARGO) test --workspace --locked --no-fail-fast
	@$(PYTHON) -m unittest discover -s scripts -p 'test_*.py'

check: ## Format, lints, documentation.
	@$(CARGO) fmt --all --check
	@$(WITH_LIBTORCH) $(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@$(WITH_LIBTORCH) RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

deny: ## Licences, sources and known faults of the dependencies (needs cargo-deny).
	@CARGO="$(CARGO)" scripts/deny

install: build ## Installs programs, libtorch, manual and completions under PREFIX (~/.local by default).
	@$(WITH_LIBTORCH) CARGO="$(CARGO)" $(PYTHON) scripts/install.py "$(PREFIX)"

uninstall: ## Removes what `make install` put under PREFIX.
	@$(PYTHON) scripts/install.py --remove "$(PREFIX)"

chaos: ## Kills, stops and cuts off real processes; WRITE=1 writes the tables of docs/reliability.md (2 minutes).
	@$(if $(WRITE),RANGEFINDER_WRITE_RELIABILITY=1) $(CARGO) test --locked -p rangefinder-chaos --test chaos

test-python: ## Passes the tests that need packages of Python, PyTorch among them (fetches it once, unless it is there).
	@PYTHON=$(PYTHON) CARGO=$(CARGO) scripts/test-python

bench: build ## Compares with other finders and PyTorch's own loop, side by side (fetches several GB once).
	@$(PYTHON) scripts/bench

bench-orchestration: build ## What leases and reports cost, and what more workers bring (8 minutes, 2 idle cores).
	@$(WITH_LIBTORCH) $(CARGO) bench --locked -p rangefinder-worker --bench bare --no-run
	@$(WITH_LIBTORCH) $(CARGO) build --release --locked -p rangefinder-session --features mock --bin mock-worker
	@for what in overhead scaling segments; do $(PYTHON) scripts/bench/orchestration.py $$what || exit 1; done

bench-fidelity: build ## How far split sweeps lie from unsplit ones (4 minutes).
	@$(PYTHON) scripts/bench/fidelity.py

bench-trust: build ## How far interval and verdict can be trusted (10 minutes).
	@$(PYTHON) scripts/bench/trust.py

bench-regret: build ## What following each finder costs in training (half an hour).
	@$(PYTHON) scripts/bench/regret.py

bench-scale: ## How many workers and stored sweeps the service takes (5 minutes, 2 idle cores).
	@$(CARGO) build --release --locked -p rangefinder-load --bins
	@target/release/rangefinder-load --folder target

env: ## Prints what cargo needs in the environment: eval "$$(make -s env)"
	@$(WITH_LIBTORCH) echo "export LIBTORCH='$$LIBTORCH'"

clean: ## Removes the build folder (not the cached libtorch).
	@$(CARGO) clean
