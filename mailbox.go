package bennu

import (
	"sync"

	"github.com/bennu-go/bennu/wire"
)

// item is one thing for a channel to do.
type item struct {
	kind    itemKind
	ref     wire.Ref
	event   string
	payload Payload
	info    any
}

type itemKind uint8

const (
	itemIn    itemKind = iota // an event from the client
	itemLeave                 // the client's phx_leave
	itemOut                   // an intercepted broadcast
	itemInfo                  // Channel.Send, or a broadcast of another topic
	itemStop                  // Channel.Leave
	itemFence                 // receiver.AwaitHandled: info is a channel to close
	itemJoin                  // phx_join, which is in no mailbox
	itemEnd                   // Terminate, which is in none either
)

// mailbox is the queue of a channel, guarded by the channel's lock. What the
// client sent and what comes from elsewhere are bounded apart: a client that fills its own
// share is made to wait, and must not make others lose their messages.
type mailbox struct {
	q *items // nil while empty, so that an idle channel holds no queue
}

// items is what a mailbox holds.
type items struct {
	list []item
	head int
	// in and inBytes count what came from the client, other and otherBytes the rest.
	in, inBytes, other, otherBytes int
	// resume is given to the connection when the client's share is full, and closed when
	// half of it is handled.
	resume chan struct{}
}

// maxPooled is the longest list that is kept for the next mailbox.
const maxPooled = 64

var itemsPool = sync.Pool{New: func() any { return new(items) }}

func (b *mailbox) empty() bool { return b.q == nil }

func (b *mailbox) push(it item) {
	if b.q == nil {
		b.q = itemsPool.Get().(*items)
	}
	q := b.q
	if len(q.list) == cap(q.list) && q.head > len(q.list)/2 {
		// A mailbox that is never quite empty must not grow with all that goes
		// through it.
		n := copy(q.list, q.list[q.head:])
		clear(q.list[n:])
		q.list, q.head = q.list[:n], 0
	}
	q.list = append(q.list, it)
	q.count(&it, 1)
}

func (q *items) count(it *item, sign int) {
	n := sign * (len(it.ref) + len(it.event) + len(it.payload.Data))
	switch it.kind {
	case itemIn, itemLeave:
		q.in += sign
		q.inBytes += n
	default:
		q.other += sign
		q.otherBytes += n
	}
}

// pop takes the first item of a mailbox that is not empty, and lets a client that
// waits go on when it may.
func (b *mailbox) pop(l *Limits) item {
	q := b.q
	it := q.list[q.head]
	q.list[q.head] = item{}
	q.head++
	q.count(&it, -1)
	if q.head == len(q.list) {
		b.clear()
	} else if q.in <= l.MailboxMessages/2 && q.inBytes <= l.MailboxBytes/2 {
		q.release()
	}
	return it
}

// clear drops everything.
func (b *mailbox) clear() {
	q := b.q
	if q == nil {
		return
	}
	b.q = nil
	q.release()
	clear(q.list)
	list := q.list[:0]
	if cap(list) > maxPooled {
		list = nil
	}
	*q = items{list: list}
	itemsPool.Put(q)
}

// full reports whether the client has sent as much as it may.
func (b *mailbox) full(l *Limits) bool {
	return b.q != nil && (b.q.in >= l.MailboxMessages || b.q.inBytes >= l.MailboxBytes)
}

// othersFull reports whether everyone else has.
func (b *mailbox) othersFull(h *mountedHandler) bool {
	return b.q != nil && (b.q.other >= h.limits.MailboxMessages || b.q.otherBytes >= h.othersBytes)
}

// wait gives out the channel that is closed when the client may go on. The mailbox is
// not empty.
func (b *mailbox) wait() <-chan struct{} {
	if b.q.resume == nil {
		b.q.resume = make(chan struct{})
	}
	return b.q.resume
}

func (q *items) release() {
	if q.resume != nil {
		close(q.resume)
		q.resume = nil
	}
}
