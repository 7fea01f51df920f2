SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Pinned, so that a new release of a tool never turns a green tree red.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# One package's tests may take this long, its turn awaited, before they are stopped with
# their stacks. It ends a hang, on a busy machine too.
TIMEOUT ?= 60m
# How often `make test-busy` runs the tests.
RUNS ?= 10
# How often each fuzz target runs in `make fuzz`.
FUZZ ?= 1000000
# Which benchmarks `make bench-go` and `make bench-compare` run, and in which packages.
BENCH ?= .
PKG ?= ./...
# The modules that are checked and tested: the library's with all beside it, and that of the
# measuring programs, which keeps what they need out of the first one's go.mod.
MODULES := . measure
ADDR ?= 127.0.0.1:4000
BROKER ?= nats
FIXTURE_ADDR ?= 127.0.0.1:4011
# What `make bench-compare` compares.
OLD ?= HEAD~1
NEW ?= HEAD

##@ Every day

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: test
test: deps lint ## everything CI runs: installs what it needs, lints, then all tests, stock clients, proxies and Redis too
	@echo "==> go test -race -shuffle=on, in $(MODULES)"
	@BENNU_REQUIRE_CLIENTS=1 BENNU_REQUIRE_PROXIES=1 BENNU_REQUIRE_REDIS=1 scripts/test -timeout $(TIMEOUT)

.PHONY: test-busy
test-busy: ## make test RUNS times (10) beside eight busy loops: every run must pass, however long it takes
	@scripts/test-busy $(RUNS)

.PHONY: unit
unit: ## Go tests only, no race detector: the fast loop; the stock clients run if they are installed
	go test -shuffle=on -timeout $(TIMEOUT) $(PKG)
	@[[ '$(PKG)' != ./... ]] || go test -C measure -shuffle=on -timeout $(TIMEOUT) ./...

# With -race, what vet and staticcheck compile is what the tests need. go list gets the modules.
.PHONY: lint
lint: ## gofmt, go vet, staticcheck
	@echo "==> gofmt"
	@unformatted=$$(find . -name '*.go' -not -path '*/node_modules/*' -print0 | xargs -0 -r gofmt -l); \
		if [[ -n $$unformatted ]]; then echo "gofmt would change these files (make fmt does it):"; echo "$$unformatted"; exit 1; fi
	@for module in $(MODULES); do \
		echo "==> go vet, in $$module"; \
		scripts/again go list -C $$module -deps -test ./... >/dev/null; \
		go vet -C $$module -race ./...; \
	done
	@scripts/again go run $(STATICCHECK) -version >/dev/null # gets it
	@for module in $(MODULES); do \
		echo "==> staticcheck, in $$module"; \
		(cd $$module && go run -exec 'env GOFLAGS=-race' $(STATICCHECK) ./...); \
	done

.PHONY: fmt
fmt: ## format every Go file
	@find . -name '*.go' -not -path '*/node_modules/*' -print0 | xargs -0 -r gofmt -w

.PHONY: demo
demo: ## run the demo on ADDR (127.0.0.1:4000)
	@echo "The first build takes about a minute on two cores, and says nothing."
	go run -tags nobrokers ./cmd/bennu demo --addr $(ADDR)

.PHONY: cluster
cluster: ## run three nodes behind HAProxy, without sticky sessions, on ADDR (127.0.0.1:4000)
	@scripts/cluster $(ADDR)

##@ Parts of the tests

.PHONY: clients
clients: ## the stock Phoenix clients alone, in Node and in Chromium, each scenario shown
	@test/install clients
	BENNU_REQUIRE_CLIENTS=1 go test -race -count=1 -timeout $(TIMEOUT) -v ./test/clients

.PHONY: history-full
history-full: ## stock clients of topics with a history, cut at random for 10 min, over each transport: 100 % must come; 40 min
	@test/install clients
	BENNU_FULL=1 BENNU_REQUIRE_CLIENTS=1 go test -count=1 -timeout 120m -run '^TestHistory' -v ./test/clients

.PHONY: proxies
proxies: deps ## nginx, HAProxy and Caddy alone, Traefik where it is installed; BENNU_FULL=1 adds their own time limits, 75 s
	BENNU_REQUIRE_PROXIES=1 go test -race -count=1 -timeout $(TIMEOUT) -v ./test/proxies

.PHONY: traefik
traefik: deps ## build Traefik from the Go module proxy, 16 min of CPU the first time, and run its recipe
	cd test/proxies/traefik && go build -o bin/traefik github.com/traefik/traefik/v3/cmd/traefik
	PATH="$(CURDIR)/test/proxies/traefik/bin:$$PATH" BENNU_REQUIRE_PROXIES=1 go test -race -count=1 -timeout $(TIMEOUT) -run '/traefik' -v ./test/proxies

.PHONY: redis
redis: deps ## the Redis adapter alone, with real servers: one, Sentinels, a cluster
	BENNU_REQUIRE_REDIS=1 go test -race -count=1 -timeout $(TIMEOUT) -v ./pubsub/redispubsub

.PHONY: faults
faults: ## hostile clients at full size, times asserted: 3 min, on a machine that does nothing else
	BENNU_FULL=1 go test -count=1 -timeout 30m -v ./test/faults

.PHONY: cluster-faults
cluster-faults: ## nodes and brokers killed, stopped and cut off, at full size: 15 min, on a machine that does nothing else
	BENNU_FULL=1 BENNU_REQUIRE_REDIS=1 go test -count=1 -timeout 60m -skip '^Test(Presence|History)' -v ./test/cluster

.PHONY: presence-faults
presence-faults: ## the same for who is present, with a node killed 200 times: 30 min, on a machine that does nothing else
	BENNU_FULL=1 BENNU_REQUIRE_REDIS=1 go test -count=1 -timeout 90m -run '^TestPresence' -v ./test/cluster

.PHONY: cluster-history
cluster-history: ## 20 million messages to clients that resume, over cuts, kills of nodes and of Redis and NATS, and deployments: 10 min, on a machine that does nothing else
	BENNU_FULL=1 BENNU_REQUIRE_REDIS=1 BENNU_REQUIRE_PROXIES=1 go test -count=1 -timeout 120m -run '^TestHistory' -v ./test/cluster

.PHONY: cluster-order
cluster-order: ## a million messages between three nodes over each broker, none lost, doubled or out of order
	BENNU_FULL=1 BENNU_REQUIRE_REDIS=1 go test -count=1 -timeout 30m -run '^Test(URL|Servers|Embedded|Suite|ClusterSuite)$$/^Order$$' -v ./pubsub/natspubsub ./pubsub/redispubsub
	BENNU_FULL=1 go test -count=1 -timeout 30m -run '^TestEmbedded$$' -skip '/^Order$$' -v ./pubsub/natspubsub

.PHONY: partitions
partitions: ## networks between nodes that are cut, embedded NATS and Redis: needs root, ip and iptables; 4 min
	BENNU_PARTITIONS=1 go test -race -count=1 -timeout 30m -run Partition -v ./test/cluster

.PHONY: conformance
conformance: ## the wire cases alone, each one shown
	go test -race -count=1 -timeout $(TIMEOUT) -v ./internal/conformance

.PHONY: fixture
fixture: ## serve the fixture application on FIXTURE_ADDR (127.0.0.1:4011)
	go run ./conformance/fixture -addr $(FIXTURE_ADDR)

.PHONY: fuzz
fuzz: ## run every fuzz target FUZZ times (1000000)
	@scripts/fuzz $(FUZZ)

.PHONY: full
full: ## the tests that have a small size for every day, at their full size
	BENNU_FULL=1 go test -race -count=1 -timeout 30m -run 'Isolation|Churn|Ends$$|MemoryIsBounded' -v .
	BENNU_FULL=1 go test -count=1 -timeout 60m -run 'DisconnectWhileConnecting' -v .
	BENNU_FULL=1 go test -count=1 -timeout 60m -run 'LargestMessage' -v .

.PHONY: parked
parked: deps ## all tests with the other read engine alone, as on systems without epoll: 6 min
	BENNU_REQUIRE_CLIENTS=1 BENNU_REQUIRE_PROXIES=1 BENNU_REQUIRE_REDIS=1 scripts/test -tags noepoll -timeout $(TIMEOUT)

.PHONY: cycles
cycles: ## a million connections made and closed at random moments with each engine: nothing left, nothing misdelivered; 6 min
	BENNU_FULL=1 go test -count=1 -timeout 60m -run '^Test(Cycles|StopWhileOpening)$$' -v ./transport/websocket

.PHONY: simulate
simulate: ## 100,000 histories of the tracker, with crashes and partitions: a minute or two on two cores; BENNU_SEED=n tells one of them
	BENNU_FULL=1 go test -count=1 -timeout 60m -run 'Simulation|Defects' -v ./internal/tracker

.PHONY: memory
memory: ## resident memory of a server with 10,000 joined connections, read with epoll and by goroutines
	go run -C measure . memory -connections 10000
	go run -C measure . memory -connections 10000 -no-epoll

.PHONY: client-memory
client-memory: ## resident memory of a process with 10,000 Go clients
	go run -C measure . clientmemory -clients 10000

.PHONY: replay
replay: ## what it costs when 10,000 clients come back at once that have each missed 1,000 messages of one topic
	go run -C measure . replay -clients 10000 -messages 1000

.PHONY: nodes
nodes: ## what it costs to have more than one node: latency, CPU, topics; for BROKER (nats, embedded, redis)
	go run -C measure . nodes -broker $(BROKER)

.PHONY: bench
bench: ## measure the goals beside the floor and write docs/benchmarks.md: 25 min, on a machine that does nothing else
	go run -C measure . bench

.PHONY: bench-quick
bench-quick: ## the same, small, into a temporary folder: to see that it works
	go run -C measure . bench -quick -runs 1 -connections 1000 -out $$(mktemp -d)

.PHONY: bench-go
bench-go: ## the Go benchmarks; narrow with BENCH=regexp PKG=./dir
	go test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 30m $(PKG)

.PHONY: bench-compare
bench-compare: ## the Go benchmarks of two commits side by side: OLD=commit NEW=commit BENCH=regexp PKG=./dir
	@scripts/bench-compare '$(OLD)' '$(NEW)' '$(BENCH)' '$(PKG)'

.PHONY: cover
cover: ## test coverage over all packages: a total, and coverage.html
	go test -shuffle=on -timeout $(TIMEOUT) -coverpkg=./... -coverprofile=coverage.out ./...
	go tool cover -html=coverage.out -o coverage.html
	@go tool cover -func=coverage.out | tail -n 1

##@ Housekeeping

.PHONY: deps
deps: ## install what the tests need: Chromium, the npm packages, nginx, HAProxy, Caddy and Redis
	@test/install

.PHONY: tidy
tidy: ## go mod tidy, in each module: when a requirement of one changes, the other follows
	@for module in $(MODULES); do go mod tidy -C $$module; done

.PHONY: docs
docs: ## write what docs/cli.md shows of the command anew, the session of connect too
	BENNU_UPDATE=1 go test -count=1 -run '^Test(Docs|Session)$$' ./cmd/bennu ./cmd/bennu/internal/connect

.PHONY: man
man: ## write the manual pages of the command into ./man
	go run ./cmd/bennu man man

.PHONY: clean
clean: ## remove what the other targets leave behind
	rm -rf coverage.out coverage.html man test/clients/node_modules
