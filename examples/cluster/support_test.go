package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/bennu-go/bennu/internal/proctest"
	"github.com/bennu-go/bennu/internal/testport"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
)

// require makes the test fail if HAProxy is not installed; otherwise it is skipped then.
const require = "BENNU_REQUIRE_PROXIES"

const names = "abc"

// A cluster is three nodes, each a process, behind HAProxy.
type cluster struct {
	nodes map[string]*proctest.Process
	addrs map[string]string
	proxy *proctest.Process
	addr  string // of the proxy
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	haproxy := proctest.Find("haproxy")
	if haproxy == "" {
		if os.Getenv(require) != "" {
			t.Fatalf("haproxy is not installed, and %s is set: run `make deps`", require)
		}
		t.Skip("NOT RUN: haproxy is not installed. `make deps` installs it where it can.")
	}
	binary := proctest.Build(t, "github.com/bennu-go/bennu/examples/cluster")
	c := &cluster{nodes: map[string]*proctest.Process{}, addrs: map[string]string{}}
	env := []string{"SECRET=a secret of more than sixteen bytes"}
	var peers []string
	checked := map[string]string{}
	for _, name := range strings.Split(names, "") {
		port := fmt.Sprint(testport.Free(t))
		checked[name] = port
		p := proctest.Start(t, "node "+name, env, binary,
			"-node", name, "-addr", "127.0.0.1:0", "-health", "127.0.0.1:"+port, "-cluster", "127.0.0.1:0", "-peers", strings.Join(peers, ","))
		found := p.Await(t, `serving .*addr=(\S+) cluster=(\S+)`)
		c.nodes[name], c.addrs[name] = p, found[1]
		peers = append(peers, found[2])
	}
	for _, name := range strings.Split(names, "") {
		waittest.Until(t, "the nodes know each other", func() bool { return len(c.health(t, name).Peers) == len(names)-1 })
	}
	// A free port may be taken by others before the proxy listens on it.
	for try := 1; ; try++ {
		c.addr = testport.Addr(t)
		c.proxy = proctest.Start(t, "haproxy", []string{
			"LISTEN=" + c.addr, "NODE_A=" + c.addrs["a"], "NODE_B=" + c.addrs["b"], "NODE_C=" + c.addrs["c"],
			"HEALTH_A=" + checked["a"], "HEALTH_B=" + checked["b"], "HEALTH_C=" + checked["c"],
		}, haproxy, "-f", "haproxy.cfg")
		waittest.Until(t, "the proxy listens", func() bool { return c.proxy.Ended() || proctest.Listens(c.addr) })
		if !c.proxy.Ended() {
			return c
		}
		if try == 3 {
			t.Fatal("haproxy ends at its start")
		}
	}
}

type healthState struct {
	Node      string
	Connected bool
	Peers     []string
}

// health asks a node itself.
func (c *cluster) health(t *testing.T, name string) (h healthState) {
	t.Helper()
	client := http.Client{Timeout: proctest.Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + c.addrs[name] + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&h); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("healthz of %s: %s, %v", name, answer.Status, err)
	}
	return h
}

// polls counts the requests of long polling that each node has answered, from the log
// of the proxy.
func (c *cluster) polls() map[string]int {
	count := map[string]int{}
	for _, found := range regexp.MustCompile(` nodes/(\w) .* 200 .* /socket/longpoll `).FindAllStringSubmatch(c.proxy.Said(), -1) {
		count[found[1]]++
	}
	return count
}

// A guest is a client in the chat room, through the proxy.
type guest struct {
	*wstest.Client
	t    *testing.T
	name string
	node string // that has its channel
}

const room = "room:cluster"

// enter joins and shouts, and learns from the broadcast which node has the channel.
func (c *cluster) enter(t *testing.T, name string, polls bool) *guest {
	t.Helper()
	g := &guest{t: t, name: name}
	if polls {
		g.Client = wstest.DialLongPoll(t, "http://"+c.addr+"/socket/longpoll?vsn=2.0.0")
	} else {
		g.Client = wstest.Dial(t, "ws://"+c.addr+"/socket/websocket?vsn=2.0.0")
	}
	g.Want(room, "phx_join", `{"name":"`+name+`"}`, "ok", "{}")
	g.say("here is " + name)
	g.node = g.hears("here is " + name)
	return g
}

func (g *guest) say(body string) {
	g.t.Helper()
	g.Want(room, "shout", `{"body":"`+body+`"}`, "ok", "{}")
}

// hears waits for the shout of somebody, and returns the node of the sender.
func (g *guest) hears(body string) (node string) {
	g.t.Helper()
	g.Await(g.name+" to hear: "+body, func(m wstest.Message) bool {
		var said struct{ Body, Node string }
		if m.Topic != room || m.Event != "shout" || json.Unmarshal([]byte(m.Payload), &said) != nil || said.Body != body {
			return false
		}
		node = said.Node
		return true
	})
	return node
}

// converse lets each guest shout, and waits until all guests have got it.
func converse(t *testing.T, about string, guests []*guest) {
	t.Helper()
	for _, g := range guests {
		g.say(about + ", says " + g.name)
	}
	for _, hearer := range guests {
		for _, g := range guests {
			if node := hearer.hears(about + ", says " + g.name); node != g.node {
				t.Errorf("%s spoke on node %s, and its channel was on %s", g.name, node, g.node)
			}
		}
	}
}
