package bennu

import (
	"sync"

	"github.com/bennu-go/bennu/wire"
)

// item is one entry of a mailbox: a message to handle, or an end to carry out.
type item struct {
	kind    itemKind
	ref     wire.Ref // of the client's message, or null
	event   string
	payload Payload
	info    any // the message of an itemInfo, or the channel of an itemFence
}

// itemKind is the kind of an item. The last two are only in contexts, never in a mailbox.
type itemKind uint8

const (
	itemIn    itemKind = iota // an event from the client
	itemOut                   // an intercepted broadcast
	itemInfo                  // Channel.Send, or a broadcast of another topic
	itemLeave                 // the client's phx_leave
	itemStop                  // Channel.Leave
	itemFence                 // receiver.AwaitHandled: info is a channel to close
	itemEntry                 // the next entry of a cursor; at most one is in the mailbox
	itemJoin                  // phx_join
	itemEnd                   // Terminate
)

// hasCallback reports whether the executor calls a method of the Instance for items of this kind.
func (k itemKind) hasCallback() bool { return k <= itemInfo }

// mailbox is the queue of a channel, guarded by the channel's lock. Messages of the client and all
// other items have separate bounds, each Limits.MailboxMessages and MailboxBytes at least. When the
// client's share is full, reading from its connection stops; when the other share is full, further
// items are refused. So a client that fills its own share does not make others lose messages.
type mailbox struct {
	q *items // nil while empty, so that an idle channel keeps no queue
}

// items is the queue of a mailbox that is not empty. It comes from itemsPool.
type items struct {
	list []item // those before head are handled and zero
	head int
	// in and inBytes count the items of the client, other and otherBytes all others. The bytes are
	// those of ref, event and payload.
	in, inBytes, other, otherBytes int
	// resume is made when the client's share is full. The connection waits for it; it is closed
	// when half of each bound is free again.
	resume chan struct{}
}

// maxPooled is the capacity up to which a list is kept for the next mailbox.
const maxPooled = 64

var itemsPool = sync.Pool{New: func() any { return new(items) }}

func (b *mailbox) empty() bool { return b.q == nil }

// push appends an item. It checks no bounds; full and othersFull do.
func (b *mailbox) push(it item) {
	if b.q == nil {
		b.q = itemsPool.Get().(*items)
	}
	q := b.q
	if len(q.list) == cap(q.list) && q.head > len(q.list)/2 {
		// More than half of the list is handled: move the rest to its beginning instead of growing.
		// Otherwise a mailbox that is never empty would grow without end.
		n := copy(q.list, q.list[q.head:])
		clear(q.list[n:])
		q.list, q.head = q.list[:n], 0
	}
	q.list = append(q.list, it)
	q.count(&it, 1)
}

// count adds an item to the counts of its share, or takes it away if sign is -1.
func (q *items) count(it *item, sign int) {
	if it.kind == itemEntry {
		return // it stands for entries that are elsewhere
	}
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

// pop removes and returns the first item. The mailbox is not empty. It lets the connection read on
// when half of each bound of the client's share is free.
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

// clear drops all items, lets the connection read on, and returns the queue to the pool.
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

// full reports whether the client's share is full.
func (b *mailbox) full(l *Limits) bool {
	return b.q != nil && (b.q.in >= l.MailboxMessages || b.q.inBytes >= l.MailboxBytes)
}

// othersFull reports whether the share of all other items is full.
func (b *mailbox) othersFull(h *mountedHandler) bool {
	return b.q != nil && (b.q.other >= h.limits.MailboxMessages || b.q.otherBytes >= h.othersBytes)
}

// wait returns the channel that is closed when the client may send again. The mailbox is not empty.
func (b *mailbox) wait() <-chan struct{} {
	if b.q.resume == nil {
		b.q.resume = make(chan struct{})
	}
	return b.q.resume
}

// release lets the connection read on if it waits.
func (q *items) release() {
	if q.resume != nil {
		close(q.resume)
		q.resume = nil
	}
}
