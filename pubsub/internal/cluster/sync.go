package cluster

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// syncs has the nodes that have to answer the last sync.
type syncs struct {
	last     uint64          // number of the last sync; the first is random
	waiting  map[uint64]bool // boots that have not answered
	answered chan struct{}   // has a value if one has answered
}

// debt is interest that was confirmed although a node had not answered the sync. If it answers later,
// messages of it may have been missed.
type debt struct {
	sync   uint64
	topics []*interest // nil: all
	floor  uint64      // the lowest floor of the topics
}

const (
	// syncTime is the time to answer a sync.
	syncTime  = time.Second
	syncLooks = 20 // number of looks in syncTime
	// maxDebt bounds the topics in the debts of a node. Above it, all topics have a gap if the
	// node answers.
	maxDebt = 4096
)

// answer is the answer of a node to a sync: its messages up to serial were published before the topics of
// the sync were confirmed.
type answer struct{ sync, serial uint64 }

// promised returns how many of the messages that are missing before e may have been published after the
// interest was confirmed. The others need not arrive.
func (p *peers) promised(missed uint64, e *envelope, sync uint64) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.known[e.boot]
	if k == nil || sync == 0 {
		return missed
	}
	a := k.answers[sync%uint64(len(k.answers))]
	switch {
	case a.sync != sync:
		return missed
	case e.serial <= a.serial:
		return 0
	}
	return min(missed, e.serial-a.serial-1)
}

var errLate = errors.New("another node was late to take note of this one's interest")

func (s *syncs) init() {
	s.last = randomNumber() >> 1
	s.answered = make(chan struct{}, 1)
}

// done stops waiting for a boot.
func (s *syncs) done(boot uint64) {
	delete(s.waiting, boot)
	select {
	case s.answered <- struct{}{}:
	default:
	}
}

// owe adds a debt to a node, for interest of moment or later. The caller holds the lock of peers.
func (p *peers) owe(k *peer, sync uint64, add []*interest, moment uint64) {
	owed := len(add)
	for _, d := range k.debts {
		owed += len(d.topics)
		if d.topics == nil {
			owed = maxDebt + 1
		}
	}
	if owed > maxDebt {
		k.debts = []debt{{sync: sync}}
		return
	}
	k.debts = append(k.debts, debt{sync, add, p.floorLocked(k, moment)})
}

// sync sends a sync and returns when every node at another server of the broker has answered it. Then the
// subscriptions that this node made before have reached the servers of those nodes. A node that does
// not answer in time gets a debt. confirms says that the topics are confirmed for the first time.
func (n *Node) sync(ctx context.Context, add []*interest, confirms bool) {
	p := &n.peers
	here := n.link.Server()
	if here == "" {
		return
	}
	router, _ := n.link.(Router)
	moment := uint64(math.MaxUint64)
	for _, it := range add {
		moment = min(moment, it.moment)
	}
	p.mu.Lock()
	p.syncs.last++
	which := p.syncs.last
	if confirms {
		for _, it := range add {
			it.sync.CompareAndSwap(0, which) // keeps that of before a refusal
		}
	}
	p.syncs.waiting = make(map[uint64]bool)
	asks := false
	for boot, k := range p.known {
		if !k.there() || k.server == here {
			continue
		}
		asks = true
		if len(k.debts) > 0 {
			p.owe(k, which, add, moment)
		} else {
			p.syncs.waiting[boot] = true
		}
	}
	p.mu.Unlock()
	if !asks {
		return
	}
	_ = n.tell(n.control, &envelope{kind: kindSync, about: which})

	look := time.NewTicker(syncTime / syncLooks)
	defer look.Stop()
	for looks := 0; ; {
		p.mu.Lock()
		left := len(p.syncs.waiting)
		p.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-p.syncs.answered:
		case <-look.C:
			// Looks are counted and not time, since time also passes while this node is stopped.
			if looks++; looks >= syncLooks {
				for _, name := range p.late(which, add, moment) {
					n.book.Say(notice.NodeSilent, notice.Foreign("peer", name), slog.Duration("silent", syncTime))
				}
				return
			}
			if router != nil {
				p.mu.Lock()
				maps.DeleteFunc(p.syncs.waiting, func(boot uint64, _ bool) bool {
					k := p.known[boot]
					return k == nil || !k.there() || !router.Reaches(k.server)
				})
				p.mu.Unlock()
			}
		case <-ctx.Done():
			return
		}
	}
}

// late adds debts to the nodes that have not answered a sync, and returns their names.
func (p *peers) late(which uint64, add []*interest, moment uint64) (names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for boot := range p.syncs.waiting {
		if k := p.known[boot]; k != nil && k.there() {
			p.owe(k, which, add, moment)
			names = append(names, k.name)
		}
	}
	p.syncs.waiting = nil
	return names
}

// synced handles the answer to a sync. If it is late, and the node has published messages since the
// interest began, there is a gap.
func (n *Node) synced(e *envelope) {
	p := &n.peers
	p.mu.Lock()
	if e.about == p.syncs.last {
		if k := p.known[e.boot]; k != nil && p.syncs.waiting[e.boot] {
			k.answers[e.about%uint64(len(k.answers))] = answer{e.about, e.serial}
		}
		p.syncs.done(e.boot)
	}
	var late []*interest
	all := false
	if k := p.known[e.boot]; k != nil && len(k.debts) > 0 {
		rest := k.debts[:0]
		for _, d := range k.debts {
			switch {
			case d.sync > e.about:
				rest = append(rest, d)
			case d.topics == nil:
				all = true
			}
			if d.sync <= e.about && e.serial > d.floor {
				late = append(late, d.topics...)
			}
		}
		k.debts = rest
	}
	p.mu.Unlock()
	if all {
		n.interests.gap(errLate)
		return
	}
	for _, it := range late {
		if n.interests.get(it.channel) == it {
			n.stats.gaps.Add(1)
			n.receiver.Gap(pubsub.Gap{Topic: it.topic, Cause: errLate})
		}
	}
}
