# Roster's chores. `make` lists them.

GOLANGCI_VERSION := v2.15.0
GOLANGCI := bin/golangci-lint-$(GOLANGCI_VERSION)

# go.mod names a Go whose library has no known holes. It is used also where Go was told to stay as it is installed.
export GOTOOLCHAIN := $(shell sed -n 's/^toolchain //p' go.mod)+auto

# The race detector wants a C compiler; Go says 0 where there is none.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

GOVULNCHECK_VERSION := v1.9.0
FUZZTIME ?= 10s

GENERATED := graph/generated.go graph/models_gen.go graph/schema.resolvers.go db/schema.sql

PAGE_DIR := graph/playground
PAGE := $(PAGE_DIR)/dist/index.html
PAGE_SOURCES := $(shell find $(PAGE_DIR)/src -type f) \
	$(addprefix $(PAGE_DIR)/,index.html package.json package-lock.json tsconfig.json vite.config.js)

.PHONY: help run test faults observed fuzz audit soak check generate playground test-browser bench bench-growth lint check-format check-vet check-generated check-migrations \
	check-bench
.DEFAULT_GOAL := help

help: ## list these
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-22s%s\n", $$1, $$2}'

run: playground ## start the server with a Postgres of its own; ARGS="-addr :9000" passes flags
	go run . $(ARGS)

test: ## run all tests but the browser's
	go test $(RACE) -shuffle=on -timeout 20m ./...

faults: ## kill and starve what Roster stands on, under load, and print the ledger of each fault; as root, for a disk that fills
	go test -tags faults -count=1 -parallel 3 -timeout 20m -v ./internal/faults

observed: ## run the server under load with a Prometheus, hold the dashboard, the alerts and the traces to it; ARGS="-picture docs" draws the dashboard
	go test -tags observed -count=1 -timeout 20m -run '^TestObserved$$' -v ./internal/faults -args $(ARGS)

soak: ## follow the feed of changes under load for minutes, and print what came and how late; ARGS="-soak 10s" passes flags
	go test -tags soak -count=1 -run '^TestSoak' -v ./internal/directory -args $(ARGS)

fuzz: ## run every fuzz target for FUZZTIME, 10s if not given, one after the other
	.ci/fuzz $(FUZZTIME)

audit: ## compare what Roster is built of with the Go vulnerability database
	.ci/audit $(GOVULNCHECK_VERSION)

check: check-format check-vet lint check-generated check-migrations check-bench ## run what CI checks beside the tests

generate: ## write the GraphQL executor and the picture of the schema anew
	go tool gqlgen generate
	go test -count=1 -run '^TestSchema$$' ./db -update

playground: $(PAGE) ## build the playground's page, if there is npm

test-browser: playground ## try the playground in a headless Chromium; CHROMIUM names another than /usr/bin/chromium
	go test -tags browser -count=1 -run '^TestBrowser' ./graph/playground

# bench/ is a module of its own, so that what it needs is no dependency of Roster's.
bench: ## measure Roster against a handler written by hand; ARGS="-quick -only group" passes flags
	cd bench && go run . -out ../docs/performance.md $(ARGS)

bench-growth: ## the same at 1,000, 100,000 and 1,000,000 groups, with statements and rows read; takes an hour
	cd bench && go run . -growth -out ../docs/performance.md $(ARGS)

lint: $(GOLANGCI) ## run golangci-lint, which also keeps the import rules
	$(GOLANGCI) run ./...

check-format:
	@files=$$(gofmt -l $$(go list -f '{{.Dir}}' ./...)); test -z "$$files" || { echo "gofmt would change:"; echo "$$files"; exit 1; }

check-vet:
	go vet ./...
	go vet -tags browser ./graph/playground
	go vet -tags faults ./internal/faults
	go vet -tags observed ./internal/faults

check-bench:
	@cd bench && files=$$(gofmt -l .); test -z "$$files" || { echo "gofmt would change:"; echo "$$files"; exit 1; }
	cd bench && go vet ./... && go test ./...

check-generated:
	@before=$$(mktemp -d) && trap 'rm -rf "$$before"' EXIT && cp $(GENERATED) "$$before" && $(MAKE) --no-print-directory generate && \
	for file in $(GENERATED); do \
		cmp -s "$$file" "$$before/$$(basename $$file)" || { echo "$$file was not what \`make generate\` makes; now it is"; exit 1; }; \
	done

check-migrations:
	go test -count=1 -run '^(TestMigrationsArePairs|TestUpDownUp)$$' ./db

$(GOLANGCI):
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv bin/golangci-lint $@

# Without npm, or when it fails, everything else goes on and the page says what it lacks.
$(PAGE): $(PAGE_SOURCES)
	@if command -v npm >/dev/null; then \
		(cd $(PAGE_DIR) && npm ci --no-audit --no-fund && npm run build) || \
			{ touch $(PAGE_DIR)/dist/.gitkeep; echo "The playground's page could not be built; going on without it."; }; \
	else \
		echo "There is no npm: going on without the playground's page."; \
	fi
