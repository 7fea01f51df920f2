package cluster

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/proctest"
	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/testport"
)

// keepers is a cluster whose topics have a history, behind HAProxy.
type keepers struct {
	t      *testing.T
	broker broker
	addr   string // of the proxy
	nodes  [3]*keeperNode

	mu       sync.Mutex
	brokerUp int // how often the broker was started again
}

// keeperNode is one of its nodes, in a process that may be another one later.
type keeperNode struct {
	options keeperOptions
	process *process
	control *http.Client
}

// requireProxy makes the tests fail if HAProxy is not installed; otherwise they are skipped then.
const requireProxy = "BENNU_REQUIRE_PROXIES"

// startKeepers starts a broker, the nodes and the proxy.
func startKeepers(t *testing.T, kind string, keeps bool) *keepers {
	t.Helper()
	haproxy := proctest.Find("haproxy")
	if haproxy == "" {
		if os.Getenv(requireProxy) != "" {
			t.Fatalf("haproxy is not installed, and %s is set: run `make deps`", requireProxy)
		}
		t.Skip("NOT RUN: haproxy is not installed. `make deps` installs it where it can.")
	}
	dir, err := os.MkdirTemp("", "bennu")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &keepers{t: t, broker: startStore(t, kind, keeps)}
	config := "global\n maxconn 8000\ndefaults\n mode http\n maxconn 8000\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n timeout tunnel 10m\n" +
		" retries 3\n option redispatch 1\n"
	backend := "backend nodes\n balance leastconn\n"
	for i := range c.nodes {
		n := &keeperNode{options: keeperOptions{
			Node: string(rune('a' + i)), Kind: kind, URL: scheme[kind] + c.broker.addr(), Addr: testport.Addr(t), Control: filepath.Join(dir, fmt.Sprint(i)),
		}}
		n.control = &http.Client{Timeout: patience, Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", n.options.Control)
			},
		}}
		t.Cleanup(n.control.CloseIdleConnections)
		c.nodes[i] = n
		backend += fmt.Sprintf(" server %s %s\n", n.options.Node, n.options.Addr)
		n.start(t)
	}
	for try := 1; ; try++ {
		c.addr = testport.Addr(t)
		path := filepath.Join(dir, "haproxy.cfg")
		if err := os.WriteFile(path, []byte(config+"frontend public\n bind "+c.addr+"\n default_backend nodes\n"+backend), 0o600); err != nil {
			t.Fatal(err)
		}
		p := proctest.Start(t, "haproxy", nil, haproxy, "-f", path)
		eventually(t, "the proxy listens", func() bool { return p.Ended() || proctest.Listens(c.addr) })
		if !p.Ended() {
			return c
		}
		if try == 3 {
			t.Fatal("haproxy ends at its start")
		}
	}
}

// startStore runs a broker that is the store too. One that keeps has everything when it comes back.
func startStore(t *testing.T, kind string, keeps bool) broker {
	t.Helper()
	switch {
	case kind == kindNATS:
		return startNATSWith(t, natsOptions{Store: t.TempDir()})
	case keeps:
		return redisBroker{redistest.Start(t, "--appendonly", "yes", "--appendfsync", "everysec")}
	}
	return redisBroker{redistest.Start(t)}
}

// start starts the node, again if it has ended.
func (n *keeperNode) start(t *testing.T) {
	t.Helper()
	n.process = spawn(t, roleKeeper, "node "+n.options.Node, n.options, &keeperReady{})
	// Joins that wait for a store that is away may take too long.
	n.process.tolerates = "reason=join_timeout"
}

// kill kills the node and starts it again.
func (n *keeperNode) kill(t *testing.T) {
	t.Helper()
	n.process.kill()
	n.start(t)
}

// deploy ends the node in good order and starts it again.
func (n *keeperNode) deploy(t *testing.T) {
	t.Helper()
	n.process.end(t)
	n.start(t)
}

// killBroker takes the broker away for a while.
func (c *keepers) killBroker(t *testing.T) {
	t.Helper()
	c.broker.kill(t)
	lasts(500 * time.Millisecond)
	c.mu.Lock()
	c.brokerUp++
	c.mu.Unlock()
	c.broker.restart(t)
}

// restarts returns how often the broker was started again.
func (c *keepers) restarts() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.brokerUp
}
