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

// names has the known nodes with the name of this node.
type names struct {
	taken   time.Time            // when another holder of the name was heard last
	refused bool                 // this node must not use the name
	claims  map[uint64]time.Time // boots without a proof that want the name
}

const (
	startTime = 10 * time.Second // bounds the start
	// claimTime is the time to answer for a node that is subscribed according to the broker.
	// After it, the node counts as dead, and its name is free.
	claimTime = 5 * time.Second
	// uncountedTime is the time to answer for a node if the broker does not know whether it
	// exists.
	uncountedTime = time.Second
	// repeatTime is the time after which a starting node repeats a message to itself that has not
	// come back. A message is lost if the broker goes away before that.
	repeatTime = time.Second
	// helloTurns is the number of pauses between two hellos.
	helloTurns = 5
	// maxClaims bounds names.claims.
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

// conflict reports whether another holder of the name was heard lately. A node that only wants the
// name is refused, and is no conflict.
func (p *peers) conflict(span time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.names.taken.IsZero() && time.Since(p.names.taken) < span
}

// refused reports whether this node must not use its name.
func (p *peers) refused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.names.refused
}

// claim notes that a boot without a proof wants the name of this node.
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

// claimed reports whether a boot with the name of this node still has time to prove that it is alive.
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

// namesake handles a control envelope of another node with the name of this node, which has proved
// that it is alive. A holder of the name keeps it if the other only wants it; otherwise the older
// node keeps it.
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

// introduce sends hellos. It returns when one has come back, the running nodes have answered, and no
// other node has the name of this node.
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
		// From now on the broker reports a subscriber for this name. If two nodes come here at
		// the same time, each receives the hello of the other, since both are subscribed.
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
	return n.echoes.done() // a refusal that came since tryChannels
}

// tryChannels subscribes to the channels that every node needs, and checks that this node may publish to
// them and to topics: messages to itself have to come back.
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

// subscribeAtStart subscribes to channels that every node needs, and tries again until ctx ends, since the
// connection may be lost during the start. It returns a refusal at once.
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

// hearHello returns true when the hello with this number, or a later one, has come back. It repeats the
// hello after repeatTime, and returns false if ctx has ended.
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

// meet sends hellos until all running nodes have answered. there is called with the time that has
// passed, and reports whether a node with this name, and whether other nodes, may be running that
// have not answered.
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
		// A time in which this node itself was stopped does not count.
		past += min(time.Since(began), 5*retryPause)
		if turn%helloTurns == 0 { // earlier ones may not have reached all servers of the broker
			n.hello()
		}
	}
}

// knock asks the broker whether there is a holder of the name of this node, and whether there are
// other nodes that have not answered.
func (n *Node) knock(ctx context.Context, past time.Duration) (namesake, others bool) {
	k, ok := n.link.(Knocker)
	if !ok {
		return past < uncountedTime, past < uncountedTime
	}
	holders, err := k.Knock(ctx, n.holder)
	namesake = err == nil && holders > 0 || err != nil && past < uncountedTime
	nodes, err := k.Knock(ctx, n.nodes)
	if past >= uncountedTime {
		// Nodes that only other nodes know of are not waited for any longer.
		return namesake, err == nil && n.peers.there() < uint64(nodes)
	}
	return namesake, err != nil || n.peers.there() < max(uint64(nodes), n.peers.told())
}

// told returns the largest number of nodes that a node has reported. Some may be dead.
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

// knows reports whether a node of each of these servers has been heard.
func (p *peers) knows(servers []string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	heard := make(map[string]bool, len(p.known))
	for _, k := range p.known {
		heard[k.server] = true
	}
	return !slices.ContainsFunc(servers, func(s string) bool { return !heard[s] })
}

// stepDown leaves the cluster, since an older node has the name of this one.
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

// errTaken returns an error that says that the name is in use.
func (n *Node) errTaken() error {
	return fmt.Errorf("%w: %q; give each node a name of its own", pubsub.ErrNameTaken, n.options.Node)
}
