package proxies

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/proctest"
	"github.com/bennu-go/bennu/internal/testport"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
)

// Behind the recipe are two servers. One after the other is restarted in order, and then
// both are killed for a while. Each time the stock clients of a server that ends are lost
// once, and no other client is; all come back by themselves.
func TestOutage(t *testing.T) {
	const clients = 12
	forEach(t, func(t *testing.T, k *kind) {
		backends := twoHosts(t)
		nodes := []*proctest.Process{startNode(t, backends[0]), startNode(t, backends[1])}
		p := startProxy(t, k, documented, backends...)
		c := newCrew(t, p.ws("/socket"), clients)
		c.gather(t, 0)

		for i, b := range backends {
			c.restart(t, nodes[i])
			p.awaitNews(t, i, "DOWN", 1)
			nodes[i] = startNode(t, b)
			p.awaitNews(t, i, "UP", 1)
		}

		// In one moment: nobody gets from the first to the other before that ends, too.
		for _, n := range nodes {
			n.Freeze(t)
		}
		for _, n := range nodes {
			n.Kill()
		}
		for i := range nodes {
			p.awaitNews(t, i, "DOWN", 2)
		}
		for i, b := range backends {
			nodes[i] = startNode(t, b)
		}
		c.gather(t, clients)
		if len(c.lost) != 1 || len(c.lost["1006"]) != clients {
			t.Fatalf("lost by code: %v; want all %d once, without a code", c.lost, clients)
		}
	})
}

// The same with examples/cluster and its HAProxy: three nodes, and in the outage clients
// over long polling too, each of whose polls may go to any node.
func TestClusterOutage(t *testing.T) {
	t.Parallel()
	haproxy := haproxy.binary(t)
	const clients, names = 9, "abc"
	binary := proctest.Build(t, "github.com/bennu-go/bennu/examples/cluster")
	addr := testport.Addr(t)
	env, start := []string{"LISTEN=" + addr}, map[string]func() *proctest.Process{}
	cluster := []string{testport.Addr(t), testport.Addr(t), testport.Addr(t)}
	for i, name := range strings.Split(names, "") {
		clients, checks := testport.Addr(t), testport.Free(t)
		env = append(env, fmt.Sprintf("NODE_%s=%s", strings.ToUpper(name), clients), fmt.Sprintf("HEALTH_%s=%d", strings.ToUpper(name), checks))
		start[name] = func() *proctest.Process {
			p := proctest.Start(t, "node "+name, []string{"SECRET=a secret of more than sixteen bytes"}, binary, "-node", name,
				"-addr", clients, "-health", fmt.Sprintf("127.0.0.1:%d", checks), "-cluster", cluster[i], "-peers", strings.Join(cluster, ","))
			p.Await(t, "serving")
			return p
		}
	}
	nodes := map[string]*proctest.Process{}
	for name, run := range start {
		nodes[name] = run()
	}
	proxy := proctest.Start(t, "haproxy", env, haproxy, "-f", "../../examples/cluster/haproxy.cfg")
	waittest.Until(t, "the proxy listens", func() bool { return proctest.Listens(addr) })
	news := func(name, is string, n int) {
		t.Helper()
		news := fmt.Sprintf("\nServer nodes/%s is %s", name, is)
		eventually(t, news, func() bool { return strings.Count("\n"+proxy.Said(), news) >= n })
	}
	sockets := newCrew(t, "ws://"+addr+"/socket", clients)
	sockets.gather(t, 0)
	for name, run := range start {
		sockets.restart(t, nodes[name])
		news(name, "DOWN", 1)
		nodes[name] = run()
		news(name, "UP", 1)
	}
	pollers := newCrew(t, "ws://"+addr+"/socket", clients, "longpoll")
	pollers.gather(t, 0)
	for _, n := range nodes {
		n.Freeze(t)
	}
	for _, n := range nodes {
		n.Kill()
	}
	for name, run := range start {
		news(name, "DOWN", 2)
		nodes[name] = run()
	}
	sockets.gather(t, clients)
	pollers.gather(t, clients)
}

// A server that fails its check is given no new clients, and keeps those it has: it may
// only be busy, or drain.
func TestHealthCheck(t *testing.T) {
	forEach(t, func(t *testing.T, k *kind) {
		if k == nginx {
			t.Skip("nginx makes no checks of its own")
		}
		backends := twoHosts(t)
		noLimit := func(o *bennu.EndpointOptions, _ *bennu.SocketOptions) { o.Limits.PerAddress = bennu.Unlimited }
		busy, other := startServerAt(t, backends[0], noLimit), startServerAt(t, backends[1], noLimit)
		p := startProxy(t, k, documented, backends...)
		path := "/socket/behind/websocket?vsn=2.0.0&id="
		// The first ones go to both.
		var first []*wstest.Client
		count := func() (ofBusy, ofOther int) { return busy.visitors(), other.visitors() }
		eventually(t, "clients on both servers", func() bool {
			c := wstest.Dial(t, p.ws(path+strconv.Itoa(len(first))))
			c.Join("room:checked")
			first = append(first, c)
			a, b := count()
			return a > 0 && b > 0
		})
		busy.health.ending.Store(true)
		// The proxy balances by how many each has, so the other one can be so much ahead
		// only where it is the only one.
		n := len(first)
		eventually(t, "the failed check", func() bool {
			n++
			wstest.Dial(t, p.ws(path+strconv.Itoa(n)))
			a, b := count()
			return b >= a+4
		})
		for _, c := range first {
			c.Want("room:checked", "echo", `{"still":"here"}`, "ok", `{"still":"here"}`)
		}
		busy.health.ending.Store(false)
		eventually(t, "the check that passes", func() bool {
			before, _ := count()
			n++
			wstest.Dial(t, p.ws(path+strconv.Itoa(n)))
			after, _ := count()
			return after > before
		})
	})
}

// asServer makes the test binary a server: the value has the address for clients and
// that for the checks.
const asServer = "BENNU_TEST_AS_SERVER"

// runServer is a server with the recipe, until it is asked to end.
func runServer() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	clients, checks, _ := strings.Cut(os.Getenv(asServer), " ")
	options, mount := behindProxy()
	options.DrainTime = time.Second
	endpoint := bennu.NewEndpoint(&options)
	endpoint.Socket("/socket", rooms(nil), &mount)
	var listeners [2]net.Listener
	for i, addr := range []string{clients, checks} {
		var err error
		if listeners[i], err = net.Listen("tcp", addr); err != nil {
			log.Fatal(err)
		}
	}
	log.Print("listening")
	if err := serve(ctx, endpoint, listeners[0], listeners[1]); err != nil {
		log.Fatal(err)
	}
}

// startNode runs such a server in a process of its own.
func startNode(t *testing.T, b backend) *proctest.Process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := proctest.Start(t, "the server at "+b.Addr, []string{asServer + "=" + b.Addr + " " + b.Check}, self)
	p.Await(t, "listening")
	return p
}

// twoHosts are addresses of servers on two hosts, with the same ports on both.
func twoHosts(t *testing.T) []backend {
	t.Helper()
	clients, checks := testport.Free(t), testport.Free(t)
	var all []backend
	for _, host := range []string{"127.0.0.2", "127.0.0.3"} {
		ln, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Skipf("NOT RUN: this system has no address %s: %v", host, err)
		}
		ln.Close()
		all = append(all, backend{fmt.Sprintf("%s:%d", host, clients), fmt.Sprintf("%s:%d", host, checks)})
	}
	return all
}

// A crew is some stock clients.
type crew struct {
	*stock
	clients int
	polls   bool // so that a client may be lost again: when a node is asked for its session too early
	joined  map[string]bool
	lost    map[string][]string // clients by the code of the close, since the last call of gather
}

func newCrew(t *testing.T, url string, clients int, transport ...string) *crew {
	t.Helper()
	args := append([]string{url, strconv.Itoa(clients)}, transport...)
	return &crew{stock: startStock(t, "outage.mjs", args...), clients: clients, polls: len(transport) > 0, joined: map[string]bool{}}
}

// restart ends a server in order. It says how many connections it had: so many are told to
// come back, and no other is lost.
func (c *crew) restart(t *testing.T, node *proctest.Process) {
	t.Helper()
	if code := node.Stop(t); code != 0 {
		t.Fatalf("the server ended with code %d", code)
	}
	had := 0
	if found := regexp.MustCompile(`draining connections"? connections=(\d+)`).FindStringSubmatch(node.Said()); found != nil {
		had, _ = strconv.Atoi(found[1])
	}
	c.gather(t, had)
	if len(c.lost) > 1 || len(c.lost["1012"]) != had {
		t.Fatalf("the server had %d connections; lost by code: %v", had, c.lost)
	}
}

// gather waits until so many were lost, and all are there.
func (c *crew) gather(t *testing.T, lost int) {
	t.Helper()
	c.lost = map[string][]string{}
	for n := 0; n < lost || len(c.joined) < c.clients; {
		words := strings.Fields(c.next(t))
		if who := words[0]; words[1] == "joined" {
			c.joined[who] = true
		} else {
			if !c.joined[who] && c.polls {
				continue
			}
			n++
			if !c.joined[who] {
				t.Fatalf("client %s is lost a second time; lost before, by code: %v", who, c.lost)
			}
			delete(c.joined, who)
			c.lost[words[2]] = append(c.lost[words[2]], who)
		}
	}
}
