# Everything that is built, tested and shown. 'make help' lists it.

SHELL       := /bin/bash
GO          ?= go
CACHE       ?= $(if $(XDG_CACHE_HOME),$(XDG_CACHE_HOME),$(HOME)/.cache)/klaxon
TOOLS       := $(CACHE)/tools
BIN         := bin/klaxon
LINT        := $(TOOLS)/golangci-lint-2.15.0
DEMO_EXIT   ?=

export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

.PHONY: build
build: ## build bin/klaxon
	$(GO) build -trimpath -o $(BIN) ./cmd/klaxon

.PHONY: engine
engine: build ## get the embedded ClickHouse engine (npm, once; kept in the user's cache)
	@$(BIN) engine fetch

.PHONY: kafka
kafka: ## get the broker that tests run (Maven, once; kept in the user's cache)
	@e2e/kafka/fetch.sh

.PHONY: test
test: engine kafka ## all tests; none is skipped
	@scripts/test

.PHONY: e2e
e2e: engine ## against a real Kubernetes API server (the first time it is built: ten minutes)
	@scripts/e2e

.PHONY: kill-test
kill-test: engine ## kill serve and its engine KILLS times under load (default 50), and look for what is lost
	KLAXON_KILLS=$(or $(KILLS),50) $(GO) test -count=1 -timeout 1h -v -run '^TestKills$$' ./cmd/klaxon

.PHONY: cost
cost: build ## on Kafka: processor time of an event in ingest and match, and how soon a finding is in the store
	cd e2e && $(GO) test -run '^$$' -bench . -benchtime 1x -timeout 30m ./cost

.PHONY: chaos
chaos: engine kafka ## many processes on three brokers, killed, stopped and cut off for CHAOS_MINUTES (3); see scripts/chaos
	@scripts/chaos

.PHONY: bench
bench: ## the benchmarks of the hot paths
	$(GO) test -run '^$$' -bench . -benchmem ./audit ./rules ./detect ./stream/local ./stream/kafka ./ingest ./store

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (default 30s)
	@scripts/fuzz $(or $(FUZZTIME),30s)

.PHONY: lint
lint: $(LINT) ## vet, style, and the direction of imports
	$(LINT) run ./...
	cd e2e && $(LINT) run ./...
	cd deploy/check && $(LINT) run ./...
	@scripts/lint

$(LINT):
	@mkdir -p $(TOOLS)
	cd $(TOOLS) && GOFLAGS= GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
	mv $(TOOLS)/golangci-lint $@

.PHONY: demo
demo: engine ## start serve, replay a recorded attack at it, show what is found
	@scripts/demo $(BIN) $(DEMO_EXIT)

.PHONY: demo-kafka
demo-kafka: engine kafka ## the same with the log in Kafka and a process for each role
	@scripts/demo-kafka $(BIN) $(DEMO_EXIT)

.PHONY: clean
clean: ## remove what was built
	rm -rf bin
