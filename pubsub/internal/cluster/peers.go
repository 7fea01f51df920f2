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

// peers are the other nodes, and the last control envelope of this node that came back.
type peers struct {
	name string // of this node

	// era counts how often a peer was given up. A message that was received before its peer was
	// given up is still accepted, so messages are stamped with the era.
	era atomic.Uint64

	mu     sync.Mutex
	known  map[uint64]*peer  // by boot, after a proof
	asked  map[uint64]*asked // by boot, before a proof
	hello  nonce             // of the last hello
	own    uint64            // number of this node's newest control envelope that came back
	self   time.Time         // when it came
	echo   chan struct{}     // has a value if own has risen
	floors floors
	names  names
	syncs  syncs
}

// peer is one boot of another node.
type peer struct {
	boot uint64
	name string
	// high is the serial of the newest message that is known to exist. floor is the serial up to
	// which messages were old when the peer became known.
	high  atomic.Uint64
	floor uint64
	gone  atomic.Uint64 // the era in which it was given up, or 0

	// Guarded by the lock of peers.
	server  string
	seen    time.Time
	left    time.Time // when it said bye, or a newer node with its name appeared
	taken   bool      // a newer node with its name has appeared, and it was not heard since
	numbers [2]uint64 // last control envelopes, on the control channel and in the inbox
	nodes   uint64    // number of other nodes that it knows
	debts   []debt    // syncs that it has not answered in time
	answers [8]answer // to the last syncs, at the number of the sync modulo 8
	marks   []floorMark
}

const (
	// maxPeers bounds the known nodes.
	maxPeers = 4096
	// lostTime is the time for which a silent node is remembered. If it is heard again, it was
	// cut off, and its messages were lost.
	lostTime = time.Hour
	// lateTime is the time for which messages of a node may arrive after its bye.
	lateTime = time.Minute
)

func (p *peers) init(name string) {
	p.name = name
	p.known = make(map[uint64]*peer)
	p.asked = make(map[uint64]*asked)
	p.echo = make(chan struct{}, 1)
	p.syncs.init()
}

// list returns the names of the other nodes.
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

// there returns the number of other nodes.
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

// there reports whether the peer has neither left nor been given up. The caller holds the lock of peers.
func (k *peer) there() bool { return k.left.IsZero() && k.gone.Load() == 0 }

// saw notes the content of a control envelope. The caller holds the lock of peers.
func (k *peer) saw(e *envelope, now time.Time) {
	k.server, k.nodes, k.seen = e.server, e.nodes, now
	k.heardOf(e.serial)
}

// heardOf notes that a message with a serial exists.
func (k *peer) heardOf(serial uint64) {
	for {
		high := k.high.Load()
		if serial <= high || k.high.CompareAndSwap(high, serial) {
			return
		}
	}
}

// away reports whether a message of an era was received after the peer was given up.
func (k *peer) away(era uint64) bool {
	gone := k.gone.Load()
	return gone != 0 && era >= gone
}

// get returns the peer with a boot, or nil if it is unknown or was away in the era.
func (p *peers) get(boot, era uint64) *peer {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.known[boot]
	if k == nil || k.away(era) {
		return nil
	}
	return k
}

// excuse gives all peers more time, since this node was late and has not read their messages.
func (p *peers) excuse(late time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.known {
		k.seen = k.seen.Add(late)
	}
	p.floors.nextAt = p.floors.nextAt.Add(late)
}

// returned notes a control envelope of this node itself, and reports whether it is the newest.
func (p *peers) returned(e *envelope) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.number <= p.own {
		return false // it has come before
	}
	p.own, p.self = e.number, time.Now()
	select {
	case p.echo <- struct{}{}:
	default:
	}
	return true
}

// awaitEcho returns true when the control envelope with a number has come back, or false when ctx has
// ended.
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

// controlled handles a control envelope. It must not block.
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

// leave notes the bye of a node. Messages that it has published before may still arrive.
func (p *peers) leave(boot uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.known[boot]; k != nil {
		k.left, k.taken, k.debts = time.Now(), false, nil
	}
	p.syncs.done(boot)
}

// giveUp gives up peers that were silent for too long, and returns their names.
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
		k.debts = nil // if it comes back, all topics have a gap
		k.gone.Store(p.era.Add(1))
	}
	for boot, a := range p.asked {
		if now.Sub(a.when(a.last)) > lostTime {
			delete(p.asked, boot)
		}
	}
	return names
}

// beat sends beats, checks with the pulse that they come back, and gives up silent peers.
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
		case !n.state.up(), n.interests.isDeaf(): // that is reported already
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

// silentBeats is the number of beats after which a silent node is given up. A node that was stopped for
// two is kept.
const silentBeats = 4

// beatPause returns the time to the next beat, with jitter, so that nodes that were started together
// do not send at the same time.
func beatPause(every time.Duration) time.Duration { return every - rand.N(every/10+1) }
