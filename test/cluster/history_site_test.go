package cluster

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/proctest"
	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/testport"
	"github.com/bennu-go/bennu/internal/waittest"
)

// keepers are three nodes with a history, behind HAProxy, and their broker.
type keepers struct {
	t      testing.TB
	kind   string
	url    string // of the broker
	broker broker
	addr   string // of HAProxy
	list   []*keeperNode
}

// keeperNode is one of them. Its process changes, all else does not.
type keeperNode struct {
	options keeperOptions
	process *process
	http    *http.Client
}

// startKeepers starts the nodes. The broker is theirs, unless url names another way to it. The changes
// are made to the options of each.
func startKeepers(t testing.TB, kind string, b broker, url string, changes ...func(o *keeperOptions)) *keepers {
	t.Helper()
	dir, err := os.MkdirTemp("", "bennu")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	k := &keepers{t: t, kind: kind, broker: b, url: url}
	for _, name := range []string{"a", "b", "c"} {
		control := filepath.Join(dir, name)
		n := &keeperNode{options: keeperOptions{
			Node: name, Kind: kind, URL: url, Addr: testport.Addr(t), Health: testport.Addr(t), Control: control,
		}}
		for _, change := range changes {
			change(&n.options)
		}
		transport := &http.Transport{MaxIdleConnsPerHost: 64, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", control)
		}}
		n.http = &http.Client{Timeout: patience, Transport: transport}
		t.Cleanup(transport.CloseIdleConnections)
		k.list = append(k.list, n)
		n.start(t)
	}
	k.balance()
	return k
}

// startDurable starts a broker that is a store too. What it has acknowledged must survive that it is
// killed, so it writes to its disk before it acknowledges: a process that is killed loses what it has
// not yet written, and Redis by default writes up to seconds after it has answered while its disk is
// busy.
func startDurable(t testing.TB, kind string) broker {
	t.Helper()
	switch kind {
	case kindNATS:
		return startNATS(t, natsOptions{Store: t.TempDir(), Sync: true})
	case kindRedis:
		return redisBroker{redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")}
	}
	t.Fatalf("there is no store of the kind %q", kind)
	return nil
}

// startStore starts a broker that is a store too, and is never killed. How many messages it takes does
// not depend on how often the disk of this machine can be written to.
func startStore(t testing.TB, kind string) broker {
	t.Helper()
	if kind == kindNATS {
		return startNATS(t, natsOptions{Store: t.TempDir()})
	}
	return startBroker(t, kind)
}

func (n *keeperNode) start(t testing.TB) {
	t.Helper()
	n.process = spawn(t, roleKeeper, "node "+n.options.Node, n.options, new(struct{}))
	n.process.tolerates = "reason=join_timeout" // of joins that wait for a store that is away
}

func (n *keeperNode) stats(t testing.TB) bennu.HistoryStats {
	t.Helper()
	s, err := ask[bennu.HistoryStats](n.http, "stats", struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// balance runs HAProxy, as examples/cluster does.
func (k *keepers) balance() {
	k.t.Helper()
	path := proctest.Find("haproxy")
	if path == "" {
		if os.Getenv("BENNU_REQUIRE_PROXIES") != "" {
			k.t.Fatal("haproxy is not installed, and BENNU_REQUIRE_PROXIES is set: run `make deps`")
		}
		k.t.Skip("NOT RUN: haproxy is not installed. `make deps` installs it where it can.")
	}
	k.addr = testport.Addr(k.t)
	said := &waittest.Buffer{Most: 64 << 10} // it has a line for each connection
	cmd := exec.Command(path, "-f", "haproxy.cfg")
	cmd.Dir = filepath.Join("..", "..", "examples", "cluster")
	cmd.Stdout, cmd.Stderr = said, said
	cmd.Env = append(os.Environ(), "LISTEN="+k.addr)
	for i, name := range []string{"A", "B", "C"} {
		_, port, _ := net.SplitHostPort(k.list[i].options.Health)
		cmd.Env = append(cmd.Env, "NODE_"+name+"="+k.list[i].options.Addr, "HEALTH_"+name+"="+port)
	}
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	k.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if k.t.Failed() {
			k.t.Logf("HAProxy wrote:\n%s", said)
		}
	})
	eventually(k.t, "HAProxy listens", func() bool {
		select {
		case <-ended:
			k.t.Fatalf("HAProxy ended: %s", said)
		default:
		}
		return proctest.Listens(k.addr)
	})
}
