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

	mu    sync.Mutex             // guards the next two
	deaf  map[*follower]struct{} // whose topic the broker refuses
	queue []check                // in order of time, about; see add

	// These are of the one goroutine.
	connected bool
	peers     []string
}

// check is when the head of a follower is compared next.
type check struct {
	follower *follower
	at       int64 // in milliseconds of clock
}

// watchTime is the time between two looks at the state of the adapter.
const watchTime = time.Second

// now returns the coarse clock.
func (w *watch) now() int64 { return w.clock.Load() }

// Run implements task.Runner. It ends with Close.
func (w *watch) Run() {
	health := w.all.o.PubSub.Health()
	w.connected, w.peers = health.Connected, health.Peers
	ticks := time.NewTicker(min(watchTime, max(w.all.o.Check/10, time.Millisecond)))
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			w.clock.Store(time.Now().UnixMilli())
			if w.lost() {
				w.askAll()
			} else {
				w.askDeaf()
			}
			w.askDue()
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
	return lost // once more after the adapter is back, for what was lost until then
}

// askAll asks for all heads at once, since it is not known which topics have missed something. While the
// adapter is away that is so at each look: the store is the only way then.
func (w *watch) askAll() {
	for _, f := range w.all.list() {
		f.ask()
	}
}

// add queues the next check of a follower. It is up to a tenth earlier or later, so that nodes do not ask
// at one time; and a check that is queued before another delays it by so much at most.
func (w *watch) add(f *follower) {
	d := w.all.o.Check
	d += time.Duration((rand.Float64() - .5) / 5 * float64(d))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(w.queue, check{f, w.now() + max(d.Milliseconds(), 1)})
}

// next takes a follower whose time has come from the queue.
func (w *watch) next() *follower {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 || w.queue[0].at > w.now() {
		return nil
	}
	f := w.queue[0].follower
	w.queue[0].follower = nil
	w.queue = w.queue[1:]
	return f
}

// askDue asks for the heads of the followers whose time has come.
func (w *watch) askDue() {
	for f := w.next(); f != nil; f = w.next() {
		// A follower that has ended is not queued again.
		if f.tidy(w.now()) {
			f.ask()
			w.add(f)
		}
	}
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
		if !f.deaf() { // from now on the broker tells; ask once more for what came before
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
