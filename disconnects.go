package bennu

import (
	"context"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/reserved"
	"github.com/bennu-go/bennu/pubsub"
)

// disconnects closes the connections of an id. A connection gets a number when its Connect begins,
// and each disconnect gets one too. A connection is closed if it began before a disconnect of its
// id, whether it is open at that moment or still being accepted. The numbers are nanoseconds since
// the start of the node, made unique for disconnects.
//
// The disconnects of all nodes arrive on one reserved topic, so a connection needs no subscription
// to its id.
type disconnects struct {
	own    ownDisconnects
	teller disconnectTeller

	mu     sync.Mutex           // guards the fields below, and Socket.sameID
	sub    *pubsub.Subscription // nil until a handler with ids is mounted or an id is disconnected
	over   bool                 // the subscription has ended
	start  time.Time
	now    uint64             // the latest number
	open   map[string]*Socket // the first open connection of each id; others follow by Socket.sameID
	latest map[string]uint64  // the number of the latest disconnect of each id
	queue  []disconnectedID   // the disconnects that are remembered, the oldest first
	bytes  int                // of the ids in queue
	// forgotten is the number of the latest disconnect that was removed from queue. Its id is not
	// known any more, so every connection that began before it is closed.
	forgotten uint64
}

// disconnectedID is a disconnect that is remembered.
type disconnectedID struct {
	id     string
	number uint64
}

// sameID links the connections of one id.
type sameID struct{ next, prev *Socket }

// Bounds of the disconnects that are remembered. If any disconnect is forgotten while a Connect
// runs, its connection is closed, since that disconnect may have been of its id.
const (
	maxDisconnects     = 1 << 14
	maxDisconnectBytes = 1 << 20
)

// listen subscribes to the disconnects of all nodes. Only the first call does anything.
func (d *disconnects) listen(n *node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sub == nil && !d.over {
		d.start = n.start
		d.open, d.latest = make(map[string]*Socket), make(map[string]uint64)
		d.sub = n.pubsub.Subscribe(reserved.Disconnects, (*disconnectListener)(n))
	}
}

// stop ends the subscription. It is called when no connection is left.
func (d *disconnects) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	if d.sub != nil {
		d.sub.Cancel()
	}
}

// clockLocked returns the time as a number of a disconnect.
func (d *disconnects) clockLocked() uint64 { return uint64(time.Since(d.start)) }

// await waits until disconnects of other nodes arrive here, which takes a moment after the start of
// the node. It reports false when that takes longer than limit, or ctx ends.
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

// begin returns the number for a connection whose Connect begins.
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

// sinceLocked is since for a caller that holds d.mu.
func (d *disconnects) sinceLocked(s *Socket) bool {
	return d.latest[s.id] > s.began || d.forgotten > s.began
}

// add adds an open connection, and reports whether its id was disconnected since its Connect began.
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

// remove removes a connection that add has added.
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

// disconnect closes the open connections of an id; those that are being accepted are refused by
// since.
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

// noteLocked remembers a disconnect, forgets the oldest ones beyond the bounds, and returns the
// open connections of the id that began before it.
func (d *disconnects) noteLocked(id string, number uint64) (list []*Socket) {
	d.latest[id] = number // callers pass a number later than the one in the map
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

// disconnectListener is the subscription of a node to the disconnects of all nodes.
type disconnectListener node

// Deliver implements pubsub.Subscriber. It runs in the goroutine of the publisher or of the
// adapter.
func (l *disconnectListener) Deliver(d *pubsub.Dispatch) {
	n := (*node)(l)
	switch {
	case !d.Binary:
	case d.Event == reserved.EventDisconnect:
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
