package client

import "github.com/bennu-go/bennu/wire"

// itemKind says what callbacks an item is for.
type itemKind byte

const (
	itemMessage itemKind = iota
	itemError
	itemClose
	itemState
)

// item is something to tell the program.
type item struct {
	kind    itemKind
	message Message
	err     error
	channel *Channel // of itemState
	state   State
}

// mailbox calls handle with one item after the other, on a goroutine that exists only while
// there are items. The socket's lock guards it; handle is called without it.
type mailbox struct {
	socket  *Socket
	handle  func(item)
	items   []item
	count   count
	running bool
}

// takesLocked reports whether a message fits in.
func (b *mailbox) takesLocked(p wire.Payload) bool { return b.socket.opts.queues(b.count, p) }

// postLocked adds an item, whatever is there already.
func (b *mailbox) postLocked(it item) {
	b.items = append(b.items, it)
	b.count.add(wire.Payload(it.message.Payload))
	if !b.running {
		b.running = true
		b.socket.tasks.Start(b)
	}
}

// clearLocked forgets what was not handled yet.
func (b *mailbox) clearLocked() { b.items, b.count = nil, count{} }

// Run is called by the task group, and by nobody else.
func (b *mailbox) Run() {
	returned := false
	defer func() {
		if !returned { // handle ended this goroutine
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
		b.count.remove(wire.Payload(it.message.Payload))
		b.socket.mu.Unlock()
		b.handle(it)
	}
}
