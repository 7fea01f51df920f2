package cluster

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// audience is clients that resume, and what they have seen.
type audience struct {
	t     testing.TB
	addr  string // of the load balancer
	least time.Duration
	most  time.Duration // of connections

	clients []*resumer
	tasks   sync.WaitGroup
	ending  atomic.Bool // nothing is published any more
	stop    chan struct{}
	once    sync.Once
	began   time.Time

	deliveries, joined, cuts, rejoins, fenced, crossed, recovered, replays, faults atomic.Int64

	forkedAt time.Time // of all topics

	mu       sync.Mutex
	misleads int            // clients that were told that they have missed nothing, after that
	latest   time.Duration  // of them, since then
	losses   map[string]int // by the reason
	troubles map[string]int // that clients had with connections, by what they saw
}

func newAudience(t testing.TB, addr string, least, most time.Duration) *audience {
	c := &audience{t: t, addr: addr, least: least, most: most, stop: make(chan struct{}), began: time.Now()}
	t.Cleanup(c.halt)
	return c
}

// enter lets a client come, which follows some topics.
func (c *audience) enter(seed rand.Source, topics ...*chronicle) *resumer {
	r := &resumer{audience: c, rand: rand.New(seed)}
	for _, topic := range topics {
		r.follow = append(r.follow, &following{chronicle: topic})
	}
	c.clients = append(c.clients, r)
	c.tasks.Go(r.run)
	return r
}

// again lets the clients of an audience that has ended come back, with what they have.
func (c *audience) again(t testing.TB, forkedAt time.Time) *audience {
	next := newAudience(t, c.addr, c.least, c.most)
	next.forkedAt = forkedAt
	for _, r := range c.clients {
		r.audience = next
		next.tasks.Go(r.run)
	}
	return next
}

// meet waits until all clients have a position in all topics.
func (c *audience) meet(t testing.TB) {
	t.Helper()
	want := 0
	for _, r := range c.clients {
		want += len(r.follow)
	}
	eventually(t, "all clients have joined", func() bool { return c.joined.Load() >= int64(want) || c.faults.Load() > 0 })
}

// halt ends all clients, whatever they have.
func (c *audience) halt() {
	c.once.Do(func() { close(c.stop) })
	c.tasks.Wait()
}

func (c *audience) stopped() bool {
	select {
	case <-c.stop:
		return true
	default:
		return false
	}
}

// life is how long a connection lasts.
func (c *audience) life(r *rand.Rand) time.Duration {
	return c.least + time.Duration(r.Int64N(int64(c.most-c.least)))
}

// pause is the one of a client before it connects again.
func (c *audience) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.stop:
	}
}

// wrong fails the test. The first mistakes are enough to see.
func (c *audience) wrong(err error) {
	if c.faults.Add(1) <= 20 {
		c.t.Errorf("%v: %v", time.Since(c.began).Round(time.Millisecond), err)
	}
}

func (c *audience) count(in *map[string]int, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if *in == nil {
		*in = make(map[string]int)
	}
	(*in)[what]++
}

// misled notes that a client was told that it has missed nothing, although its log has forked.
func (c *audience) misled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.misleads++
	c.latest = time.Since(c.forkedAt)
}

// finish waits until all clients have everything.
func (c *audience) finish(t testing.TB) {
	t.Helper()
	c.ending.Store(true)
	ended := make(chan struct{})
	go func() {
		c.tasks.Wait()
		close(ended)
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		t.Errorf("not all clients have everything after %v", patience)
		c.halt()
	}
}

// account looks at everything that the clients and the writers have seen. Each client may have been
// told so often that it has lost messages of a topic as the store has forgotten it.
func (c *audience) account(t testing.TB, topics []*chronicle, forgot int) {
	t.Helper()
	for _, topic := range topics {
		for _, fault := range topic.check() {
			t.Error(fault)
		}
	}
	for i, r := range c.clients {
		for _, f := range r.follow {
			if len(f.told) > forgot {
				t.Errorf("client %d was told %d times that it has lost messages of %s, and %d are explained: %s",
					i, len(f.told), f.topic, forgot, strings.Join(f.told, "\n\t"))
			}
		}
	}
}

func (c *audience) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	took := time.Since(c.began)
	n := c.deliveries.Load()
	return fmt.Sprintf("%d deliveries in %v, %.0f a second; %d cuts, %d joins again (%d fenced, %d messages of a new epoch passed), %d recovered, %d replays; lost: %s; connections: %s",
		n, took.Round(time.Millisecond), float64(n)/took.Seconds(), c.cuts.Load(), c.rejoins.Load(), c.fenced.Load(), c.crossed.Load(),
		c.recovered.Load(), c.replays.Load(), list(c.losses), list(c.troubles))
}

// list shows counters.
func list(counters map[string]int) string {
	if len(counters) == 0 {
		return "none"
	}
	var all []string
	for _, what := range slices.Sorted(maps.Keys(counters)) {
		all = append(all, fmt.Sprint(what, " ", counters[what]))
	}
	return strings.Join(all, ", ")
}
