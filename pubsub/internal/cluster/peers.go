package cluster

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
)

// peers is who else is there, and whether this node hears itself.
type peers struct {
	name string // of this node

	// era counts how often a node was given up.
	era atomic.Uint64

	mu     sync.Mutex
	known  map[uint64]*peer  // by boot; they have proved that they are alive, or had
	asked  map[uint64]*asked // by boot; they have not
	hello  nonce             // of the last hello
	own    uint64            // the number of the newest envelope of control that this node has heard of itself
	self   time.Time         // when that was
	echo   chan struct{}     // own has risen
	floors floors
	names  names
	syncs  syncs
}

// peer is another node, from one start to its end.
type peer struct {
	boot uint64
	name string
	// high is the serial of the newest message that this node knows to exist, and floor
	// counts those that were old when this node came to know the other.
	high  atomic.Uint64
	floor uint64
	gone  atomic.Uint64 // the era in which it was given up, or 0

	// Under the lock of peers.
	server  string
	seen    time.Time
	left    time.Time // when it said goodbye, or another node came with its name
	taken   bool      // another node came with its name, and it has said nothing since
	numbers [2]uint64 // of control that came over the control channel, and over the inbox
	nodes   uint64    // how many others it knows
	debts   []debt    // syncs that it has not answered in time
	answers [8]answer // to the last syncs, each at its number
	marks   []floorMark
}

const (
	// maxPeers bounds the nodes that are known at one time.
	maxPeers = 4096
	// lostTime is how long a node that fell silent is remembered: when it comes back, it
	// was cut off, and what it published did not get here.
	lostTime = time.Hour
	// lateTime is how long messages of a node may come after its goodbye.
	lateTime = time.Minute
)

func (p *peers) init(name string) {
	p.name = name
	p.known = make(map[uint64]*peer)
	p.asked = make(map[uint64]*asked)
	p.echo = make(chan struct{}, 1)
	p.syncs.init()
}

// list lists the names of the other nodes.
func (p *peers) list() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	set := make(map[string]bool)
	for _, k := range p.known {
		if k.there() {
			set[k.name] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// there counts the other nodes that are there.
func (p *peers) there() (nodes uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.known {
		if k.there() {
			nodes++
		}
	}
	return nodes
}

// there reports whether a node is there. The lock of peers is held.
func (k *peer) there() bool { return k.left.IsZero() && k.gone.Load() == 0 }

// saw notes what an envelope of control says. The lock of peers is held.
func (k *peer) saw(e *envelope, now time.Time) {
	k.server, k.nodes, k.seen = e.server, e.nodes, now
	k.heardOf(e.serial)
}

// heardOf notes that there is a message with a serial.
func (k *peer) heardOf(serial uint64) {
	for {
		high := k.high.Load()
		if serial <= high || k.high.CompareAndSwap(high, serial) {
			return
		}
	}
}

// away reports whether a message that came in an era came after its node was given up.
func (k *peer) away(era uint64) bool {
	gone := k.gone.Load()
	return gone != 0 && era >= gone
}

// get is the node with a boot, or nil when it is unknown or, in an era, away.
func (p *peers) get(boot, era uint64) *peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.known[boot]
	if k == nil || k.away(era) {
		return nil
	}
	return k
}

// excuse gives every node more time: this one was late, and has not read what they said.
func (p *peers) excuse(late time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.known {
		k.seen = k.seen.Add(late)
	}
	p.floors.nextAt = p.floors.nextAt.Add(late)
}

// returned takes an envelope that this node itself has sent to all, and reports whether it
// is the newest.
func (p *peers) returned(e *envelope) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.number <= p.own {
		return false // it came before
	}
	p.own, p.self = e.number, time.Now()
	select {
	case p.echo <- struct{}{}:
	default:
	}
	return true
}

// awaitEcho returns when this node has heard what it has sent to all under a number, or
// false when ctx has ended.
func (p *peers) awaitEcho(ctx context.Context, number uint64) bool {
	for {
		p.mu.Lock()
		own := p.own
		p.mu.Unlock()
		if own >= number {
			return true
		}
		select {
		case <-p.echo:
		case <-ctx.Done():
			return false
		}
	}
}

// controlled takes a message of control. It must not block.
func (n *Node) controlled(channel string, data []byte) {
	if channel != n.control && channel != n.inbox {
		n.garbage(channel, data)
		return
	}
	e, err := n.codec.decode(channel, data)
	if err != nil {
		n.garbage(channel, data)
		return
	}
	if e.boot == n.boot {
		if channel == n.control && n.peers.returned(&e) {
			n.pulse.Heard()
		}
		return
	}
	if !n.prove(channel, &e) {
		return
	}
	if e.node == n.options.Node {
		n.namesake(&e)
		return
	}
	switch e.kind {
	case kindBye:
		n.peers.leave(e.boot)
	case kindSync:
		_ = n.tell(inboxChannel(n.options.Prefix, e.node), &envelope{kind: kindSynced, about: e.about})
	case kindSynced:
		n.synced(&e)
	}
}

// leave notes that a node has said goodbye. What it published before may come after.
func (p *peers) leave(boot uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.known[boot]; k != nil {
		k.left, k.taken, k.debts = time.Now(), false, nil
	}
	p.syncs.done(boot)
}

// giveUp forgets the nodes that have been silent for too long, and returns their names.
func (p *peers) giveUp(now time.Time, silence time.Duration) (names []string) {
	for boot, k := range p.known {
		switch {
		case k.gone.Load() != 0:
			if now.Sub(k.seen) > lostTime {
				delete(p.known, boot)
			}
			continue
		case !k.left.IsZero():
			if now.Sub(k.left) <= lateTime {
				continue
			}
		case now.Sub(k.seen) > silence:
			names = append(names, k.name)
		default:
			continue
		}
		k.debts = nil // when it comes back, all topics have a gap
		k.gone.Store(p.era.Add(1))
	}
	for boot, a := range p.asked {
		if now.Sub(a.when(a.last)) > lostTime {
			delete(p.asked, boot)
		}
	}
	return names
}

// beat says from time to time that this node is there, and looks whether it hears
// itself and the others.
func (n *Node) beat(ctx context.Context) {
	every := n.options.Beat
	step := time.NewTicker(n.pulse.Step())
	defer step.Stop()
	n.pulse.Heard()
	next := time.Now().Add(beatPause(every))
	for {
		select {
		case <-step.C:
		case <-n.yield:
			n.stepDown(ctx)
			return
		case <-ctx.Done():
			return
		}
		now := time.Now()
		late, silent := n.pulse.Tick(now)
		p := &n.peers
		if late > 0 {
			p.excuse(late)
		}
		p.mu.Lock()
		gone := p.giveUp(now, silentBeats*every+syncTime)
		p.settle(now, max(settleTime, silentBeats*every))
		p.mu.Unlock()
		for _, name := range gone {
			n.book.Say(notice.NodeSilent, notice.Foreign("peer", name))
		}
		switch {
		case !n.state.up(), n.interests.isDeaf(): // which is known, and says more
			n.pulse.Heard()
		case silent > 0:
			n.book.Say(notice.BrokerSilent, slog.Duration("silent", silent))
			n.link.Reset()
			continue
		}
		if now.Before(next) {
			continue
		}
		next = now.Add(beatPause(every))
		if n.holding.Load() > 0 {
			for _, l := range n.lanes {
				l.nudge(0)
			}
		}
		if n.state.up() {
			n.pulse.Asked(now)
			n.outbox.beat()
			_ = n.tell(n.control, &envelope{kind: kindBeat})
		}
	}
}

// silentBeats is for how many beats a node may be silent: it may have been stopped for two.
const silentBeats = 4

// beatPause is the time to the next beat: nodes that were started together shall not all
// speak at once.
func beatPause(every time.Duration) time.Duration { return every - rand.N(every/10+1) }
