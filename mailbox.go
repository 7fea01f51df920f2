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
)

// mailbox is the queue of a channel, guarded by the channel's lock. What the
// client sent and what comes from elsewhere are bounded apart: a client that fills its own
// share is made to wait, and must not make others lose their messages.
type mailbox struct {
	items *[]item // nil while empty, so that an idle channel holds no queue
	head  int
	// in and inBytes count what came from the client, other and otherBytes the rest.
	in, inBytes, other, otherBytes int
	// resume is given to the connection when the client's share is full, and closed when
	// half of it is handled.
	resume chan struct{}
}

var itemSlices = sync.Pool{New: func() any { return new([]item) }}

func (b *mailbox) empty() bool { return b.items == nil }

func (b *mailbox) push(it item) {
	if b.items == nil {
		b.items = itemSlices.Get().(*[]item)
	}
	if list := *b.items; len(list) == cap(list) && b.head > len(list)/2 {
		// A mailbox that is never quite empty must not grow with all that goes
		// through it.
		n := copy(list, list[b.head:])
		clear(list[n:])
		*b.items, b.head = list[:n], 0
	}
	*b.items = append(*b.items, it)
	b.count(&it, 1)
}

func (b *mailbox) count(it *item, sign int) {
	n := sign * (len(it.event) + len(it.payload.Data))
	switch it.kind {
	case itemIn, itemLeave:
		b.in += sign
		b.inBytes += n
	default:
		b.other += sign
		b.otherBytes += n
	}
}

func (b *mailbox) pop() item {
	list := *b.items
	it := list[b.head]
	list[b.head] = item{}
	b.head++
	b.count(&it, -1)
	if b.head == len(list) {
		b.reset()
	}
	return it
}

// clear drops everything.
func (b *mailbox) clear() {
	if b.items != nil {
		clear(*b.items)
		b.reset()
	}
	b.in, b.inBytes, b.other, b.otherBytes = 0, 0, 0, 0
	b.release()
}

func (b *mailbox) reset() {
	if cap(*b.items) <= 64 {
		*b.items = (*b.items)[:0]
		itemSlices.Put(b.items)
	}
	b.items, b.head = nil, 0
}

// full reports whether the client has sent as much as it may.
func (b *mailbox) full(l *Limits) bool {
	return b.in >= l.MailboxMessages || b.inBytes >= l.MailboxBytes
}

// othersFull reports whether everyone else has.
func (b *mailbox) othersFull(l *Limits) bool {
	return b.other >= l.MailboxMessages || b.otherBytes >= l.MailboxBytes
}

// wait gives out the channel that is closed when the client may go on.
func (b *mailbox) wait() <-chan struct{} {
	if b.resume == nil {
		b.resume = make(chan struct{})
	}
	return b.resume
}

func (b *mailbox) relieve(l *Limits) {
	if b.resume != nil && b.in <= l.MailboxMessages/2 && b.inBytes <= l.MailboxBytes/2 {
		b.release()
	}
}

func (b *mailbox) release() {
	if b.resume != nil {
		close(b.resume)
		b.resume = nil
	}
}
