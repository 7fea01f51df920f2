package tracker

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// A world is a few nodes, the network between them, and their clock. It has one source of random numbers
// and no goroutine, so a seed determines all that happens, which is called a history.
type world struct {
	rng       *rand.Rand
	opts      Options
	defect    defect
	now       time.Duration
	nodes     []*node
	packets   []packet
	cut       [maxNodes][maxNodes]bool // from, to
	loss      float64
	double    float64
	delay     int // in quanta, at most
	starts    uint64
	contested bool // there are nodes of one name, and clocks that go back
	trace     func(format string, args ...any)
	settled   bool // all have healed and agreed
	err       error
}

const (
	maxNodes = 5
	period   = 100 * time.Millisecond
	quantum  = period / 4
)

// A packet is an encoded message on its way to one node.
type packet struct {
	due      time.Duration
	from, to int
	data     []byte
}

// A node has replicas, one after the other.
type node struct {
	i      int
	name   string
	state  *state // nil: there is none
	paused bool
	next   time.Duration
	dirty  bool
	fold   map[tag]*Entry // what its diffs add up to
	own    map[place]string
	newest map[string]uint64 // incarnation that was visible, by name
	parted map[replica]bool  // said goodbye here
}

type tag struct {
	fingerprint, clock uint64
}

// A place is the topic and key for which an owner tracks a meta.
type place struct {
	topic string
	owner Owner
	key   string
}

func newWorld(seed uint64, broken defect) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 48)), defect: broken, trace: func(string, ...any) {}}
	silent := pick(w, 1, 2, 8)
	down := 2 + silent*2 + w.rng.IntN(3)
	w.opts = Options{
		BroadcastPeriod:  period,
		MaxSilentPeriods: silent,
		DownPeriod:       time.Duration(down) * period,
		PermdownPeriod:   time.Duration(down+6+w.rng.IntN(20)) * period,
		samplePeriods:    1 + w.rng.IntN(2),
		History:          pick(w, 1, 3, 10, 1000),
	}
	w.loss = pick(w, 0, 0.05, 0.3)
	w.double = pick(w, 0, 0.1, 0.3)
	w.delay = pick(w, 0, 1, 6)
	w.contested = w.rng.IntN(4) == 0
	for i := range 3 + w.rng.IntN(maxNodes-2) {
		w.nodes = append(w.nodes, &node{i: i})
	}
	// Less than any configuration allows, so that a few entries make many parts.
	size := pick(w, 1, 500, 800, 512<<10)
	w.opts.MessageBytes = size
	for _, n := range w.nodes {
		w.start(n, fmt.Sprintf("n%d", n.i))
	}
	return w
}

func pick[T any](w *world, of ...T) T { return of[w.rng.IntN(len(of))] }

func (w *world) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// start starts a replica on a node, with a later incarnation than all before.
func (w *world) start(n *node, name string) {
	w.starts++
	w.startAs(n, replica{name, w.starts << 40})
}

// startBefore starts a replica on a node whose clock was set back.
func (w *world) startBefore(n *node, name string) {
	w.starts++
	w.startAs(n, replica{name, (w.starts-w.rng.Uint64N(min(w.starts, 8)))<<40 + w.starts})
}

func (w *world) startAs(n *node, self replica) {
	opts := w.opts
	opts.MessageBytes = 0
	s, err := newState(self, opts)
	if err != nil {
		w.fail("%v", err)
		return
	}
	s.opts.MessageBytes, s.defect = w.opts.MessageBytes, w.defect
	*n = node{
		i: n.i, name: self.name, state: s, dirty: true,
		next: w.now + time.Duration(w.rng.Int64N(int64(period/4))),
		fold: map[tag]*Entry{}, own: map[place]string{},
		newest: map[string]uint64{}, parted: map[replica]bool{},
	}
	w.trace("start %v", self)
}

// send puts messages on the network.
func (w *world) send(from *node, out ...*message) {
	for _, m := range out {
		data := m.append(nil)
		if w.opts.MessageBytes > 1000 && len(data) > w.opts.MessageBytes {
			w.fail("%v takes %d bytes", m, len(data))
		}
		to, direct := m.addressee()
		for _, n := range w.nodes {
			if n == from || n.state == nil || direct && n.name != to.name {
				continue
			}
			copies := 1
			if w.rng.Float64() < w.double {
				copies++
			}
			for range copies {
				if w.cut[from.i][n.i] || w.rng.Float64() < w.loss {
					w.trace("  lost: %v on the way to %s", m, n.name)
					continue
				}
				w.packets = append(w.packets, packet{w.now + quantum*time.Duration(w.rng.IntN(w.delay+1)), from.i, n.i, data})
			}
		}
	}
}

// pass advances the clock by a quantum.
func (w *world) pass() {
	w.now += quantum
	// Whether a tick or a message comes first makes a difference after a pause.
	if w.rng.IntN(2) == 0 {
		w.deliver()
	}
	for _, n := range w.nodes {
		if n.state != nil && !n.paused && n.next <= w.now {
			if n.next += period; n.next <= w.now { // ticks that were slept through
				n.next = w.now + period
			}
			diff, out := n.state.tick(w.now)
			w.apply(n, diff)
			w.send(n, out...)
		}
	}
	w.deliver()
}

// deliver delivers the messages that are due, and those that they cause if these are due at once.
func (w *world) deliver() {
	for range 10_000 {
		i := slices.IndexFunc(w.packets, func(p packet) bool {
			return p.due <= w.now && !w.nodes[p.to].paused
		})
		if i < 0 || w.err != nil {
			return
		}
		p := w.packets[i]
		w.packets = slices.Delete(w.packets, i, i+1)
		n := w.nodes[p.to]
		if n.state == nil {
			continue
		}
		m, err := decode(p.data)
		if err != nil {
			w.fail("a message does not decode: %v", err)
			return
		}
		w.trace("  %s gets %v", n.name, m)
		diff, out := n.state.receive(w.now, m)
		w.apply(n, diff)
		if m.kind == goodbye {
			n.parted[m.from] = true
		}
		w.send(n, out...)
	}
	w.fail("messages without end at %v", w.now)
}

// apply applies a diff to the list that the users of its node have been told.
func (w *world) apply(n *node, d Diff) {
	for _, e := range d.Joins {
		t := tag{e.origin.fingerprint, e.clock}
		if n.fold[t] != nil {
			w.fail("%s: %s joined twice", n.name, e.Key())
		}
		n.fold[t] = e
		id := e.origin.id
		// If several nodes have one name, a node that has forgotten the higher incarnation may accept the lower.
		if id.incarnation < n.newest[id.name] && !w.contested || n.parted[id] {
			w.fail("%s: %s of %v came back from the dead", n.name, e.Key(), id)
		}
		n.newest[id.name] = id.incarnation
	}
	for _, e := range d.Leaves {
		t := tag{e.origin.fingerprint, e.clock}
		if n.fold[t] == nil {
			w.fail("%s: %s left and was not there", n.name, e.Key())
		}
		delete(n.fold, t)
	}
	if w.settled {
		w.checkSettled(n, d)
	}
	n.dirty = true // for the list may have changed without the diff
}
