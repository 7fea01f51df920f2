package cluster

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
)

// peers is who else is there, and whether this node hears itself.
type peers struct {
	mu       sync.Mutex
	known    map[uint64]*peer     // by boot
	lost     map[uint64]time.Time // boots that fell silent, and when
	self     time.Time            // when this node heard itself last
	taken    time.Time            // when another node of this name was heard last
	heard    chan struct{}        // closed when this node has heard its hello
	waiting  map[uint64]bool      // boots that have not answered a sync yet
	sync     uint64               // which
	answered chan struct{}        // one of them has
}

// peer is another node.
type peer struct {
	name, server string
	seen         time.Time
}

const (
	// maxPeers bounds the nodes that are known at one time.
	maxPeers = 4096
	// lostTime is how long a node that fell silent is remembered: when it comes back, it
	// was cut off, and what it published did not get here.
	lostTime = time.Hour
	// syncTime is how long a node may take to answer before it is believed to be gone.
	syncTime = time.Second
	// introduceTime is how long others have to say that a name is taken, at least.
	introduceTime = 100 * time.Millisecond
	startTime     = 10 * time.Second
	// meetTime is how long a node that is connected may take to answer a hello, which is
	// said again every helloTurns pauses.
	meetTime   = 5 * time.Second
	helloTurns = 5
)

func (p *peers) init() {
	p.known = make(map[uint64]*peer)
	p.lost = make(map[uint64]time.Time)
	p.heard = make(chan struct{})
	p.answered = make(chan struct{}, 1)
}

// names lists the other nodes.
func (p *peers) names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	set := make(map[string]bool)
	for _, peer := range p.known {
		set[peer.name] = true
	}
	return slices.Sorted(maps.Keys(set))
}

func (p *peers) heardSelf() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.self = time.Now()
}

// conflict reports whether another node of this name was heard lately.
func (p *peers) conflict(span time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.taken.IsZero() && time.Since(p.taken) < span
}

// controlled takes a message of control. It must not block.
func (n *Node) controlled(channel string, data []byte) {
	if channel != n.control && channel != n.inbox {
		n.garbage(channel)
		return
	}
	e, err := n.codec.decode(channel, data)
	if err != nil {
		n.garbage(channel)
		return
	}
	p := &n.peers
	if e.boot == n.boot {
		p.mu.Lock()
		p.self = time.Now()
		if e.kind == kindHello {
			select {
			case <-p.heard:
			default:
				close(p.heard)
			}
		}
		p.mu.Unlock()
		return
	}
	if e.node == n.options.Node {
		n.namesake(&e)
		return
	}
	switch e.kind {
	case kindHello:
		n.see(&e)
		_ = n.tell(inboxChannel(n.options.Prefix, e.node), &envelope{kind: kindBeat, server: n.link.Server()})
	case kindBeat:
		if n.see(&e) {
			n.book.Say(notice.NodeBack, notice.Foreign("peer", e.node))
			n.interests.gap(errCutOff)
		}
	case kindBye:
		p.mu.Lock()
		delete(p.known, e.boot)
		delete(p.lost, e.boot)
		p.mu.Unlock()
		p.answer(e.boot, 0)
	case kindSync:
		_ = n.tell(inboxChannel(n.options.Prefix, e.node), &envelope{kind: kindSynced, about: e.about})
	case kindSynced:
		p.answer(e.boot, e.about)
	}
}

var errCutOff = errors.New("another node was cut off from this one")

// see notes that a node is there, and reports whether it had been given up.
func (n *Node) see(e *envelope) (back bool) {
	back, known := n.peers.see(e)
	if !known {
		n.book.Say(notice.TooManyNodes, notice.Foreign("peer", e.node), slog.Int("limit", maxPeers))
	}
	return back
}

// see notes that a node is there, and reports whether it had been given up, and false for known
// when there are too many. One that says hello takes the place of who had its name before.
func (p *peers) see(e *envelope) (back, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.kind == kindHello {
		maps.DeleteFunc(p.known, func(boot uint64, other *peer) bool { return other.name == e.node && boot != e.boot })
	}
	if p.known[e.boot] == nil && len(p.known) >= maxPeers {
		return false, false
	}
	_, back = p.lost[e.boot]
	delete(p.lost, e.boot)
	p.known[e.boot] = &peer{e.node, e.server, time.Now()}
	return back, true
}

// giveUp forgets the nodes that have been silent for too long, and returns their names.
func (p *peers) giveUp(now time.Time, silence time.Duration) (names []string) {
	for boot, other := range p.known {
		if now.Sub(other.seen) > silence {
			names = append(names, other.name)
			delete(p.known, boot)
			if len(p.lost) < maxPeers {
				p.lost[boot] = now
			}
		}
	}
	for boot, when := range p.lost {
		if now.Sub(when) > lostTime {
			delete(p.lost, boot)
		}
	}
	return names
}

// namesake takes what a node of the same name says.
func (n *Node) namesake(e *envelope) {
	if e.kind == kindTaken && e.about != n.boot || e.kind == kindBye {
		return
	}
	n.stats.conflicts.Add(1)
	n.peers.mu.Lock()
	n.peers.taken = time.Now()
	n.peers.mu.Unlock()
	n.book.Say(notice.NameTaken)
	if e.kind == kindHello {
		_ = n.tell(n.inbox, &envelope{kind: kindTaken, about: e.boot})
	}
}

// introduce says hello, and returns when that has come back and nobody has
// objected to the name.
func (n *Node) introduce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := n.link.Subscribe(ctx, []string{n.control, n.inbox}); err != nil {
		return err
	}
	began := time.Now()
	_ = n.tell(n.control, &envelope{kind: kindHello, server: n.link.Server()})
	select {
	case <-n.peers.heard:
	case <-ctx.Done():
		return errors.New("the broker takes messages and delivers none: may this user publish and subscribe to everything below the prefix?")
	}
	if router, ok := n.link.(Router); ok {
		return n.meet(ctx, router)
	}
	pause := time.NewTimer(max(introduceTime, 3*time.Since(began)))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
	if n.peers.conflict(startTime) {
		return n.errTaken()
	}
	return nil
}

// meet says hello until the node at each server that is reached has answered: then they
// know each other, and none has this node's name.
func (n *Node) meet(ctx context.Context, router Router) error {
	ctx, cancel := context.WithTimeout(ctx, meetTime)
	defer cancel()
	for turn := 1; ; turn++ {
		switch namesake := router.Namesake(); {
		case n.peers.conflict(startTime), namesake && ctx.Err() != nil:
			return n.errTaken()
		case !namesake && n.peers.knows(router.Servers()):
			return nil
		case ctx.Err() != nil:
			n.log.Warn("a node that is connected does not answer; has it another prefix?")
			return nil
		}
		n.pause(ctx)
		if turn%helloTurns == 0 { // the first may have been too early to be passed on
			_ = n.tell(n.control, &envelope{kind: kindHello, server: n.link.Server()})
		}
	}
}

// knows reports whether a node has been heard from each of these servers.
func (p *peers) knows(servers []string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	heard := make(map[string]bool, len(p.known))
	for _, other := range p.known {
		heard[other.server] = true
	}
	return !slices.ContainsFunc(servers, func(s string) bool { return !heard[s] })
}

// beat says from time to time that this node is there, and looks whether it hears
// itself and the others.
func (n *Node) beat(ctx context.Context) {
	every := n.options.Beat
	n.peers.heardSelf()
	for {
		timer := time.NewTimer(every - every/20 + rand.N(every/10+1))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		now := time.Now()
		p := &n.peers
		p.mu.Lock()
		gone := p.giveUp(now, 3*every+syncTime)
		silent := now.Sub(p.self)
		p.mu.Unlock()
		for _, name := range gone {
			n.book.Say(notice.NodeSilent, notice.Foreign("peer", name))
		}
		if !n.state.up() {
			continue
		}
		if silent > 2*every {
			p.heardSelf()
			n.book.Say(notice.BrokerSilent, slog.Duration("silent", silent))
			n.link.Reset()
			continue
		}
		_ = n.tell(n.control, &envelope{kind: kindBeat, server: n.link.Server()})
	}
}

// answer notes that a node has answered a sync, or with 0 that it never will.
func (p *peers) answer(boot, which uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if which != 0 && which != p.sync {
		return
	}
	delete(p.waiting, boot)
	select {
	case p.answered <- struct{}{}:
	default:
	}
}

// sync returns when every node at another server of the broker has answered a
// message sent now: what this node has told its own server before has got to
// theirs then.
func (n *Node) sync(ctx context.Context) {
	p := &n.peers
	here := n.link.Server()
	if here == "" {
		return
	}
	router, _ := n.link.(Router)
	p.mu.Lock()
	p.waiting = make(map[uint64]bool)
	for boot, other := range p.known {
		if other.server != here {
			p.waiting[boot] = true
		}
	}
	if len(p.waiting) == 0 {
		p.mu.Unlock()
		return
	}
	p.sync = rand.Uint64() | 1
	which := p.sync
	p.mu.Unlock()
	_ = n.tell(n.control, &envelope{kind: kindSync, about: which})

	end := time.NewTimer(syncTime)
	defer end.Stop()
	look := time.NewTicker(syncTime / 20)
	defer look.Stop()
	for {
		p.mu.Lock()
		left := len(p.waiting)
		p.mu.Unlock()
		if left == 0 {
			return
		}
		select {
		case <-p.answered:
		case <-look.C:
			if router != nil {
				p.mu.Lock()
				maps.DeleteFunc(p.waiting, func(boot uint64, _ bool) bool {
					other := p.known[boot]
					return other == nil || !router.Reaches(other.server)
				})
				p.mu.Unlock()
			}
		case <-end.C:
			p.mu.Lock()
			var names []string
			for boot := range p.waiting { // it comes back with its next beat
				if other := p.known[boot]; other != nil {
					names = append(names, other.name)
				}
				delete(p.known, boot)
			}
			p.waiting = nil
			p.mu.Unlock()
			for _, name := range names {
				n.book.Say(notice.NodeSilent, notice.Foreign("peer", name), slog.Duration("silent", syncTime))
			}
			return
		case <-ctx.Done():
			return
		}
	}
}
