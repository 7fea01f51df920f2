package follow

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// watch compares the heads of all followers with the store: those of one after the other within the
// time of Options.Check, and all at once when entries may have been missed. It also keeps a coarse
// clock.
type watch struct {
	all   *Followers
	clock atomic.Int64 // milliseconds since 1970

	mu   sync.Mutex
	deaf map[*follower]struct{} // whose topic the broker refuses

	// These are of the one goroutine.
	due       []*follower // still to be asked in this round
	dueEnd    time.Time   // of the round
	connected bool
	peers     []string
}

// watchTime is the time between two looks at the state of the adapter.
const watchTime = time.Second

// now returns the coarse clock.
func (w *watch) now() int64 { return w.clock.Load() }

// Run implements task.Runner. It ends with Close.
func (w *watch) Run() {
	health := w.all.o.PubSub.Health()
	w.connected, w.peers = health.Connected, health.Peers
	w.clock.Store(time.Now().UnixMilli())
	ticks := time.NewTicker(min(watchTime, max(w.all.o.Check/10, time.Millisecond)))
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			now := time.Now()
			w.clock.Store(now.UnixMilli())
			if w.lost() {
				w.askAll()
			} else {
				w.askDeaf()
			}
			w.askDue(now)
		case <-w.all.ctx.Done():
			return
		}
	}
}

// lost reports whether messages of other nodes may be lost: the adapter is away, or was away at the last
// look, or a peer is gone, which may have died between the store and the adapter.
func (w *watch) lost() bool {
	h := w.all.o.PubSub.Health()
	lost := !h.Connected || !w.connected
	for _, p := range w.peers {
		if !slices.Contains(h.Peers, p) {
			lost = true
		}
	}
	w.connected, w.peers = h.Connected, h.Peers
	return lost
}

func (w *watch) askAll() {
	for _, f := range w.all.list() {
		f.ask()
	}
}

// askDue asks for the heads of the followers whose turn it is. A round over all of them takes the time
// of Options.Check, up to a tenth more or less, so that nodes do not ask at one time.
func (w *watch) askDue(now time.Time) {
	if len(w.due) == 0 {
		if now.Before(w.dueEnd) {
			return
		}
		w.due = w.all.list()
		w.dueEnd = now.Add(jitter(w.all.o.Check))
		return
	}
	// The last ones are asked in the tick before the end.
	left := max(w.dueEnd.Sub(now), 1)
	tick := min(watchTime, max(w.all.o.Check/10, time.Millisecond))
	n := len(w.due)
	if left > tick {
		n = int(int64(n)*int64(tick)/int64(left)) + 1
	}
	n = min(n, len(w.due))
	for _, f := range w.due[:n] {
		f.ask()
		f.tidy(w.now())
	}
	clear(w.due[:n])
	w.due = w.due[n:]
}

// jitter returns a time that is up to a tenth longer or shorter.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()-.5)/5*float64(d))
}

// gap is called when the broker may have lost messages of a topic, refuses it, or takes it again.
func (f *Followers) gap(t *follower) {
	t.mu.Lock()
	sub := t.sub
	t.mu.Unlock()
	if sub != nil && open(sub.Ready()) {
		f.watch.mu.Lock()
		if f.watch.deaf == nil {
			f.watch.deaf = make(map[*follower]struct{})
		}
		f.watch.deaf[t] = struct{}{}
		f.watch.mu.Unlock()
	}
	t.ask()
}

// askDeaf asks for the heads of topics that the broker refuses: the store is all that is left of them.
func (w *watch) askDeaf() {
	w.mu.Lock()
	list := make([]*follower, 0, len(w.deaf))
	for f := range w.deaf {
		list = append(list, f)
	}
	w.mu.Unlock()
	for _, f := range list {
		if !f.deaf() {
			w.mu.Lock()
			delete(w.deaf, f)
			w.mu.Unlock()
		}
		f.ask()
	}
}

// deaf reports whether the broker refuses the topic.
func (f *follower) deaf() bool {
	f.mu.Lock()
	sub := f.sub
	if f.ended {
		sub = nil
	}
	f.mu.Unlock()
	return sub != nil && open(sub.Ready())
}
