# `make` lists the targets. PATH begins with the tools that tools/install.sh fetches.
SHELL := bash
export PATH := $(CURDIR)/.cache/bin:$(CURDIR)/.cache/python/bin:$(PATH):/usr/sbin

.PHONY: help tools build test lint golden bench fuzz e2e clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

tools: ## fetch what the tests run besides Rust, pinned, into .cache
	tools/install.sh

build: ## the release binary, target/release/pgrender
	cargo build --release

test: tools ## every test
	cargo test

lint: tools ## formatters and linters, all files
	tools/lint.sh

golden: tools ## write the goldens below fixtures anew: read the diff before you commit it
	SNAPSHOTS=overwrite cargo test

bench: ## how long parsing, deriving, building and writing take
	cargo bench

fuzz: ## changed inputs for half an hour, or PGRENDER_FUZZ_SECONDS
	PGRENDER_FUZZ_SECONDS=$${PGRENDER_FUZZ_SECONDS:-1800} cargo test --release --lib fuzz -- --nocapture

e2e: tools ## the scenarios of tests/e2e on a real Kubernetes, or only SCENARIO=name
	tools/install.sh e2e
	cargo build
	python3 tests/e2e $(SCENARIO)

clean: ## remove what was built and fetched
	cargo clean
	rm -rf .cache
