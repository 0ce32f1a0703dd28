# make help lists the targets. Only Go and make are needed for demo and build.
SHELL := /bin/sh

# The version that the binary reports: the nearest tag, or the commit.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

BUILD_FLAGS = -trimpath -ldflags '-s -w -X main.version=$(VERSION)'

# Flags of the demo, of go test, and which benchmarks to run.
ARGS ?=
TEST_ARGS ?=
BENCH ?= .
BENCH_ARGS ?=

# The seeds of the simulation that make nightly runs.
SEEDS ?= 20000

# The race detector needs a C compiler; the tests of packaging/ need systemd-analyze.
RACE = $(if $(shell command -v gcc 2>/dev/null),-race)

LINT = bin/golangci-lint

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Run a fake store, a receiver and the daemon together. ARGS="--help" shows its flags.
	@CGO_ENABLED=0 go run ./cmd/ecwid-events demo $(ARGS)

.PHONY: build
build: ## Build the static binary bin/ecwid-events.
	CGO_ENABLED=0 go build $(BUILD_FLAGS) -o bin/ecwid-events ./cmd/ecwid-events

# What packages are built for, in Go's names.
ARCHES ?= amd64 arm64

.PHONY: packages
packages: ## Build a deb and an rpm for each of ARCHES="amd64 arm64" in bin/packages.
	rm -rf bin/packages
	@set -e; for arch in $(ARCHES); do \
		binary=bin/linux-$$arch/ecwid-events; \
		(set -x; CGO_ENABLED=0 GOOS=linux GOARCH=$$arch go build $(BUILD_FLAGS) -o $$binary ./cmd/ecwid-events); \
		packaging/packages.sh $$binary $$arch '$(VERSION)' bin/packages; \
	done

.PHONY: test
test: test-tools receivers vet lint ## Vet, lint and test everything. TEST_ARGS adds flags to go test.
	go test $(RACE) -shuffle=on -timeout 20m $(TEST_ARGS) ./...
	go test -C packaging -shuffle=on $(TEST_ARGS) ./...
	$(if $(RACE),$(MORE_SEEDS))

# The race detector makes the simulation slow: under it there are 250 seeds, and
# those up to the thousandth run without it.
MORE_SEEDS = ECWID_EVENTS_SEED=251 ECWID_EVENTS_SIMULATIONS=750 go test -run '^TestSimulation$$' -timeout 20m $(TEST_ARGS) ./poller

.PHONY: nightly
nightly: SEED := $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
nightly: ## Run the capture simulation with SEEDS=20000 seeds, from a random SEED on. A failing seed is named.
	@echo "$(SEEDS) seeds from SEED=$(SEED) on"
	@ECWID_EVENTS_SEED=$(SEED) ECWID_EVENTS_SIMULATIONS=$(SEEDS) go test -run '^TestSimulation$$' -timeout 12h $(TEST_ARGS) ./poller

.PHONY: bench
bench: ## Run the benchmarks. BENCH picks them by name, BENCH_ARGS adds flags to go test.
	go test -run '^$$' -timeout 60m -bench '$(BENCH)' -benchmem $(BENCH_ARGS) ./...

.PHONY: vet
vet: ## Run go vet.
	go vet ./...
	go vet -C receivers/cloudevents ./...
	go vet -C packaging ./...

.PHONY: lint
lint: $(LINT) ## Run golangci-lint at the version that tools/go.mod pins.
	$(LINT) run ./...
	cd packaging && ../$(LINT) run ./...

.PHONY: fmt
fmt: $(LINT) ## Format the code and sort its imports.
	$(LINT) fmt ./...

$(LINT): tools/go.mod
	go build -C tools -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

# Installs what the tests use besides Go, where that is possible: as root on
# Debian and its kin. What is still missing is named, and the tests that need it
# skip; with CI=true that is a failure.
.PHONY: test-tools
test-tools:
	@tools/test-tools.sh

# The packages of the receiver that runs on Node, the schema of AsyncAPI and what drives
# the browser, where there is npm.
.PHONY: receivers
receivers: test-tools
	@! command -v npm >/dev/null || $(MAKE) -s $(NODE_MODULES)

NODE_MODULES = receivers/node/node_modules receivers/contract/node_modules admin/dashboard/browsertest/node_modules

$(NODE_MODULES): %/node_modules: %/package-lock.json
	npm ci --prefix $* --ignore-scripts --no-audit --no-fund --silent
	@touch $@

.PHONY: clean
clean: ## Remove what was built.
	rm -rf bin
