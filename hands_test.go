package bennu_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
)

// handlers are channels of one connection that intercept, each with an entry that is large. All entries
// together do not fit the queue of the connection.
type handlers struct {
	*keeping
	client       *wstest.Client
	socket       *bennu.Socket
	gate         chan struct{} // the handlers wait until it is closed
	open         func()        // closes it
	having, most atomic.Int32  // handlers that have an entry now, and at most
}

const (
	dealTopics = 40
	dealQueue  = 1 << 20
	dealSize   = 100 << 10
)

// startHandlers returns when each channel has an entry, or waits for one.
func startHandlers(t *testing.T) *handlers {
	h := &handlers{gate: make(chan struct{})}
	h.open = sync.OnceFunc(func() { close(h.gate) })
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, bennu.Empty, error) {
		h.socket = ch.Socket()
		return &room{ch}, bennu.Empty{}, nil
	})
	bennu.Intercept(d, "said", func(r *room, ctx context.Context, p bennu.Payload) error {
		n := h.having.Add(1)
		defer h.having.Add(-1)
		for m := h.most.Load(); n > m && !h.most.CompareAndSwap(m, n); m = h.most.Load() {
		}
		<-h.gate
		if strings.HasSuffix(r.Topic(), "7") {
			panic("a handler that has an entry")
		}
		return bennu.Forward(ctx, p)
	})
	h.keeping = serveKept(t, one("*", d), &bennu.SocketOptions{Transports: []transport.Transport{websocket.New(&websocket.Options{MaxQueueBytes: dealQueue})}})
	t.Cleanup(h.open)
	h.client = wstest.Dial(t, h.url)
	if err := h.client.Conn().(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	for n := range dealTopics {
		joinSince(h.client, fmt.Sprint("deal:", n), since(""))
	}
	for n := range dealTopics {
		h.say(t, fmt.Sprint("deal:", n), "said", bennu.Raw(`{"text":"`+strings.Repeat("x", dealSize)+`"}`))
	}
	eventually(t, "all handlers have an entry, or wait for one", func() bool {
		return int(h.having.Load())+bennu.HandsWaiting(h.socket) == dealTopics
	})
	return h
}

// TestHands has a client that gets all entries, though each handler finds the queue empty at first. The
// channels whose handler panics give their entries back, too.
func TestHands(t *testing.T) {
	h := startHandlers(t)
	h.open()
	got := map[string]int{}
	for len(got) < dealTopics {
		m := h.client.Message()
		if m.Event != "said" && m.Event != "phx_error" {
			t.Fatalf("got %v", m)
		}
		got[m.Topic]++
	}
	for topic, times := range got {
		if times != 1 {
			t.Errorf("%s: %d messages", topic, times)
		}
	}
	if n := h.most.Load(); n*dealSize > dealQueue/2 {
		t.Errorf("%d handlers had an entry of %d bytes each; half of the queue is %d", n, dealSize, dealQueue/2)
	}
	if n := bennu.HandsWaiting(h.socket); n > 0 {
		t.Errorf("%d channels wait for ever", n)
	}
}

// TestHandsOver has channels that wait for an entry when their connection ends.
func TestHandsOver(t *testing.T) {
	h := startHandlers(t)
	h.client.Conn().Close()
	eventually(t, "no channel waits", func() bool { return bennu.HandsWaiting(h.socket) == 0 })
	h.open()
}
