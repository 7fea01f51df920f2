package cluster

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
)

// audience is clients and publishers of a cluster whose topics have a history.
type audience struct {
	t        *testing.T
	keepers  *keepers
	counters map[string]*counter
	clients  []*resumer
	count    tallies

	stopPublishing, leave context.CancelFunc
	publishing, present   sync.WaitGroup
}

// audienceSize is how many there are of each.
type audienceSize struct {
	topics, clients int
	every           time.Duration // between two messages of a topic
	least, most     time.Duration // how long a connection lives; most 0 is for ever
}

// assemble starts clients, waits until all have joined, and then starts publishers.
func assemble(t *testing.T, k *keepers, size audienceSize) *audience {
	t.Helper()
	c := &audience{t: t, keepers: k, counters: make(map[string]*counter)}
	c.count.excused = func(topic string, n int) bool { return c.counters[topic].isUnsure(n) }
	present, leave := context.WithCancel(context.Background())
	publishing, stop := context.WithCancel(context.Background())
	c.leave, c.stopPublishing = leave, stop
	t.Cleanup(func() {
		stop()
		leave()
		c.publishing.Wait()
		c.present.Wait()
	})
	for i := range size.topics {
		topic := fmt.Sprint("log:", i)
		c.counters[topic] = &counter{keepers: k, topic: topic, every: size.every, unsure: make(map[int]bool)}
	}
	for i := range size.clients {
		r := &resumer{
			name: fmt.Sprint("client ", i), topic: fmt.Sprint("log:", i%size.topics), addr: k.addr,
			least: size.least, most: size.most, count: &c.count,
		}
		c.clients = append(c.clients, r)
		c.present.Go(func() { r.run(present) })
	}
	eventually(t, "all have joined", func() bool { return c.count.joins.Load() >= int64(size.clients) })
	for _, p := range c.counters {
		c.publishing.Go(func() { p.run(publishing) })
	}
	return c
}

// settle ends publishing and waits until all clients have everything.
func (c *audience) settle() {
	c.t.Helper()
	c.stopPublishing()
	c.publishing.Wait()
	// A client that has lost the last number gets the next one.
	for end := time.Now().Add(patience); ; {
		for _, p := range c.counters {
			p.next()
		}
		if waittest.Within(3*time.Second, func() bool { return c.behind() == "" }) {
			break
		}
		if time.Now().After(end) {
			c.t.Errorf("never gets all: %s", c.behind())
			break
		}
	}
	c.leave()
	c.present.Wait()
	for _, r := range c.clients {
		for _, fault := range r.faults {
			c.t.Error(fault)
		}
	}
}

// behind names a client that does not have all, or "".
func (c *audience) behind() string {
	for _, r := range c.clients {
		n := c.counters[r.topic].published()
		r.mu.Lock()
		last, faults := r.last, len(r.faults)
		r.mu.Unlock()
		if last < n && faults == 0 {
			return fmt.Sprintf("%s has %d of %d of %s", r.name, last, n, r.topic)
		}
	}
	return ""
}

// report logs the figures.
func (c *audience) report(kills int) {
	c.t.Helper()
	published, retries, unsure := 0, 0, 0
	var slowest time.Duration
	for _, p := range c.counters {
		published += p.last
		retries += p.retries
		unsure += len(p.unsure)
		slowest = max(slowest, p.slowest)
	}
	n := &c.count
	c.t.Logf("%d messages published (%d retries, %d of unknown fate, slowest %v), %d deliveries to %d clients, %d connections ended, %d nodes killed, broker restarted %d times",
		published, retries, unsure, slowest.Round(time.Millisecond), n.deliveries.Load(), len(c.clients), n.cuts.Load(), kills, c.keepers.restarts())
	c.t.Logf("%d joins, %d recovered, %d replays, told lost %d times, refused %d times", n.joins.Load(), n.recovered.Load(), n.replays.Load(), n.lost.Load(), n.refused.Load())
	for _, node := range c.keepers.nodes {
		if s, err := ask[bennu.HistoryStats](node.control, "stats", struct{}{}); err == nil {
			c.t.Logf("node %s, since it was started: %+v", node.options.Node, s)
		}
	}
	shown := 0
	for _, r := range c.clients {
		for _, told := range r.told {
			if shown++; shown <= 5 {
				c.t.Logf("%s was told %s", r.name, told)
			}
		}
	}
}

// TestHistoryChaos cuts the connections of clients all the time, kills a node every few seconds, and
// the broker, which is also the store, now and then. Each client gets each message once, in order. It
// is told that it has lost some only if the broker has forgotten them.
func TestHistoryChaos(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name, kind string
		keeps      bool // the broker keeps everything when it is killed
		deliveries int64
	}{
		{"redis", kindRedis, true, 5_000_000},
		{"redis-empty", kindRedis, false, 5_000_000},
		{"nats", kindNATS, false, 10_000_000}, // the last of what it has told may not be on its disk
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if !waittest.Full {
				t.Parallel()
			}
			k := startKeepers(t, row.kind, row.keeps)
			c := assemble(t, k, waittest.Sized(
				audienceSize{topics: 3, clients: 30, every: 20 * time.Millisecond, least: 100 * time.Millisecond, most: time.Second},
				audienceSize{topics: 10, clients: 300, every: 12 * time.Millisecond, least: 100 * time.Millisecond, most: 2 * time.Second},
			))
			kills := c.chaos(waittest.Sized(3_000, row.deliveries))
			c.settle()
			c.report(kills)
			if n := c.count.lost.Load(); n != 0 && (row.keeps || k.restarts() == 0) {
				t.Errorf("clients were told %d times that they have lost messages, and the broker has kept them", n)
			}
		})
	}
}

// chaos kills nodes and brokers until so many deliveries were made.
func (c *audience) chaos(deliveries int64) (kills int) {
	c.t.Helper()
	const brokerEvery = 6 // kills of a node
	for c.count.deliveries.Load() < deliveries || kills < 2 {
		goal := c.count.deliveries.Load() + 1
		lasts(waittest.Sized(time.Second, 5*time.Second))
		eventually(c.t, "messages arrive", func() bool { return c.count.deliveries.Load() >= goal })
		c.keepers.nodes[kills%len(c.keepers.nodes)].kill(c.t)
		if kills++; kills%brokerEvery == brokerEvery-1 || kills == 1 {
			c.keepers.killBroker(c.t)
		}
	}
	return kills
}

// TestHistoryRolling deploys all nodes, one after the other, under load. Each client gets each message
// once, in order, and none is told that it has lost some.
func TestHistoryRolling(t *testing.T) {
	t.Parallel()
	for _, kind := range waittest.Sized([]string{kindRedis}, []string{kindRedis, kindNATS}) {
		t.Run(kind, func(t *testing.T) {
			k := startKeepers(t, kind, true)
			c := assemble(t, k, waittest.Sized(
				audienceSize{topics: 5, clients: 60, every: 20 * time.Millisecond},
				audienceSize{topics: 100, clients: 3000, every: 100 * time.Millisecond},
			))
			for _, n := range k.nodes {
				goal := c.count.deliveries.Load() + int64(waittest.Sized(20, 100)*len(c.clients))
				eventually(t, "messages arrive", func() bool { return c.count.deliveries.Load() >= goal })
				n.deploy(t)
			}
			c.settle()
			c.report(0)
			if n := c.count.lost.Load(); n != 0 {
				t.Errorf("clients were told %d times that they have lost messages", n)
			}
		})
	}
}
