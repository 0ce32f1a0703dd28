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

.PHONY: test
test: test-tools vet lint ## Vet, lint and test everything. TEST_ARGS adds flags to go test.
	go test $(RACE) -shuffle=on -timeout 20m $(TEST_ARGS) ./...

.PHONY: bench
bench: ## Run the benchmarks. BENCH picks them by name, BENCH_ARGS adds flags to go test.
	go test -run '^$$' -timeout 60m -bench '$(BENCH)' -benchmem $(BENCH_ARGS) ./...

.PHONY: vet
vet: ## Run go vet.
	go vet ./...

.PHONY: lint
lint: $(LINT) ## Run golangci-lint at the version that tools/go.mod pins.
	$(LINT) run ./...

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

.PHONY: clean
clean: ## Remove what was built.
	rm -rf bin
