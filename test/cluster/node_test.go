package cluster

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
)

// nodes is a cluster.
type nodes struct {
	t      testing.TB
	kind   string
	broker broker // nil where nodes embed it
	dir    string // of sockets
	list   []*node
}

// node is a process that the test controls.
type node struct {
	*process
	options nodeOptions
	ready   nodeReady
	http    *http.Client
}

// newNodes makes a cluster that has only its broker.
func newNodes(t testing.TB, kind string) *nodes {
	t.Helper()
	// The names of Unix sockets must be short.
	dir, err := os.MkdirTemp("", "bennu")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &nodes{t: t, kind: kind, dir: dir}
	if kind != kindEmbedded {
		c.broker = startBroker(t, kind)
	}
	return c
}

// startNodes makes a cluster whose nodes know each other.
func startNodes(t testing.TB, kind string, change func(*nodeOptions), names ...string) (*nodes, []*node) {
	t.Helper()
	c := newNodes(t, kind)
	for _, name := range names {
		c.start(name, change)
	}
	c.meet()
	return c, c.list
}

// rarely is how often a node looks whether its broker delivers, unless a test needs that
// sooner: so seldom that a broker which stands still on a busy machine is not given up.
var rarely = waittest.Sized(time.Minute, 0)

// start starts a node.
func (c *nodes) start(name string, change func(*nodeOptions)) *node {
	c.t.Helper()
	o := nodeOptions{Node: name, Kind: c.kind, Probe: rarely, Control: filepath.Join(c.dir, name+".control")}
	if c.broker == nil {
		o.Listen = "127.0.0.1:0"
		for _, other := range c.list {
			o.Peers = append(o.Peers, other.ready.Cluster)
		}
	} else {
		o.URL = scheme[c.kind] + c.broker.addr()
	}
	if change != nil {
		change(&o)
	}
	return c.run(o)
}

// run starts a node with these options. It takes the place of one of its name.
func (c *nodes) run(o nodeOptions, prefix ...string) *node {
	c.t.Helper()
	n := &node{options: o}
	n.process = spawn(c.t, roleNode, "node "+o.Node, o, &n.ready, prefix...)
	n.http = &http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", o.Control)
		},
	}}
	c.t.Cleanup(n.http.CloseIdleConnections)
	c.list = append(slices.DeleteFunc(c.list, func(old *node) bool { return old.options.Node == o.Node }), n)
	return n
}

// meet waits until all nodes know each other.
func (c *nodes) meet() {
	c.t.Helper()
	eventually(c.t, "each node knows all others", func() bool {
		for _, n := range c.list {
			if len(n.stats(c.t).PubSub.Peers) != len(c.list)-1 {
				return false
			}
		}
		return true
	})
}

func do[Out any](t testing.TB, n *node, path string, in any) Out {
	t.Helper()
	out, err := ask[Out](n.http, path, in)
	if err != nil {
		t.Fatalf("%s: %v", n.name, err)
	}
	return out
}

func (n *node) stats(t testing.TB) stats {
	t.Helper()
	return do[stats](t, n, "stats", struct{}{})
}

// publish publishes numbered messages to a topic at once.
func (n *node) publish(t testing.TB, topic string, messages int) published {
	t.Helper()
	return do[published](t, n, "publish", publishing{Topic: topic, From: n.options.Node, Messages: messages})
}

// listen begins a tally of topics.
func (n *node) listen(t testing.TB, topics ...string) {
	t.Helper()
	for _, topic := range topics {
		do[struct{}](t, n, "listen", listening{topic})
	}
}

func (n *node) heard(t testing.TB, topic string) heard {
	t.Helper()
	return do[heard](t, n, "heard", listening{topic})
}

// ws and poll are where clients of an id connect.
func (n *node) ws(id string) string {
	return "ws://" + n.ready.Addr + "/socket/websocket?vsn=2.0.0&id=" + id
}

func (n *node) poll(id string) string {
	return "http://" + n.ready.Addr + "/socket/longpoll?vsn=2.0.0&id=" + id
}

// join connects a client that joins a topic.
func (n *node) join(t testing.TB, topic string) *wstest.Client {
	t.Helper()
	c := wstest.Dial(t, n.ws("somebody"))
	c.Join(topic)
	return c
}
