// Command presences measures what a topic with very many presences costs a node:
// memory for each entry, CPU for each that joins, how long the list takes, what goes to
// another node, and how long that takes to have everything.
//
//	go run ./test/presences -entries 100000
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/bennu-go/bennu/presence"
	"github.com/bennu-go/bennu/pubsub"
	"github.com/bennu-go/bennu/pubsub/natspubsub"
)

func main() {
	n := flag.Int("entries", 35_000, "how many presences in one topic")
	flag.Parse()
	if err := measure(*n); err != nil {
		fmt.Fprintln(os.Stderr, "presences:", err)
		os.Exit(1)
	}
}

// meta is about what applications keep.
type meta struct {
	OnlineAt int64  `json:"online_at"`
	Device   string `json:"device"`
	Status   string `json:"status"`
}

const topic = "room:lobby"

func measure(n int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	one, err := newNode(ctx, "one", nil)
	if err != nil {
		return err
	}
	defer one.close()
	fmt.Printf("%d presences in one topic\n", n)

	var owners []*presence.Owner[meta]
	heap, cpu := heapNow(), cpuNow()
	for i := range n {
		o := one.here.NewOwner()
		if _, err := o.Track(topic, "user:"+strconv.Itoa(i), meta{1_700_000_000 + int64(i), "phone", "online"}); err != nil {
			return err
		}
		owners = append(owners, o)
	}
	rest()
	spent := cpuNow() - cpu
	fmt.Printf("  track, nobody listening:     %.2f µs CPU each\n", micros(spent, n))
	fmt.Printf("  memory:                      %.0f bytes each, owner included\n", float64(heapNow()-heap)/float64(n))

	began := time.Now()
	list := one.here.State(topic)
	fmt.Printf("  first list, as presence_state: %v, %.2f MB\n", time.Since(began).Round(time.Microsecond), float64(len(list))/1e6)
	began = time.Now()
	all := one.here.List(topic)
	fmt.Printf("  the same, typed in Go:       %v, %d keys\n", time.Since(began).Round(time.Microsecond), len(all))
	list, all = nil, nil

	// With a subscriber each change is encoded, and told to it.
	counter := &counter{told: make(chan struct{}, 1)}
	sub := one.ps.Subscribe(topic, counter)
	const more = 10_000
	cpu = cpuNow()
	for i := range more {
		o := owners[i%len(owners)]
		if _, err := o.Update(topic, "user:"+strconv.Itoa(i%len(owners)), meta{1, "phone", "away"}); err != nil {
			return err
		}
		<-counter.told
	}
	sub.Cancel()
	fmt.Printf("  update, told at once:        %.2f µs CPU each, diff of %.0f bytes\n", micros(cpuNow()-cpu, more), float64(counter.bytes.Load())/more)

	// A second node comes, and is told everything.
	began, cpu = time.Now(), cpuNow()
	two, err := newNode(ctx, "two", []string{one.addr})
	if err != nil {
		return err
	}
	defer two.close()
	for two.here.Count(topic) < n {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		time.Sleep(time.Millisecond)
	}
	fmt.Printf("  a new node has all of it:    after %v, %v CPU of both, %.2f MB sent\n", time.Since(began).Round(time.Millisecond),
		(cpuNow() - cpu).Round(time.Millisecond), float64(one.here.Stats().SentBytes)/1e6)

	// Both know everything: what is left is heartbeats.
	sent := func() uint64 { return one.here.Stats().SentBytes }
	quiet := 0
	for last := sent(); quiet < 3; {
		time.Sleep(2 * time.Second)
		if now := sent(); now-last < 1000 {
			quiet++
		} else {
			quiet = 0
		}
		last = sent()
	}
	before := sent()
	const idle = 35 * time.Second
	time.Sleep(idle)
	fmt.Printf("  heartbeats of an idle node:  %d bytes in %v\n", sent()-before, idle)
	before = sent()
	for i := range 1000 {
		if _, err := owners[i].Update(topic, "user:"+strconv.Itoa(i), meta{2, "phone", "back"}); err != nil {
			return err
		}
	}
	time.Sleep(3 * time.Second)
	fmt.Printf("  heartbeat with 1,000 updates: %.0f bytes for each\n", float64(sent()-before)/1000)
	return nil
}

// node is a node of a cluster.
type node struct {
	ps   *pubsub.PubSub
	here *presence.Presence[meta]
	addr string
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
	here, err := presence.New[meta](ctx, ps, &presence.Options[meta]{Logger: log, Limits: presence.Limits{Entries: presence.Unlimited}})
	if err != nil {
		return nil, err
	}
	return &node{ps, here, e.Addr().String()}, nil
}

func (n *node) close() {
	_ = n.here.Close()
	_ = n.ps.Close(context.Background())
}

// rest waits until the process uses next to no CPU: then every change has been told.
func rest() {
	for used := time.Hour; used > time.Millisecond; {
		before := cpuNow()
		time.Sleep(20 * time.Millisecond)
		used = cpuNow() - before
	}
}

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

func heapNow() int {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func cpuNow() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func micros(d time.Duration, n int) float64 { return float64(d.Nanoseconds()) / 1000 / float64(n) }
