# `make` lists the targets. PATH begins with the tools that tools/install.sh fetches.
SHELL := bash
export PATH := $(CURDIR)/.cache/bin:$(CURDIR)/.cache/python/bin:$(PATH):/usr/sbin

.PHONY: help tools build test lint golden bench fuzz object-storage collector e2e clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 24

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

object-storage: tools ## backups to servers of all protocols of object storage, on this machine
	tools/install.sh versitygw fake-gcs-server azurite
	cargo test --test integration -- --ignored config::object_storage

collector: tools ## what the OpenTelemetry collector accepts and sends, on this machine
	tools/install.sh otelcol-contrib
	cargo test --test integration -- --ignored collector::

e2e: tools ## the scenarios of tests/e2e on a real Kubernetes, or only SCENARIO=name
	tools/install.sh versitygw otelcol-contrib
	cargo build
	python3 tests/e2e $(SCENARIO)

clean: ## remove what was built and fetched
	cargo clean
	rm -rf .cache
