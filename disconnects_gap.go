package bennu

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/reserved"
	"github.com/bennu-go/bennu/pubsub"
)

// Disconnects of other nodes may be lost with a broker. A node that may have missed some asks the
// others for those that were theirs, and closes the connections that began before them. It tells
// its own as well: the others may have missed them for the same cause.

// The events of that, on the topic of disconnects. Both have a binary payload.
const (
	eventMissed     = "missed"     // asks; the payload is the name of the node
	eventRemembered = "remembered" // answers; the payload is that of appendDisconnect, repeated
)

// Gap implements pubsub.GapSubscriber.
func (l *disconnectListener) Gap(string) {
	n := (*node)(l)
	n.disconnects.teller.want(n, recipient{question: true})
	n.disconnects.teller.want(n, recipient{})
}

// ownDisconnects are the latest disconnects of all nodes that this endpoint has asked for, up to
// maxDisconnects and maxDisconnectBytes.
type ownDisconnects struct {
	mu    sync.Mutex
	queue []ownDisconnect // the oldest first
	bytes int             // of the ids
}

type ownDisconnect struct {
	id string
	at time.Time
}

// add remembers a disconnect.
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

// all are those that are remembered, the oldest first.
func (o *ownDisconnects) all() []ownDisconnect {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]ownDisconnect(nil), o.queue...)
}

// disconnectsChunk is about how many bytes of disconnects one message has.
const disconnectsChunk = 32 << 10

// chunkOf is a message with the newest of a list, the newest first, and the rest of the list.
func chunkOf(list []ownDisconnect) (m *pubsub.Message, rest []ownDisconnect) {
	var payload []byte
	for len(list) > 0 && len(payload) < disconnectsChunk {
		newest := list[len(list)-1]
		payload = appendDisconnect(payload, newest.id, time.Since(newest.at))
		list = list[:len(list)-1]
	}
	return &pubsub.Message{Topic: reserved.Disconnects, Event: eventRemembered, Payload: payload, Binary: true}, list
}

// appendDisconnect appends a disconnect of so long ago: milliseconds and length as varints, and
// the id.
func appendDisconnect(to []byte, id string, ago time.Duration) []byte {
	to = binary.AppendUvarint(to, uint64(ago.Milliseconds()))
	to = binary.AppendUvarint(to, uint64(len(id)))
	return append(to, id...)
}

// readDisconnect is what appendDisconnect appended, and the rest.
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

// recall takes the disconnects that another node remembers, and reports whether they could be
// read. The ages in the list do not include the time that the message was on its way, so a
// disconnect seems to be later than it was. A connection that was opened in that time is closed
// too, and its client connects again.
func (d *disconnects) recall(list []byte) (sound bool) {
	for len(list) > 0 {
		id, milliseconds, rest, ok := readDisconnect(list)
		if !ok {
			return false
		}
		list = rest
		d.mu.Lock()
		var closing []*Socket
		// An older one than this endpoint is meant for nobody here.
		if now := d.clockLocked(); milliseconds <= now/uint64(time.Millisecond) {
			number := now - milliseconds*uint64(time.Millisecond)
			// One that is known, or older than one that is, closes nothing more. It would only
			// take the place of others: nodes tell all that they remember each time. One that
			// is a little later than before, for it took longer on its way, is taken again.
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
