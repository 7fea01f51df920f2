package demo

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/bennu-go/bennu/cmd/bennu/internal/cli"
	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/testport"
	"github.com/bennu-go/bennu/internal/wstest"
)

// The error of a node that cannot connect has the cause, and what to do about it.
func TestCannotConnect(t *testing.T) {
	// In the mistakes "sesame" is always the password.
	withPassword, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, Username: "bennu", Password: "right",
	})
	if err != nil {
		t.Fatal(err)
	}
	withPassword.Start()
	defer func() {
		withPassword.Shutdown()
		withPassword.WaitForShutdown()
	}()
	if !withPassword.ReadyForConnections(patience) {
		t.Fatal("the NATS server does not start")
	}
	nats := withPassword.Addr().String()

	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	taken := ln.Addr().String()
	nobody := testport.Addr(t)

	tests := []struct {
		name, where string
		want        []string
	}{
		{"no NATS", "nats://u:sesame@" + nobody, []string{"through NATS: no NATS server answers at " + nobody, "is it running, and is the address right?"}},
		{"NATS wants a login", "nats://" + nats, []string{"NATS at " + nats + " does not let this node in.\n", "Check the user and the password in BENNU_PUBSUB: "}},
		{"wrong password of NATS", "nats://bennu:sesame@" + nats, []string{"NATS at " + nats + " does not let this node in.\n", "BENNU_PUBSUB"}},
		{"no Redis", "redis://:sesame@" + nobody, []string{"through Redis: " + nobody + " cannot be reached", "is the address right, and Redis running?"}},
		{"port taken", "nats+embed://" + taken, []string{"port " + taken + " for other nodes is taken", "--pubsub 'nats+embed://:0'"}},
		{"port taken, with peers", "nats+embed://" + taken + "?peers=" + nobody, []string{"--pubsub 'nats+embed://:0?peers=" + nobody + "'"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { cannotConnect(t, tt.where, tt.want...) })
	}
}

func TestCannotConnectRedis(t *testing.T) {
	s := redistest.Start(t)
	s.Do(t, "CONFIG", "SET", "requirepass", "right")
	for name, where := range map[string]string{
		"wrong password": "redis://:sesame@" + s.Addr,
		"no password":    "redis://" + s.Addr,
	} {
		t.Run(name, func(t *testing.T) {
			cannotConnect(t, where, "Redis at "+s.Addr+" does not let this node in.\n", "Check the user and the password in BENNU_PUBSUB: redis://user:password@host")
		})
	}
}

// A second node with the name of a running one does not start, with each broker.
func TestNameTaken(t *testing.T) {
	brokers := map[string]func(t *testing.T) (first string, second func(printed string) string){
		"embedded NATS": func(*testing.T) (string, func(string) string) {
			return "nats+embed://:0", func(printed string) string { return secondOf(t, printed) }
		},
		"Redis": func(t *testing.T) (string, func(string) string) {
			where := "redis://" + redistest.Start(t).Addr
			return where, func(string) string { return where }
		},
	}
	for name, start := range brokers {
		t.Run(name, func(t *testing.T) {
			first, second := start(t)
			d := newDemo(t, "--pubsub", first, "--node", "ibis")
			cannotConnect(t, second(d.intro), "another running node has the name ibis already.\n", "--node ibis-2")
		})
	}
}

// cannotConnect runs a node named ibis that must fail.
func cannotConnect(t *testing.T, where string, want ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errOut strings.Builder
	code := run(ctx, []string{"--addr", "127.0.0.1:0", "--node", "ibis", "--pubsub", where}, &out, &errOut)
	// The log comes before.
	told := errOut.String()
	if i := strings.Index(told, "bennu demo: "); i >= 0 {
		told = told[i:]
	}
	if code != cli.Failed || out.Len() > 0 || strings.Count(told, "\n") > 2 {
		t.Errorf("exit code %d after printing %q and %q", code, out.String(), told)
	}
	for _, text := range want {
		if !strings.Contains(told, text) {
			t.Errorf("stderr %q, want %q in it", told, text)
		}
	}
	if strings.Contains(errOut.String(), "sesame") {
		t.Errorf("stderr %q shows the password", errOut.String())
	}
}

// secondOf returns the --pubsub of the second node, which the first node prints.
func secondOf(t *testing.T, printed string) string {
	t.Helper()
	found := regexp.MustCompile(`demo --addr 127\.0\.0\.1:\d+ --pubsub '(\S+)'\n`).FindStringSubmatch(printed)
	if found == nil {
		t.Fatalf("there is no command for a second node in %q", printed)
	}
	return found[1]
}

// The page gets the name of its node, and those of others when they come and go.
func TestNodeChannel(t *testing.T) {
	first := newDemo(t, "--pubsub", "nats+embed://:0", "--node", "ibis")
	if !strings.Contains(first.intro, "This node is  ibis, and meets others through embedded NATS on 127.0.0.1:") ||
		!strings.Contains(first.intro, "As there is no BENNU_SECRET, it can be reached from this machine alone.") {
		t.Errorf("printed %q", first.intro)
	}
	page := wstest.Dial(t, first.socket())
	page.Want("node:this", "phx_join", "{}", "ok", `{"node":"ibis","broker":"embedded NATS","connected":true,"conflict":false,"peers":[]}`)

	second := newDemo(t, "--pubsub", secondOf(t, first.intro), "--node", "egret")
	sees := func(peers ...string) {
		t.Helper()
		page.Await("other nodes", func(m wstest.Message) bool {
			var s nodeState
			if m.Event != "changed" || json.Unmarshal([]byte(m.Payload), &s) != nil {
				return false
			}
			return slices.Equal(s.Peers, peers)
		})
	}
	sees("egret")

	// A message from one node arrives on the other, with the name of its node.
	other := wstest.Dial(t, second.socket())
	for _, c := range []*wstest.Client{page, other} {
		c.Want("room:here", "phx_join", `{"name":"Ani"}`, "ok", "{}")
	}
	other.Want("room:here", "shout", `{"body":"across"}`, "ok", "{}")
	if said := page.Event("room:here", "shout").Payload; !strings.Contains(said, `"body":"across","node":"egret"`) {
		t.Errorf("heard %s", said)
	}
	// Each node has its own inventory.
	for _, c := range []*wstest.Client{page, other} {
		c.Want("inventory:lapis", "phx_join", "{}", "ok", `{"sku":"lapis","shelf":12}`)
		c.Event("inventory:lapis", "stock")
	}
	other.Want("inventory:lapis", "restock", "{}", "ok", "{}")
	page.Want("inventory:lapis", "take", "{}", "ok", "{}")
	if got := page.Event("inventory:lapis", "stock").Payload; got != `{"sku":"lapis","stock":3}` {
		t.Errorf("the stock is %s where 4 were, and one was taken", got)
	}

	if _, code := second.stop(); code != cli.OK {
		t.Errorf("exit code %d", code)
	}
	sees()
}

func TestNodeChannelAlone(t *testing.T) {
	d := newDemo(t, "--node", "ibis")
	if !strings.Contains(d.intro, "This node is  ibis, and it is alone.") {
		t.Errorf("printed %q", d.intro)
	}
	page := wstest.Dial(t, d.socket())
	page.Want("node:this", "phx_join", "{}", "ok", `{"node":"ibis","broker":"","connected":true,"conflict":false,"peers":[]}`)

	polls := wstest.DialLongPoll(t, d.url+"/socket/longpoll?vsn=2.0.0")
	polls.Join("ping:lobby")
	polls.Want("ping:lobby", "ping", "{}", "ok", `{"ping":"pong"}`)
}

// With a secret any node serves any poll.
func TestSecret(t *testing.T) {
	t.Setenv(secretEnv, testSecret)
	first := newDemo(t, "--pubsub", "nats+embed://127.0.0.1:0", "--node", "ibis")
	if strings.Contains(first.intro, testSecret) || strings.Contains(first.intro, "from this machine alone") ||
		!strings.Contains(first.intro, "in another terminal with the same BENNU_SECRET:") {
		t.Errorf("printed %q", first.intro)
	}
	second := newDemo(t, "--pubsub", secondOf(t, first.intro), "--node", "egret")

	polls := wstest.DialLongPoll(t, first.url+"/socket/longpoll?vsn=2.0.0")
	both := polls.Conn().(*wstest.LongPoll)
	both.URLs = append(both.URLs, second.url+"/socket/longpoll?vsn=2.0.0")
	polls.Join("ping:lobby")
	for range 4 {
		polls.Want("ping:lobby", "ping", "{}", "ok", `{"ping":"pong"}`)
	}
}

// The printed command for a second node never shows a password, and names the variables that it needs.
func TestIntroduce(t *testing.T) {
	tests := []struct {
		value string
		env   environment
		want  []string
	}{
		{"nats://here:4222", environment{}, []string{"meets others through NATS at here:4222.", "terminal:\n    ", "demo --addr 127.0.0.1:4001 --pubsub 'nats://here:4222'\n"}},
		{"redis://:sesame@here", environment{}, []string{"through Redis at here.", "terminal with the same BENNU_PUBSUB:\n", "demo --addr 127.0.0.1:4001\n"}},
		{"", environment{pubsubEnv: "nats://u:sesame@here", secretEnv: testSecret}, []string{"terminal with the same BENNU_PUBSUB and BENNU_SECRET:\n", "demo --addr 127.0.0.1:4001\n"}},
		{"", environment{}, []string{"This node is  ibis, and it is alone."}},
	}
	for _, tt := range tests {
		c, err := parseCluster(tt.value, tt.env.get)
		if err != nil {
			t.Fatal(err)
		}
		adapter, err := c.adapter("ibis", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		c.introduce(&out, "ibis", "127.0.0.1:4001", adapter)
		for _, want := range tt.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s %v: printed %q, want %q in it", tt.value, tt.env, out.String(), want)
			}
		}
		if strings.Contains(out.String(), "sesame") || strings.Contains(out.String(), testSecret) {
			t.Errorf("%q shows a secret", out.String())
		}
	}
	if got := reachable("[::]:6222"); got != "127.0.0.1:6222" {
		t.Errorf("reachable is %s", got)
	}
}
