package clients

import (
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	nats "github.com/nats-io/nats-server/v2/server"

	"github.com/bennu-go/bennu/internal/proctest"
	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/testport"
)

// TestNodes has the stock client on two nodes of "bennu demo", connected in each way
// that the command knows.
func TestNodes(t *testing.T) {
	t.Parallel()
	needNode(t)
	binary := proctest.Build(t, "github.com/bennu-go/bennu/cmd/bennu")
	brokers := []struct {
		name string
		// start returns the value of --pubsub for the first node, and maybe something
		// that must not be printed.
		start func(t *testing.T) (where, password string)
	}{
		{"embedded NATS", func(*testing.T) (string, string) { return "nats+embed://:0", "" }},
		{"NATS", startNATS},
		{"Redis", func(t *testing.T) (string, string) {
			const password = "sesame-of-redis"
			s := redistest.Start(t)
			s.Do(t, "CONFIG", "SET", "requirepass", password)
			return "redis://:" + password + "@" + s.Addr, password
		}},
	}
	for _, broker := range brokers {
		t.Run(strings.ReplaceAll(broker.name, " ", "-"), func(t *testing.T) {
			where, password := broker.start(t)
			one := &demo{t: t, binary: binary, addr: testport.Addr(t), where: where}
			one.start()
			other := &demo{t: t, binary: binary, addr: testport.Addr(t), where: where}
			if strings.Contains(where, "+embed") {
				// As the first one says it.
				other.where = one.Await(t, `bennu demo --addr \S+ --pubsub '(\S+)'`)[1]
			}
			other.start()
			for _, transport := range []string{"websocket", "longpoll"} {
				t.Run(transport, func(t *testing.T) { runOnNodes(t, transport, one, other) })
			}
			for _, d := range []*demo{one, other} {
				if code := d.Stop(t); code != 0 {
					t.Errorf("bennu demo ended with code %d", code)
				}
				if password != "" && strings.Contains(d.Said(), password) {
					t.Errorf("the password is printed:\n%s", d.Said())
				}
			}
		})
	}
}

func runOnNodes(t *testing.T, transport string, one, other *demo) {
	control := http.NewServeMux()
	control.HandleFunc("POST /restart", func(w http.ResponseWriter, _ *http.Request) {
		if code := other.Stop(t); code != 0 {
			t.Errorf("bennu demo ended with code %d", code)
		}
		other.start()
	})
	env := map[string]string{
		"url":        "ws://" + one.addr + "/socket",
		"otherURL":   "ws://" + other.addr + "/socket",
		"controlURL": "http://127.0.0.1:" + serveHTTP(t, control),
	}
	startDriver(t, env, "node.mjs", "phoenix", transport, "nodes.mjs").runAll(t, "")
}

// startNATS runs a server that wants a password.
func startNATS(t *testing.T) (where, password string) {
	t.Helper()
	password = "sesame-of-nats"
	s, err := nats.NewServer(&nats.Options{
		Host: "127.0.0.1", Port: nats.RANDOM_PORT, NoSigs: true, NoLog: true, Username: "bennu", Password: password,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(proctest.Patience) {
		t.Fatal("the NATS server does not start")
	}
	return "nats://bennu:" + password + "@127.0.0.1:" + strconv.Itoa(s.Addr().(*net.TCPAddr).Port), password
}

// A demo is a node, with the same address after a restart.
type demo struct {
	*proctest.Process
	t      *testing.T
	binary string
	addr   string
	where  string // other nodes are met
}

// start may be called again when the process has ended.
func (d *demo) start() {
	d.Process = proctest.Start(d.t, "bennu demo", []string{"BENNU_PUBSUB=" + d.where}, d.binary, "demo", "--addr", d.addr)
	d.Await(d.t, `bennu demo is at +http://`+regexp.QuoteMeta(d.addr))
}
