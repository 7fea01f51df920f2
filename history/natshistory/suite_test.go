package natshistory

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/history/historytest"
	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/waittest"
)

// harness describes a store behind proxies, which can lose answers.
func harness(t testing.TB, servers []*broker) *historytest.Harness {
	var urls []string
	var proxies []*redistest.Proxy
	for _, b := range servers {
		p := redistest.StartProxy(t)
		p.Point(b.addr())
		proxies, urls = append(proxies, p), append(urls, "nats://"+p.Addr)
	}
	return &historytest.Harness{
		Open: func(t testing.TB) history.Store {
			return open(t, strings.Join(urls, ","), func(o *Options) {
				o.Size, o.Replicas = 2_000_000, len(servers)
			})
		},
		Cut: func() {
			for _, p := range proxies {
				p.Swallow()
				p.Cut()
			}
		},
		KeysPass: func(t testing.TB) { keysPass(t, servers[0].url()) },
		TooLarge: 2 << 20,
	}
}

// keysPass makes the server forget all ids of messages.
func keysPass(t testing.TB, url string) {
	c, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	js, err := jetstream.New(c)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(patient(t), "bennu_history")
	if err != nil {
		t.Fatal(err)
	}
	window := func(d time.Duration) {
		config := stream.CachedInfo().Config
		config.Duplicates = d
		if _, err := js.UpdateStream(patient(t), config); err != nil {
			t.Fatal(err)
		}
	}
	fresh, short := 0, 100*time.Millisecond // the shortest that may be
	waittest.Until(t, "the server forgets an id", func() bool {
		// The server looks which ids are old when the window changes.
		short += time.Millisecond
		window(short)
		a, err := js.Publish(patient(t), "bennu.k.=test", nil, jetstream.WithMsgID("id"))
		if err != nil {
			t.Fatal(err)
		}
		if !a.Duplicate {
			fresh++
		}
		return fresh == 2
	})
	window(history.KeyTime)
}

// TestSuite runs the suite with a single server.
func TestSuite(t *testing.T) {
	historytest.Run(t, func(t testing.TB) *historytest.Harness { return harness(t, []*broker{startBroker(t, nil)}) })
}

// TestClusterSuite runs the suite with three servers, which all have each message.
func TestClusterSuite(t *testing.T) {
	historytest.Run(t, func(t testing.TB) *historytest.Harness { return harness(t, clusterOf(t, 3)) })
}
