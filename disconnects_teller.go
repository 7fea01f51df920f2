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

// disconnectTeller sends what nodes tell each other of disconnects after a gap. It has a
// goroutine while there is something to send. It sends in rounds, at most one in a second. So a
// node that asks again and again is answered once in a second.
type disconnectTeller struct {
	mu     sync.Mutex
	wanted []recipient // of the next round, each once
	runs   bool        // the goroutine
	over   bool        // nothing more is taken
	round  time.Time   // the beginning of the latest
}

// recipient is who is told of this endpoint's disconnects. The zero value is all nodes.
type recipient struct {
	node     string
	question bool // all nodes are asked instead
}

// telling is what one recipient is told.
type telling struct {
	recipient
	left  []ownDisconnect // the oldest first
	until time.Time       // it is given up
}

const (
	tellingRound      = time.Second
	tellingLimit      = time.Minute
	tellingPauseLeast = 100 * time.Millisecond // while the broker takes no more
	tellingPauseMost  = 5 * time.Second

	// maxAskers bounds the nodes that are answered one by one. When more ask in one round, all
	// are told.
	maxAskers    = 64
	maxAskerName = 1 << 10
)

// want has a recipient told in the next round.
func (t *disconnectTeller) want(n *node, r recipient) {
	t.mu.Lock()
	defer t.mu.Unlock()
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

// stop takes nothing more. The endpoint's context has ended, with which the goroutine ends.
func (t *disconnectTeller) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

// take begins a round when it is time for one, or the last time: it adds to the list whom an
// earlier round is not still telling. It returns how long it is until the next, and whether this
// is the last time, since the endpoint's context has ended.
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

// done reports whether nothing is wanted. Then the goroutine ends, and the next that is wanted
// starts another.
func (t *disconnectTeller) done() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs = len(t.wanted) > 0
	return !t.runs
}

// run tells until nothing is left to do.
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

// tellAll tells all in a list, and leaves in it those for whom there is no room yet, unless this
// is the last time. It reports whether anything was sent.
func (n *node) tellAll(list *[]*telling, last bool) (progress bool) {
	*list = slices.DeleteFunc(*list, func(x *telling) bool {
		if x.question && last {
			return true // no connection is left
		}
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

// tell sends what is left of a telling. The error is the adapter's, or a PanicError if it panics.
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
