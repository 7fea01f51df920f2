package bennu

import (
	"context"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/reserved"
	"github.com/bennu-go/bennu/pubsub"
)

// EventDisconnect, broadcast on the id of a socket, closes its connections.
const EventDisconnect = reserved.EventDisconnect

// disconnects closes the connections of an id. A connection takes a number when its Connect
// begins, and each disconnect has one too, so that a connection is closed exactly when it began
// before a disconnect of its id: whether it is open by then, or is still being accepted. The
// numbers are nanoseconds since the start, and no two disconnects have the same.
//
// It hears the disconnects of all nodes on a topic of their own. A connection needs no
// subscription to its id.
type disconnects struct {
	own    ownDisconnects
	teller disconnectTeller

	mu     sync.Mutex
	sub    *pubsub.Subscription // nil while no mounted handler has ids, and nothing was disconnected
	over   bool                 // the subscription has ended
	start  time.Time
	now    uint64             // the latest number
	open   map[string]*Socket // the first connection of each id, linked by Socket.sameID
	latest map[string]uint64  // the number of each id's latest disconnect
	queue  []disconnectedID   // those in latest, the oldest first
	bytes  int                // of the ids in queue
	// forgotten is the number of the latest disconnect that is no longer in queue. Nobody knows
	// its id, so connections that began before it are closed.
	forgotten uint64
}

// disconnectedID is a disconnect that is remembered.
type disconnectedID struct {
	id     string
	number uint64
}

// sameID links the connections of one id.
type sameID struct{ next, prev *Socket }

// The disconnects that are remembered, at most. A connection is closed when this many others
// have been remembered since its Connect began, since its own may be forgotten by then.
const (
	maxDisconnects     = 1 << 14
	maxDisconnectBytes = 1 << 20
)

// listen subscribes to the disconnects of all nodes.
func (d *disconnects) listen(n *node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sub == nil && !d.over {
		d.start = n.start
		d.open, d.latest = make(map[string]*Socket), make(map[string]uint64)
		d.sub = n.pubsub.Subscribe(reserved.Disconnects, (*disconnectListener)(n))
	}
}

// stop ends the subscription, when no connection is left.
func (d *disconnects) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	if d.sub != nil {
		d.sub.Cancel()
	}
}

// clockLocked is the time as a number.
func (d *disconnects) clockLocked() uint64 { return uint64(time.Since(d.start)) }

// await waits until no disconnect of another node can be missed: for a moment after the node's
// start. It reports false when that takes longer than the limit.
func (d *disconnects) await(ctx context.Context, limit time.Duration) bool {
	d.mu.Lock()
	sub := d.sub
	d.mu.Unlock()
	ready := sub.Ready()
	if ready == nil {
		return true
	}
	select {
	case <-ready:
		return true
	default:
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ready:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// begin is the number of a connection whose Connect begins.
func (d *disconnects) begin() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = max(d.now, d.clockLocked())
	return d.now
}

// since reports whether the id of a connection was disconnected since its Connect began.
func (d *disconnects) since(s *Socket) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sinceLocked(s)
}

func (d *disconnects) sinceLocked(s *Socket) bool {
	return d.latest[s.id] > s.began || d.forgotten > s.began
}

// add makes an open connection known, and reports whether its id was disconnected since its
// Connect began.
func (d *disconnects) add(s *Socket) (since bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	first := d.open[s.id]
	if s.sameID.next = first; first != nil {
		first.sameID.prev = s
	}
	d.open[s.id] = s
	return d.sinceLocked(s)
}

// remove takes back what add did.
func (d *disconnects) remove(s *Socket) {
	d.mu.Lock()
	defer d.mu.Unlock()
	next, prev := s.sameID.next, s.sameID.prev
	s.sameID = sameID{}
	if next != nil {
		next.sameID.prev = prev
	}
	switch {
	case prev != nil:
		prev.sameID.next = next
	case next != nil:
		d.open[s.id] = next
	default:
		delete(d.open, s.id)
	}
}

// disconnect closes the connections of an id, and those that are being accepted.
func (d *disconnects) disconnect(id string) {
	d.mu.Lock()
	d.now = max(d.now+1, d.clockLocked())
	list := d.noteLocked(id, d.now)
	d.mu.Unlock()
	throwOut(list)
}

// throwOut closes connections whose id was disconnected.
func throwOut(list []*Socket) {
	for _, s := range list {
		s.at("", "").say(notice.ThrownOut, notice.Foreign("id", s.id))
		s.Disconnect()
	}
}

// noteLocked remembers a disconnect, and returns the open connections of the id that began
// before it.
func (d *disconnects) noteLocked(id string, number uint64) (list []*Socket) {
	d.latest[id] = number // callers give one that is later
	d.queue = append(d.queue, disconnectedID{id, number})
	d.bytes += len(id)
	for len(d.queue) > maxDisconnects || d.bytes > maxDisconnectBytes {
		oldest := d.queue[0]
		d.queue[0] = disconnectedID{}
		d.queue = d.queue[1:]
		d.bytes -= len(oldest.id)
		if d.latest[oldest.id] == oldest.number {
			delete(d.latest, oldest.id)
			d.forgotten = max(d.forgotten, oldest.number)
		}
	}
	for s := d.open[id]; s != nil; s = s.sameID.next {
		if s.began < number {
			list = append(list, s)
		}
	}
	return list
}

// disconnectListener is a node as subscriber of disconnects.
type disconnectListener node

// Deliver implements pubsub.Subscriber.
func (l *disconnectListener) Deliver(d *pubsub.Dispatch) {
	n := (*node)(l)
	switch {
	case !d.Binary:
	case d.Event == EventDisconnect:
		n.disconnects.disconnect(string(d.Payload))
	case d.Event == eventMissed && d.Remote:
		if node := string(d.Payload); node != "" && len(node) <= maxAskerName {
			n.disconnects.teller.want(n, recipient{node: node})
		} else {
			n.sayUnsound(d)
		}
	case d.Event == eventRemembered && d.Remote:
		if !n.disconnects.recall(d.Payload) {
			n.sayUnsound(d)
		}
	}
}
