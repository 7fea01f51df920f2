package cluster

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/bennu-go/bennu/internal/waittest"
)

// burn keeps the machine busy until stop is called.
func burn() (stop func()) {
	var over atomic.Bool
	loops := 4 * runtime.NumCPU()
	ended := make(chan struct{}, loops)
	for range loops {
		go func() {
			for !over.Load() {
			}
			ended <- struct{}{}
		}()
	}
	return func() {
		over.Store(true)
		for range loops {
			<-ended
		}
	}
}

// watchBroker asks a broker all the time whether it is there, until the function that it
// returns, which tells how long the slowest answer took.
func watchBroker(t *testing.T, c *nodes) (stop func() (slowest time.Duration)) {
	t.Helper()
	ping := func() error { return nil } // embedded brokers stand with their nodes
	switch b := c.broker.(type) {
	case redisBroker:
		ping = func() error {
			if !b.Says("PONG", "PING") {
				return errors.New("no answer to PING")
			}
			return nil
		}
	case *natsBroker:
		conn, err := nats.Connect(scheme[kindNATS] + b.addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		ping = func() error { return conn.FlushTimeout(patience) }
	}
	end, done := make(chan struct{}), make(chan time.Duration, 1)
	go func() {
		var slowest time.Duration
		defer func() { done <- slowest }()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for began := time.Now(); ; {
			if err := ping(); err != nil {
				t.Errorf("the broker does not answer: %v", err)
				return
			}
			slowest = max(slowest, time.Since(began))
			began = time.Now() // what this process was late itself counts, too
			select {
			case <-tick.C:
			case <-end:
				return
			}
		}
	}()
	stop = sync.OnceValue(func() time.Duration {
		close(end)
		return <-done
	})
	t.Cleanup(func() { stop() })
	return stop
}

// TestStarvedNode: a node stands still for more than two beats, or has little of the
// processor. Its own lateness is not the broker's silence: it does not connect again, nobody
// gives anybody up, and nothing is missed.
func TestStarvedNode(t *testing.T) {
	forKinds(t, waittest.Sized(brokerKinds, kinds), func(t *testing.T, kind string) {
		c, list := startNodes(t, kind, func(o *nodeOptions) { o.Probe = waittest.Sized(time.Second, 0) }, "a", "b")
		stands := watchBroker(t, c)
		a := openAccount(t, "room:all", 5*time.Millisecond, 2, list...)
		a.begin(t)
		for range waittest.Sized(1, 3) {
			a.progress(t, "all hear each other", 20)
			list[1].suspend(t)
			lasts(waittest.Sized(2500*time.Millisecond, 12*time.Second))
			list[1].resume(t)
			a.progress(t, "all hear each other again", 20)
		}
		if waittest.Full {
			stop := burn()
			lasts(30 * time.Second)
			stop()
			a.progress(t, "all hear each other after", 20)
		}
		a.end(t)
		missed := a.settle(t)
		stood := stands()
		t.Logf("the broker's latest answer took %v", stood)
		for _, n := range list {
			// A broker that stands still on a busy machine is silent indeed.
			if stood < time.Second/4 && strings.Contains(n.log.String(), "without a word") {
				t.Errorf("%s took its own lateness for the broker's silence", n.name)
			}
			// A short probe is no match for a machine that others stop for longer than that.
			if s := n.stats(t); waittest.Full && (s.PubSub.Gaps != 0 || missed != 0) {
				t.Errorf("%s: %d messages missed, and told of gaps: %+v", n.name, missed, s.PubSub)
			}
		}
	})
}
