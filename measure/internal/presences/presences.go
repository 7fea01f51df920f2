// Package presences measures what a topic with very many presences costs a node:
// memory for each entry, CPU for each that joins, how long the list takes, what goes to
// another node, and how long that takes to have everything.
//
//	go run -C measure . presences -entries 100000
package presences

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"time"

	"github.com/bennu-go/bennu/internal/heaptest"
)

// Command is the measurement.
func Command(flags *flag.FlagSet) func(context.Context, []string) error {
	n := flags.Int("entries", 35_000, "how many presences in one topic")
	return func(ctx context.Context, _ []string) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
		defer cancel()
		return measure(ctx, *n)
	}
}

// meta is about what applications keep.
type meta struct {
	OnlineAt int64  `json:"online_at"`
	Device   string `json:"device"`
	Status   string `json:"status"`
}

const topic = "room:lobby"

func measure(ctx context.Context, n int) error {
	one, err := newNode(ctx, "one", nil)
	if err != nil {
		return err
	}
	defer one.close()
	fmt.Printf("%d presences in one topic\n", n)
	if err := one.track(n); err != nil {
		return err
	}
	one.lists()
	if err := one.tell(); err != nil {
		return err
	}
	two, err := one.join(ctx, n)
	if err != nil {
		return err
	}
	defer two.close()
	return one.heartbeats(ctx)
}

// track adds n presences while nobody listens.
func (n *node) track(count int) error {
	heap, cpu := heaptest.Live(), cpuNow()
	for i := range count {
		o := n.here.NewOwner()
		n.owners = append(n.owners, o)
		if _, err := o.Track(topic, "user:"+strconv.Itoa(i), meta{1_700_000_000 + int64(i), "phone", "online"}); err != nil {
			return err
		}
	}
	rest()
	fmt.Printf("  track, nobody listening:     %.2f µs CPU each\n", micros(cpuNow()-cpu, count))
	fmt.Printf("  memory:                      %.0f bytes each, owner included\n", float64(heaptest.Live()-heap)/float64(count))
	return nil
}

// lists makes the list of the topic in both forms.
func (n *node) lists() {
	began := time.Now()
	list := n.here.State(topic)
	fmt.Printf("  first list, as presence_state: %v, %.2f MB\n", time.Since(began).Round(time.Microsecond), float64(len(list))/1e6)
	began = time.Now()
	all := n.here.List(topic)
	fmt.Printf("  the same, typed in Go:       %v, %d keys\n", time.Since(began).Round(time.Microsecond), len(all))
}

// update changes the meta of one presence, whichever comes after the last of them.
func (n *node) update(i int, to meta) error {
	i %= len(n.owners)
	_, err := n.owners[i].Update(topic, "user:"+strconv.Itoa(i), to)
	return err
}

// tell changes presences while somebody listens: each change is encoded, and told.
func (n *node) tell() error {
	counter := &counter{told: make(chan struct{}, 1)}
	sub := n.ps.Subscribe(topic, counter)
	const changes = 10_000
	cpu := cpuNow()
	for i := range changes {
		if err := n.update(i, meta{1, "phone", "away"}); err != nil {
			return err
		}
		<-counter.told
	}
	sub.Cancel()
	fmt.Printf("  update, told at once:        %.2f µs CPU each, diff of %.0f bytes\n", micros(cpuNow()-cpu, changes), float64(counter.bytes.Load())/changes)
	return nil
}

// join starts a second node and waits until it has everything.
func (n *node) join(ctx context.Context, count int) (*node, error) {
	began, cpu := time.Now(), cpuNow()
	two, err := newNode(ctx, "two", []string{n.addr})
	if err != nil {
		return nil, err
	}
	for two.here.Count(topic) < count {
		if err := pause(ctx, time.Millisecond); err != nil {
			two.close()
			return nil, err
		}
	}
	fmt.Printf("  a new node has all of it:    after %v, %v CPU of both, %.2f MB sent\n", time.Since(began).Round(time.Millisecond),
		(cpuNow() - cpu).Round(time.Millisecond), float64(n.sent())/1e6)
	return two, nil
}

// heartbeats counts what goes to the other node when it knows everything.
func (n *node) heartbeats(ctx context.Context) error {
	for last, quiet := n.sent(), 0; quiet < 3; {
		if err := pause(ctx, 2*time.Second); err != nil {
			return err
		}
		now := n.sent()
		if quiet++; now-last >= 1000 {
			quiet = 0
		}
		last = now
	}
	before := n.sent()
	const idle = 35 * time.Second
	if err := pause(ctx, idle); err != nil {
		return err
	}
	fmt.Printf("  heartbeats of an idle node:  %d bytes in %v\n", n.sent()-before, idle)
	before = n.sent()
	for i := range 1000 {
		if err := n.update(i, meta{2, "phone", "back"}); err != nil {
			return err
		}
	}
	if err := pause(ctx, 3*time.Second); err != nil {
		return err
	}
	fmt.Printf("  heartbeat with 1,000 updates: %.0f bytes for each\n", float64(n.sent()-before)/1000)
	return nil
}
