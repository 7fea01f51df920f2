package bennu

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/reserved"
	"github.com/bennu-go/bennu/pubsub"
)

// disconnectTeller sends the questions and answers about disconnects after a gap. It has a
// goroutine while there is something to send. It works in rounds, at most one in a second, so a
// node that asks again and again gets one answer in a second.
type disconnectTeller struct {
	mu     sync.Mutex
	wanted []recipient // for the next round, each at most once
	runs   bool        // the goroutine exists
	over   bool        // want does nothing any more
	round  time.Time   // when the latest round began
}

// recipient is a destination of this endpoint's disconnects. The zero value is all nodes.
type recipient struct {
	node     string
	question bool // ask all nodes for theirs, instead of sending ours
}

// telling is a message in parts to one recipient, which may have to wait for the broker.
type telling struct {
	recipient
	left  []ownDisconnect // not yet sent, the oldest first
	until time.Time       // when it is given up
}

// Times of the teller.
const (
	tellingRound      = time.Second            // the least time between rounds
	tellingLimit      = time.Minute            // after which a telling is given up
	tellingPauseLeast = 100 * time.Millisecond // before a try while the broker's buffer is full; doubles
	tellingPauseMost  = 5 * time.Second

	// maxAskers bounds the nodes that are answered one by one. When more ask in one round, the
	// answer goes to all nodes. maxAskerName bounds the bytes of a node's name.
	maxAskers    = 64
	maxAskerName = 1 << 10
)

// want adds a recipient to the next round, and starts the goroutine if it does not run.
func (t *disconnectTeller) want(n *node, r recipient) {
	t.mu.Lock()
	defer t.mu.Unlock()
	// Too many nodes ask at once: one answer to all costs less.
	if r.node != "" && len(t.wanted) >= maxAskers && !slices.Contains(t.wanted, r) {
		r = recipient{}
	}
	if t.over || slices.Contains(t.wanted, r) {
		return
	}
	t.wanted = append(t.wanted, r)
	if !t.runs {
		t.runs = true
		n.tasks.Go(func() { t.run(n) })
	}
}

// stop makes want do nothing. The goroutine ends with the endpoint's context, which is cancelled
// already.
func (t *disconnectTeller) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

// take begins a round if it is time for one, or if it is the last: it adds the wanted recipients to
// the list, except those that the list still has. It returns the list, the time until the next
// round, and whether this is the last, because the endpoint's context has ended.
func (t *disconnectTeller) take(n *node, list []*telling) (_ []*telling, next time.Duration, last bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = t.over || n.ctx.Err() != nil
	now := time.Now()
	next = tellingRound - now.Sub(t.round)
	if len(t.wanted) == 0 || next > 0 && !t.over {
		return list, next, t.over
	}
	t.round = now
	own := n.disconnects.own.all()
	t.wanted = slices.DeleteFunc(t.wanted, func(r recipient) bool {
		i := slices.IndexFunc(list, func(x *telling) bool { return x.recipient == r })
		switch {
		// The last round sends everything once more, without waiting for room.
		case i >= 0 && t.over:
			list[i].left = own // some of it may be newer
		case i >= 0, len(list) > maxAskers && !t.over:
			return false
		default:
			list = append(list, &telling{r, own, now.Add(tellingLimit)})
		}
		return true
	})
	return list, tellingRound, t.over
}

// done reports whether nothing is wanted. If so the goroutine must end, and the next call of want
// starts another.
func (t *disconnectTeller) done() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs = len(t.wanted) > 0
	return !t.runs
}

// run is the goroutine. It ends when nothing is wanted, or with the endpoint's context.
func (t *disconnectTeller) run(n *node) {
	var list []*telling
	pause := tellingPauseLeast
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var wait time.Duration
		var last bool
		list, wait, last = t.take(n, list)
		if n.tellAll(&list, last) {
			pause = tellingPauseLeast
		}
		switch {
		case last, len(list) == 0 && t.done():
			return
		case len(list) > 0:
			wait, pause = pause, min(2*pause, tellingPauseMost)
		}
		timer.Reset(max(0, wait))
		select {
		case <-timer.C:
		case <-n.ctx.Done():
		}
	}
}

// tellAll sends to all in the list, and removes from it those that are done or given up. It reports
// whether anything was sent.
func (n *node) tellAll(list *[]*telling, last bool) (progress bool) {
	*list = slices.DeleteFunc(*list, func(x *telling) bool {
		// Answers would come too late.
		if x.question && last {
			return true // no connection is left
		}
		// A telling in parts may send some of them before the buffer is full.
		left := len(x.left)
		err := n.tell(x)
		progress = progress || err == nil || len(x.left) < left
		switch {
		case err == nil:
			return true
		case errors.Is(err, pubsub.ErrBufferFull) && !last && time.Now().Before(x.until):
			return false
		}
		n.book.Say(notice.DisconnectsUntold, append(errorAttrs(err), notice.Foreign("peer", x.node))...)
		return true
	})
	return progress
}

// tell sends the rest of a telling. The error is the adapter's, or a *PanicError if the adapter
// panics.
func (n *node) tell(x *telling) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}()
	if x.question {
		return n.pubsub.Broadcast(&pubsub.Message{Topic: reserved.Disconnects, Event: eventMissed, Payload: []byte(n.pubsub.Node()), Binary: true})
	}
	for len(x.left) > 0 {
		m, rest := chunkOf(x.left)
		if x.node == "" {
			err = n.pubsub.Broadcast(m)
		} else {
			err = n.pubsub.DirectBroadcast(x.node, m)
		}
		if err != nil {
			return err
		}
		x.left = rest
	}
	return nil
}
