package cluster

import (
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
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

// TestStarvedNode: a node stands still for more than two beats, or has little of the
// processor. Its own lateness is not the broker's silence: it does not connect again, nobody
// gives anybody up, and nothing is missed.
func TestStarvedNode(t *testing.T) {
	forKinds(t, sized(brokerKinds, kinds), func(t *testing.T, kind string) {
		_, list := startNodes(t, kind, func(o *nodeOptions) { o.Probe = sized(time.Second, 0) }, "a", "b")
		a := openAccount(t, "room:all", 5*time.Millisecond, 2, list...)
		a.begin(t)
		for range sized(1, 3) {
			a.progress(t, "all hear each other", 20)
			list[1].suspend(t)
			lasts(sized(2500*time.Millisecond, 12*time.Second))
			list[1].resume(t)
			a.progress(t, "all hear each other again", 20)
		}
		if full {
			stop := burn()
			lasts(30 * time.Second)
			stop()
			a.progress(t, "all hear each other after", 20)
		}
		a.end(t)
		missed := a.settle(t)
		for _, n := range list {
			if strings.Contains(n.log.String(), "without a word") {
				t.Errorf("%s took its own lateness for the broker's silence", n.name)
			}
			// A short probe is no match for a machine that others stop for longer than that.
			if s := n.stats(t); full && (s.PubSub.Gaps != 0 || missed != 0) {
				t.Errorf("%s: %d messages missed, and told of gaps: %+v", n.name, missed, s.PubSub)
			}
		}
	})
}
