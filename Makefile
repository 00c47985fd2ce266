# Nightshift. `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# Slow things are kept outside the checkout, so that a clean clone finds them again.
CACHE := $(or $(NIGHTSHIFT_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nightshift)
GO_VERSION := $(shell go env GOVERSION 2>/dev/null)
LINT_KEY := $(shell cat tools/lint/go.sum 2>/dev/null | sha256sum | cut -c1-16)-$(GO_VERSION)
LINT := $(CACHE)/golangci-lint-$(LINT_KEY)
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/nightshift-functions/nightshift/internal/version.version=$(VERSION)
GO_BUILD := CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)"
PLATFORMS := linux/amd64 windows/amd64
EXE := $(shell go env GOEXE 2>/dev/null)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: need-go bin samples ## build, start everything on this machine, publish the samples (Ctrl-C stops all)
	@exec bin/manager$(EXE) serve --samples bin/samples $(ARGS)

.PHONY: need-go
need-go:
	@command -v go >/dev/null || { echo "Go is missing. Nightshift is built with Go 1.26 or newer: https://go.dev/dl/ (Debian: apt-get install golang)"; exit 1; }
	@command -v git >/dev/null || { echo "git is missing (Debian: apt-get install git)"; exit 1; }

.PHONY: bin
bin: need-go languages ## build manager and worker for this machine into bin/
	@mkdir -p bin
	@echo "building manager and worker (the first time downloads and compiles the libraries: some minutes)"
	@$(GO_BUILD) -o bin/ ./manager ./worker

.PHONY: languages
languages: languages/node/node_modules/.stamp ## install what our language workers need

languages/node/node_modules/.stamp: languages/node/package-lock.json
	@if command -v npm >/dev/null; then \
	  echo "installing the modules of the Node language worker"; \
	  (cd languages/node && npm ci --omit=dev --no-audit --no-fund --loglevel=error) && touch $@; \
	else \
	  echo "SKIPPED: npm is missing, so Node apps cannot run here. Install Node.js 20 or newer with npm (https://nodejs.org; Debian: apt-get install nodejs npm) and run make again."; \
	fi

.PHONY: samples
samples: need-go ## prepare the sample apps in bin/samples
	@tools/samples.sh bin/samples "$$(go env GOOS)" "$$(go env GOARCH)"

.PHONY: build
build: need-go ## manager and worker for every platform into dist/bin/<os>-<arch>/
	@for p in $(PLATFORMS); do \
	  echo "building $$p"; mkdir -p dist/bin/$${p/\//-}; \
	  GOOS=$${p%/*} GOARCH=$${p#*/} $(GO_BUILD) -o dist/bin/$${p/\//-}/ ./manager ./worker || exit 1; \
	done

.PHONY: dist
dist: build ## an archive per platform that runs with nothing installed but the language runtimes
	@VERSION=$(VERSION) tools/dist.sh $(PLATFORMS)

.PHONY: test-fast
test-fast: need-go ## the tests that need no real process: for each commit, under 2 minutes
	@go test -short $$(go list ./... | grep -v /test/)

.PHONY: test
test: need-go test-go test-node test-python test-e2e ## everything: unit with the race detector, language workers, end to end with the real binaries

.PHONY: test-go
test-go: need-go languages
	@go test -race $$(go list ./... | grep -v '/test/')

.PHONY: test-node
test-node:
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer with npm (https://nodejs.org; Debian: apt-get install nodejs npm)"; exit 1; }
	@cd languages/node && npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.stamp && npm test

PY_KEY := $(shell cat languages/python/requirements*.txt 2>/dev/null | sha256sum | cut -c1-16)-$(shell python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
PY_TEST := $(CACHE)/python-$(PY_KEY)

.PHONY: test-python
test-python: $(PY_TEST)/.stamp
	@mkdir -p languages/python/.packages && cp -r $(PY_TEST)/run/. languages/python/.packages/
	@cd languages/python && PYTHONPATH=$(PY_TEST)/test python3 -m unittest

$(PY_TEST)/.stamp:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is missing (https://www.python.org; Debian: apt-get install python3 python3-pip)"; exit 1; }
	@python3 -m pip --version >/dev/null || { echo "pip is missing (Debian: apt-get install python3-pip)"; exit 1; }
	@python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target $(PY_TEST)/run -r languages/python/requirements.txt
	@python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --target $(PY_TEST)/test -r languages/python/requirements-test.txt
	@touch $@

.PHONY: test-e2e
test-e2e: need-go languages
	@go test -count=1 -timeout 20m ./test/...

.PHONY: check
check: need-go $(LINT) ## format, tidy, vet, lint, generated = committed
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "gofmt would change:"; echo "$$out"; exit 1; }
	@go mod tidy -diff
	@go vet ./...
	@GOOS=windows GOARCH=amd64 go vet ./...
	@$(LINT) run ./...
	@tools/generated.sh

$(LINT):
	@mkdir -p $(CACHE)
	@echo "building the linter (once: some minutes)"
	@cd tools/lint && go build -trimpath -ldflags "-s -w" -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: generate
generate: ## regenerate what is generated (FunctionRpc code, goldens)
	@go generate ./...
	@go test ./jobspecs -run Goldens -update

.PHONY: bench
bench: need-go bin samples ## the measures of docs/performance.md, as ratios to baselines of the same run
	@go run ./test/bench $(ARGS)

.PHONY: clean
clean: ## remove what was built (not .nightshift, which holds your apps)
	@rm -rf bin dist
