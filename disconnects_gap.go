package bennu

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/reserved"
	"github.com/bennu-go/bennu/pubsub"
)

// A broker that fails may lose disconnects. A node that may have missed some asks the others for
// those that they have sent, and closes the connections that began before them. It also sends its
// own again, since the other nodes may have missed them for the same reason.

// The events for that, on the topic of disconnects. Both have a binary payload.
const (
	eventMissed     = "missed"     // the question; the payload is the name of the asking node
	eventRemembered = "remembered" // the answer; the payload is a sequence of appendDisconnect
)

// Gap implements pubsub.GapSubscriber.
func (l *disconnectListener) Gap(string) {
	n := (*node)(l)
	n.disconnects.teller.want(n, recipient{question: true})
	n.disconnects.teller.want(n, recipient{})
}

// ownDisconnects are the latest disconnects that this endpoint has sent to all nodes, up to
// maxDisconnects and maxDisconnectBytes.
type ownDisconnects struct {
	mu    sync.Mutex
	queue []ownDisconnect // the oldest first
	bytes int             // of the ids
}

// ownDisconnect is an id and the time at which it was disconnected.
type ownDisconnect struct {
	id string
	at time.Time
}

// add remembers a disconnect, and forgets the oldest ones beyond the bounds.
func (o *ownDisconnects) add(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = append(o.queue, ownDisconnect{id, time.Now()})
	o.bytes += len(id)
	for len(o.queue) > maxDisconnects || o.bytes > maxDisconnectBytes {
		o.bytes -= len(o.queue[0].id)
		o.queue[0] = ownDisconnect{}
		o.queue = o.queue[1:]
	}
}

// all returns a copy of the disconnects, the oldest first.
func (o *ownDisconnects) all() []ownDisconnect {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]ownDisconnect(nil), o.queue...)
}

// disconnectsChunk is the size in bytes from which a message takes no further disconnect.
const disconnectsChunk = 32 << 10

// chunkOf returns a message with the newest disconnects of a list, the newest first, and the rest
// of the list.
func chunkOf(list []ownDisconnect) (m *pubsub.Message, rest []ownDisconnect) {
	var payload []byte
	for len(list) > 0 && len(payload) < disconnectsChunk {
		newest := list[len(list)-1]
		payload = appendDisconnect(payload, newest.id, time.Since(newest.at))
		list = list[:len(list)-1]
	}
	return &pubsub.Message{Topic: reserved.Disconnects, Event: eventRemembered, Payload: payload, Binary: true}, list
}

// appendDisconnect appends a disconnect: its age in milliseconds and the length of the id as
// varints, and the id.
func appendDisconnect(to []byte, id string, ago time.Duration) []byte {
	to = binary.AppendUvarint(to, uint64(ago.Milliseconds()))
	to = binary.AppendUvarint(to, uint64(len(id)))
	return append(to, id...)
}

// readDisconnect reads one disconnect, and returns the rest of the bytes.
func readDisconnect(from []byte) (id string, milliseconds uint64, rest []byte, ok bool) {
	milliseconds, n := binary.Uvarint(from)
	if n <= 0 {
		return "", 0, nil, false
	}
	from = from[n:]
	size, n := binary.Uvarint(from)
	if n <= 0 || size > uint64(len(from)-n) {
		return "", 0, nil, false
	}
	from = from[n:]
	return string(from[:size]), milliseconds, from[size:], true
}

// recall applies the disconnects that another node remembers, and reports whether the list is
// valid. The ages in the list do not include the time that the message took, so a disconnect seems
// to be later than it was. A connection that was opened in that time is closed too, and its client
// connects again.
func (d *disconnects) recall(list []byte) (sound bool) {
	for len(list) > 0 {
		id, milliseconds, rest, ok := readDisconnect(list)
		if !ok {
			return false
		}
		list = rest
		d.mu.Lock()
		var closing []*Socket
		// One that is older than this endpoint concerns no connection here.
		if now := d.clockLocked(); milliseconds <= now/uint64(time.Millisecond) {
			number := now - milliseconds*uint64(time.Millisecond)
			// Nodes send all that they remember each time. A disconnect that is known already, or
			// is older than the known one of its id, closes nothing and would only push others out
			// of the queue. One that seems a little later, because this message took longer, is
			// applied again.
			if d.latest[id] < number {
				d.now = max(d.now, number)
				closing = d.noteLocked(id, number)
			}
		}
		d.mu.Unlock()
		throwOut(closing)
	}
	return true
}
