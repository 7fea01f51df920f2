package redispubsub

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/redistest"
	"github.com/bennu-go/bennu/internal/subscribertest"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/pubsub"
)

// gapTold waits until a subscriber has got a gap.
func gapTold(t *testing.T, b *subscribertest.Box) {
	t.Helper()
	waittest.Until(t, "the gap is told", func() bool { return b.Gaps() > 0 })
}

// The server is killed and started again without data.
func TestKill(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, o Options, servers []*redistest.Server) {
		a, b := start(t, "a", o), start(t, "b", o)
		got, local := subscribe(t, b, "t"), subscribe(t, a, "t")
		for _, s := range servers {
			s.Kill(t)
		}
		waittest.Until(t, "both know", func() bool { return !a.Health().Connected && !b.Health().Connected })
		if err := a.Health().Err; err == nil || !strings.Contains(err.Error(), servers[0].Addr) && o.Cluster == false {
			t.Errorf("the cause is %v", err)
		}
		publish(t, a, "t", "meanwhile")
		local.Want(t, "what came", "meanwhile")
		late := b.Subscribe("late", &subscribertest.Box{})
		defer late.Cancel()
		for _, s := range servers {
			s.Restart(t)
		}
		waittest.Until(t, "both are back", func() bool { return a.Health().Connected && b.Health().Connected })
		gapTold(t, got)
		await(t, late)
		// Waiting messages are sent when the publisher is connected again. The other node may
		// not be connected then.
		heals(t, a, b, spread...)
		publish(t, a, "t", "after")
		waittest.Until(t, "messages come", func() bool {
			e := got.Events()
			return len(e) > 0 && e[len(e)-1] == "after"
		})
	})
}

// The server closes the connections of all subscribers.
func TestCutOff(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, o Options, servers []*redistest.Server) {
		a, b := start(t, "a", o), start(t, "b", o)
		got := subscribe(t, b, "t")
		want := channels(t, servers)
		for _, s := range servers { // one loss after the other; each is reported
			gaps := got.Gaps()
			s.Do(t, "CLIENT", "KILL", "TYPE", "pubsub")
			waittest.Until(t, "the gap is told", func() bool { return got.Gaps() > gaps })
		}
		waittest.Until(t, "everything is subscribed again", func() bool { return len(channels(t, servers)) == len(want) })
		heals(t, a, b, spread...)
		// Then those of publishers: there is no gap, and no message is lost.
		gaps := got.Gaps()
		for _, s := range servers {
			s.Do(t, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		}
		publish(t, a, "t", "after")
		waittest.Until(t, "the message comes", func() bool { e := got.Events(); return len(e) == 1 && e[0] == "after" })
		if n := got.Gaps(); n != gaps {
			t.Errorf("%d gaps told though none was there", n-gaps)
		}
	})
}

// slow is a subscriber that blocks for a while.
type slow struct {
	subscribertest.Box
	gate chan struct{}
	once sync.Once
	in   chan struct{}
}

func (s *slow) Deliver(d *pubsub.Dispatch) {
	s.once.Do(func() { close(s.in) })
	<-s.gate
}

// The server closes the connection of a node that does not read. The node reports a gap when it
// reads again.
func TestOutputLimit(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, "--client-output-buffer-limit", "pubsub", "1mb", "1mb", "1")
	o := Options{Addrs: []string{s.Addr}, Buffer: 256 << 20, Probe: redistest.Patience}
	a, b := start(t, "a", o), start(t, "b", o)
	stuck := &slow{gate: make(chan struct{}), in: make(chan struct{})}
	sub := b.Subscribe("t", stuck)
	defer sub.Cancel()
	await(t, sub)
	payload := make([]byte, 256<<10)
	for range 200 {
		if err := a.Broadcast(&pubsub.Message{Topic: "t", Event: "e", Payload: payload}); err != nil {
			t.Fatal(err)
		}
	}
	waittest.Next(t, "the subscriber is stuck", stuck.in)
	waittest.Until(t, "the server cuts the subscriber off", func() bool {
		log := s.Do(t, "INFO", "stats")
		return strings.Contains(log, "client_output_buffer_limit_disconnections:1") || subscribers(t, s) < 2
	})
	close(stuck.gate)
	waittest.Until(t, "the gap is told", func() bool { return stuck.Gaps() > 0 })
	heals(t, a, b, "t2")
}

func subscribers(t *testing.T, s *redistest.Server) int {
	return len(s.Lines(t, "CLIENT", "LIST", "TYPE", "pubsub"))
}

// The server is stopped: publishers are not blocked, and the nodes notice it.
func TestSuspend(t *testing.T) {
	t.Parallel()
	forEach(t, func(t *testing.T, o Options, servers []*redistest.Server) {
		o.Probe = probe
		a, b := start(t, "a", o), start(t, "b", o)
		got := subscribe(t, b, "t")
		for _, s := range servers {
			s.Suspend(t)
		}
		var slowest time.Duration
		waittest.Until(t, "both know", func() bool {
			began := time.Now()
			publish(t, a, "t", "meanwhile")
			slowest = max(slowest, time.Since(began))
			return !a.Health().Connected && !b.Health().Connected
		})
		t.Logf("the slowest call of Broadcast took %v", slowest)
		for _, s := range servers {
			s.Resume(t)
		}
		gapTold(t, got)
		heals(t, a, b, spread...)
	})
}

// The server still accepts messages, but delivers none on the connections that exist.
func TestStarvation(t *testing.T) {
	t.Parallel()
	proxy := redistest.StartProxy(t)
	s := redistest.Start(t)
	proxy.Point(s.Addr)
	a, b := start(t, "a", Options{Addrs: []string{s.Addr}}), start(t, "b", Options{Addrs: []string{proxy.Addr}, Probe: probe})
	got := subscribe(t, b, "t")
	proxy.Swallow()
	gapTold(t, got)
	heals(t, a, b, "t2")
}

// In a cluster one shard delivers nothing; it has other channels than the control channel.
func TestShardStarvation(t *testing.T) {
	t.Parallel()
	proxies := []*redistest.Proxy{redistest.StartProxy(t), redistest.StartProxy(t), redistest.StartProxy(t)}
	c := redistest.StartCluster(t, 3, false, func(i int) []string {
		return []string{"--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", proxies[i].Port()}
	})
	for i, p := range proxies {
		p.Point(c.Masters[i].Addr)
	}
	o := Options{Addrs: c.Addrs(), Cluster: true, Probe: probe}
	a, b := start(t, "a", o), start(t, "b", o)
	for i, p := range proxies {
		got := subscribe(t, b, "t")
		before, gaps := p.Connections(), got.Gaps()
		p.Swallow()
		waittest.Until(t, "the gap is told", func() bool { return got.Gaps() > gaps })
		waittest.Until(t, fmt.Sprintf("shard %d is connected again", i), func() bool { return p.Connections() > before })
		waittest.Until(t, "both are back", func() bool { return a.Health().Connected && b.Health().Connected })
		heals(t, a, b, spread...)
	}
}

// If the server becomes a replica, nodes do not use it until it is a master again.
func TestReplica(t *testing.T) {
	t.Parallel()
	other, s := redistest.Start(t), redistest.Start(t)
	o := Options{Addrs: []string{s.Addr}, Probe: probe}
	a, b := start(t, "a", o), start(t, "b", o)
	got := subscribe(t, b, "t")
	s.Do(t, "REPLICAOF", "127.0.0.1", strings.TrimPrefix(other.Addr, "127.0.0.1:"))
	waittest.Until(t, "both say why", func() bool {
		for _, p := range []*pubsub.PubSub{a, b} {
			if err := p.Health().Err; err == nil || !strings.Contains(err.Error(), "is a replica") {
				return false
			}
		}
		return true
	})
	s.Do(t, "REPLICAOF", "NO", "ONE")
	gapTold(t, got)
	heals(t, a, b, "t2")
}
