package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// names is what is known of other nodes with this one's name.
type names struct {
	taken   time.Time            // when one that holds the name as well was heard of last
	refused bool                 // the name is another's
	claims  map[uint64]time.Time // boots that want it, and have not proved that they are alive
}

const (
	startTime = 10 * time.Second
	// claimTime is how long a node may take to answer while the broker says that it
	// listens. Then it is believed to be dead, and its name is free.
	claimTime = 5 * time.Second
	// uncountedTime is how long others may take to answer where the broker cannot say
	// whether there are any, and those that a node knows and the broker does not.
	uncountedTime = time.Second
	// repeatTime is how long a node waits for what it says to itself before it says that
	// again. It is lost when the broker goes away before it has come back.
	repeatTime = time.Second
	// helloTurns is how many pauses there are between two hellos.
	helloTurns = 5
	// maxClaims bounds the boots that are waited for.
	maxClaims = 64
)

// hello asks all nodes to answer, and returns its number.
func (n *Node) hello() (number uint64) {
	p := &n.peers
	now := time.Now()
	p.mu.Lock()
	if now.Sub(p.hello.made) > nonceTime {
		p.hello = nonce{randomNumber(), now}
	}
	ask := p.hello.value
	p.mu.Unlock()
	e := envelope{kind: kindHello, ask: ask}
	_ = n.tell(n.control, &e)
	return e.number
}

// conflict reports whether another node that holds this name was there lately. One that only
// wants it is refused, and nothing is wrong with this node.
func (p *peers) conflict(span time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.names.taken.IsZero() && time.Since(p.names.taken) < span
}

// refused reports whether this node must not have its name.
func (p *peers) refused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.names.refused
}

// claim notes that a boot without a proof wants this node's name.
func (p *peers) claim(boot uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.names.claims == nil {
		p.names.claims = make(map[uint64]time.Time)
	}
	if _, known := p.names.claims[boot]; !known && len(p.names.claims) < maxClaims {
		p.names.claims[boot] = time.Now()
	}
}

// claimed reports whether such a boot has still time to prove that it is alive.
func (p *peers) claimed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, when := range p.names.claims {
		if time.Since(when) < uncountedTime {
			return true
		}
	}
	return false
}

// namesake takes what another node of this name says, which is alive. One that holds the
// name keeps it from one that only wants it; otherwise the older keeps it.
func (n *Node) namesake(e *envelope) {
	p := &n.peers
	p.mu.Lock()
	delete(p.names.claims, e.boot)
	if e.kind == kindBye {
		p.mu.Unlock()
		return
	}
	older := e.started < n.started || e.started == n.started && e.boot < n.boot
	holds := n.holds.Load()
	if e.holds {
		p.names.taken = time.Now()
	}
	lost := !holds && e.holds || holds == e.holds && older
	if lost {
		p.names.refused = true
	}
	p.mu.Unlock()
	n.stats.conflicts.Add(1)
	n.book.Say(notice.NameTaken)
	if lost && holds {
		n.yieldOnce.Do(func() { close(n.yield) })
	}
}

// introduce says hello, and returns when that has come back, those that are there have
// answered, and nobody else has this node's name.
func (n *Node) introduce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := n.tryChannels(ctx); err != nil {
		return err
	}
	there := n.knock
	router, routed := n.link.(Router)
	if routed {
		there = func(context.Context, time.Duration) (bool, bool) {
			return router.Namesake(), !n.peers.knows(router.Servers())
		}
	}
	if err := n.meet(ctx, there); err != nil {
		return err
	}
	if !routed {
		// From now on the broker says that somebody has this name. Of two that come here at
		// one time each hears the other, as both have listened before.
		if err := n.subscribeAtStart(ctx, n.nodes, n.holder); err != nil {
			return err
		}
		if !n.hearHello(ctx, n.hello()) {
			return errDeaf
		}
		if err := n.meet(ctx, func(context.Context, time.Duration) (bool, bool) { return false, false }); err != nil {
			return err
		}
	}
	n.holds.Store(true)
	if n.peers.refused() {
		return n.errTaken()
	}
	return n.echoes.done() // of what was tried since
}

// tryChannels subscribes what every node needs, and looks whether it may publish there and
// to topics: then what it says comes back.
func (n *Node) tryChannels(ctx context.Context) error {
	if err := n.subscribeAtStart(ctx, n.control, n.inbox, n.check); err != nil {
		return err
	}
	n.echoes.await(n.inbox, n.check)
	number := n.hello()
	again := time.NewTicker(repeatTime)
	defer again.Stop()
	for heard := false; !heard; {
		_ = n.tell(n.inbox, &envelope{kind: kindBeat})
		_ = n.tell(n.check, &envelope{kind: kindBeat})
		select {
		case <-n.echoes.all:
			heard = true
		case <-again.C:
		case err := <-n.echoes.refused:
			return err
		case <-ctx.Done():
			return errDeaf
		}
	}
	if !n.hearHello(ctx, number) {
		if err := n.echoes.done(); err != nil {
			return err
		}
		return errDeaf
	}
	return n.link.Unsubscribe([]string{n.check})
}

// subscribeAtStart subscribes to what every node needs, again and again until ctx ends: the
// connection may be lost here as at any other time. What the broker refuses is not asked for again.
func (n *Node) subscribeAtStart(ctx context.Context, channels ...string) (err error) {
	for {
		refusal, before := (*Refusal)(nil), err
		err = n.link.Subscribe(ctx, channels)
		if err == nil || errors.As(err, &refusal) {
			return err
		}
		if ctx.Err() != nil && before != nil {
			return before // which says more than that the time is over
		}
		if _, _, cause := n.state.get(); errors.As(cause, &refusal) {
			return cause // the broker lets this node in no more
		}
		n.pause(ctx)
		if ctx.Err() != nil {
			return err
		}
	}
}

// hearHello returns when the hello with this number has come back, or a later one, which it sends
// when that takes long. It reports false when ctx has ended.
func (n *Node) hearHello(ctx context.Context, number uint64) bool {
	for {
		turn, cancel := context.WithTimeout(ctx, repeatTime)
		heard := n.peers.awaitEcho(turn, number)
		cancel()
		if heard || ctx.Err() != nil {
			return heard
		}
		n.hello()
	}
}

var errDeaf = errors.New("the broker takes messages and delivers none: may this user publish and subscribe to everything below the prefix?")

// meet says hello until all that are there have answered. there reports, after a time,
// whether a node of this name, and whether others may be there that have not answered.
func (n *Node) meet(ctx context.Context, there func(context.Context, time.Duration) (namesake, others bool)) error {
	var past time.Duration
	for turn := 1; ; turn++ {
		if n.peers.refused() {
			return n.errTaken()
		}
		began := time.Now()
		namesake, others := there(ctx, past)
		switch {
		case n.peers.refused():
			return n.errTaken()
		case !namesake && !others && !n.peers.claimed():
			return nil
		case past > claimTime || ctx.Err() != nil:
			if namesake {
				n.book.Say(notice.NameSilent)
			} else {
				n.book.Say(notice.NodeUnanswered)
			}
			return nil
		}
		past += time.Since(began)
		began = time.Now()
		n.pause(ctx)
		// Time in which this node itself stood still is no time that others had to answer.
		past += min(time.Since(began), 5*retryPause)
		if turn%helloTurns == 0 { // the first may have been too early to be passed on
			n.hello()
		}
	}
}

// knock asks the broker whether there is a holder of this node's name, and others that have
// not answered.
func (n *Node) knock(ctx context.Context, past time.Duration) (namesake, others bool) {
	k, ok := n.link.(Knocker)
	if !ok {
		return past < uncountedTime, past < uncountedTime
	}
	holders, err := k.Knock(ctx, n.holder)
	namesake = err == nil && holders > 0 || err != nil && past < uncountedTime
	nodes, err := k.Knock(ctx, n.nodes)
	if past >= uncountedTime {
		// What the others say later is taken then.
		return namesake, err == nil && n.peers.there() < uint64(nodes)
	}
	return namesake, err != nil || n.peers.there() < max(uint64(nodes), n.peers.told())
}

// told is how many nodes one of those knows that have answered. Some may be dead.
func (p *peers) told() (nodes uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.known {
		if k.there() {
			nodes = max(nodes, k.nodes)
		}
	}
	return nodes
}

// knows reports whether a node has been heard from each of these servers.
func (p *peers) knows(servers []string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	heard := make(map[string]bool, len(p.known))
	for _, k := range p.known {
		heard[k.server] = true
	}
	return !slices.ContainsFunc(servers, func(s string) bool { return !heard[s] })
}

// stepDown ends this node's part in the cluster: an older node has its name.
func (n *Node) stepDown(ctx context.Context) {
	err := n.errTaken()
	n.book.Say(notice.NameLost)
	_ = n.tell(n.control, &envelope{kind: kindBye})
	n.outbox.close(err)
	last := time.NewTimer(n.options.Beat)
	defer last.Stop()
	select {
	case <-n.sender:
	case <-last.C:
	case <-ctx.Done():
	}
	n.yielded.Store(true)
	n.state.set(false, err)
	n.stats.gaps.Add(1)
	n.receiver.Gap(pubsub.Gap{Cause: err})
}

func (n *Node) errTaken() error {
	return fmt.Errorf("%w: %q; give each node a name of its own", pubsub.ErrNameTaken, n.options.Node)
}
