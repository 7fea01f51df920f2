package client

// itemKind says which callbacks an item is for: those of On and Events, OnError, OnClose, Resume, or
// Trace.State.
type itemKind byte

const (
	itemMessage itemKind = iota
	itemError
	itemClose
	itemResumed
	itemState
)

// item is one call of the callbacks.
type item struct {
	kind    itemKind
	message Message
	err     error
	resumed *Resumed // of itemResumed
	channel *Channel // of itemState
	state   State
}

// mailbox calls handle with one item after the other, on a goroutine that exists only while there
// are items, since most channels are idle most of the time. The socket's lock guards its fields; handle
// is called without the lock.
//
// postLocked does not bound the queue. Callers check messages with takesLocked before they post them.
// Ends of channels are always posted, since a program must get them.
type mailbox struct {
	socket  *Socket
	handle  func(item)
	items   []item
	count   count
	running bool
}

// takesLocked reports whether there is room for a message.
func (b *mailbox) takesLocked(p Payload) bool { return b.socket.opts.queues(b.count, p) }

// postLocked adds an item, and starts the goroutine if none runs.
func (b *mailbox) postLocked(it item) {
	b.items = append(b.items, it)
	b.count.add(it.message.Payload)
	if !b.running {
		b.running = true
		b.socket.tasks.Start(b)
	}
}

// clearLocked drops the queued items.
func (b *mailbox) clearLocked() { b.items, b.count = nil, count{} }

// Run handles items until there are none. Only the task group calls it. If handle calls runtime.Goexit,
// another goroutine goes on with the next item.
func (b *mailbox) Run() {
	returned := false
	defer func() {
		if !returned {
			b.socket.tasks.Start(b)
		}
	}()
	for {
		b.socket.mu.Lock()
		if len(b.items) == 0 {
			b.items, b.running = nil, false
			b.socket.mu.Unlock()
			returned = true
			return
		}
		it := b.items[0]
		b.items[0] = item{}
		b.items = b.items[1:]
		b.count.remove(it.message.Payload)
		b.socket.mu.Unlock()
		b.handle(it)
	}
}
