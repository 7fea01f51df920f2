package presences

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/proc"
	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/natspubsub"
)

// node is a node of a cluster.
type node struct {
	ps     *pubsub.PubSub
	here   *presence.Presence[meta]
	addr   string
	owners []*presence.Owner[meta] // each of one presence
}

func newNode(ctx context.Context, name string, peers []string) (*node, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	e, err := natspubsub.NewEmbedded(&natspubsub.EmbeddedOptions{Node: name, Listen: "127.0.0.1:0", Peers: peers, Logger: log})
	if err != nil {
		return nil, err
	}
	ps, err := pubsub.New(ctx, &pubsub.Options{Adapter: e})
	if err != nil {
		return nil, err
	}
	here, err := presence.New[meta](ctx, ps, &presence.Options[meta]{Logger: log, Limits: presence.Limits{Entries: bennu.Unlimited}})
	if err != nil {
		return nil, err
	}
	return &node{ps: ps, here: here, addr: e.Addr().String()}, nil
}

func (n *node) close() {
	_ = n.here.Close()
	_ = n.ps.Close(context.Background())
}

// sent is how many bytes of presences the node has sent to others.
func (n *node) sent() uint64 { return n.here.Stats().SentBytes }

// counter counts the bytes of messages. It takes one message each time told is read.
type counter struct {
	bytes atomic.Int64
	told  chan struct{}
}

// Deliver implements pubsub.Subscriber.
func (c *counter) Deliver(d *pubsub.Dispatch) {
	if strings.HasPrefix(d.Event, "presence_") {
		c.bytes.Add(int64(len(d.Payload)))
		c.told <- struct{}{}
	}
}

// rest waits until the process uses next to no CPU: then every change has been told.
func rest() {
	for used := time.Hour; used > time.Millisecond; {
		before := cpuNow()
		time.Sleep(20 * time.Millisecond)
		used = cpuNow() - before
	}
}

// cpuNow is 0 where it cannot be read.
func cpuNow() time.Duration {
	d, _ := proc.CPU(os.Getpid())
	return d
}

func micros(d time.Duration, n int) float64 { return float64(d.Nanoseconds()) / 1000 / float64(n) }

// pause waits, or ends early with the error of ctx.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
