package bennu

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/rate"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Socket is one client's connection. All its methods may be called from any
// goroutine, but Assign, which belongs into Connect.
type Socket struct {
	node       *node
	handler    *mountedHandler
	serializer wire.Serializer
	via        *via
	id         string
	assigns    map[string]any
	conn       seam.Conn
	began      uint64      // of disconnects; with an id only, as is sameID
	sameID     sameID      // guarded by disconnects
	address    string      // as NodeLimits.ClientAddress has it, or the other end of the connection
	counted    bool        // for NodeLimits.PerAddress
	joinRate   rate.Bucket // used by whoever has the turn
	throttle   *throttle   // used by Receive alone; nil without a message rate
	index      int         // in the endpoint's list of sockets; guarded by that list

	// active counts executors, joins and a drain in progress: when it reaches
	// zero while draining, nothing is left to be answered.
	active   atomic.Int64
	draining atomic.Bool
	late     late

	mu       sync.Mutex
	closed   bool
	reason   error      // why the server closed the connection, if it did
	channels []*Channel // the topic table, sorted by topic
	turn     *turn      // nil while no join runs
	expiry   *expiry    // nil while the client's authentication lasts for ever
}

// ID is what SocketHandler.ID returned, or "".
func (s *Socket) ID() string { return s.id }

// Transport is the name of the transport, as in ConnectInfo.
func (s *Socket) Transport() string {
	if s.via == nil {
		return ""
	}
	return s.via.name
}

// Endpoint is where the connection was made.
func (s *Socket) Endpoint() *Endpoint {
	if s.handler == nil {
		return nil // a test has made the Socket
	}
	return s.handler.endpoint
}

// Assign keeps a value for the channels of this connection. It may be called only in
// Connect, which is why Assigned needs no lock.
func (s *Socket) Assign(key string, value any) {
	if s.conn != nil {
		panic("bennu: Socket.Assign is called after Connect; keep what changes in the channel's own state")
	}
	if s.assigns == nil {
		s.assigns = make(map[string]any)
	}
	s.assigns[key] = value
}

// Assigned is the value kept under key, or nil.
func (s *Socket) Assigned(key string) any { return s.assigns[key] }

// Disconnect closes the connection with code 1001; stock clients connect again.
func (s *Socket) Disconnect() { s.close(transport.CloseGoingAway, ErrDisconnected) }

// close ends the connection from the server's side.
func (s *Socket) close(code transport.CloseCode, reason error) {
	s.mu.Lock()
	if s.reason == nil {
		s.reason = reason
	}
	conn := s.conn
	s.mu.Unlock()
	if conn != nil { // in Connect there is none yet; Opened looks at the reason
		conn.Close(code)
	}
}

// receiver is a Socket as its connection sees it, so that these methods are not
// in the public type.
type receiver Socket

// Opened implements seam.Receiver.
func (r *receiver) Opened(conn seam.Conn) {
	s := (*Socket)(r)
	s.mu.Lock()
	s.conn = conn
	early := s.reason
	s.mu.Unlock()
	s.node.boundOutbound(conn)
	if early != nil {
		conn.Close(transport.CloseGoingAway)
	}
	if s.id != "" && s.node.disconnects.add(s) {
		s.at("", "").say(notice.Disconnected)
		s.Disconnect()
	}
	// Accept has looked at these bounds, and others have come since.
	limits := &s.node.admission.limits
	switch n, open := s.node.sockets.add(s); {
	case !open:
		s.at("", "").say(notice.Draining)
		s.close(transport.CloseRestart, ErrDraining)
	case n > limits.Connections:
		s.at("", "").say(notice.Connections, slog.Int("limit", limits.Connections))
		s.close(transport.CloseTryAgainLater, transport.ErrBusy)
	}
	if limits.PerAddress >= 0 {
		if s.counted = s.node.admission.addresses.Add(s.address, limits.PerAddress); !s.counted {
			s.at("", "").say(notice.PerAddress, slog.Int("limit", limits.PerAddress))
			s.close(transport.CloseTryAgainLater, transport.ErrBusy)
		}
	}
	s.startExpiry()
}

// Receive implements seam.Receiver.
func (r *receiver) Receive(op wire.Opcode, data []byte) (resume <-chan struct{}) {
	s := (*Socket)(r)
	s.retain() // a drain that begins now waits for what this message starts
	defer s.release()
	if s.draining.Load() {
		return nil
	}
	slow, ok := s.slowDown()
	if !ok {
		return nil
	}
	if resume = s.handleInTurn(op, data); resume == nil {
		return slow
	}
	return resume
}

// AllHandled implements ability.Completer.
func (r *receiver) AllHandled() <-chan struct{} {
	s := (*Socket)(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turn == nil {
		return nil
	}
	if s.turn.over == nil {
		s.turn.over = make(chan struct{})
	}
	return s.turn.over
}

// Closed implements seam.Receiver.
func (r *receiver) Closed(reason error) {
	s := (*Socket)(r)
	s.mu.Lock()
	s.closed = true
	own := s.reason == nil // of the transport, and not of the program
	if !own {
		reason = s.reason
	}
	s.reason = reason
	channels := s.channels
	s.channels = nil
	var call *joinCall
	if s.turn != nil {
		s.turn.inbox.clear()
		call = s.turn.joining
	}
	s.mu.Unlock()

	if own {
		s.sayClosed(reason)
	}
	s.stopExpiry()
	s.uncount()
	if s.id != "" {
		s.node.disconnects.remove(s)
	}
	if call != nil {
		call.onClosed(reason)
	}
	for _, c := range channels {
		c.end(reason, nil)
	}
	s.node.sockets.remove(s)
}

// uncount takes the connection out of NodeLimits.PerAddress, as soon as it keeps no file.
func (s *Socket) uncount() {
	if !s.counted {
		return
	}
	remove := func() { s.node.admission.addresses.Remove(s.address) }
	if l, ok := s.conn.(ability.Lingerer); ok {
		l.AfterGone(remove)
	} else {
		remove()
	}
}

// sayClosed says why the server or its transport closed the connection, unless that was said
// where it was found out. That a client went away is not worth a word.
func (s *Socket) sayClosed(reason error) {
	place := s.at("", "")
	switch {
	case errors.Is(reason, ErrSlowConsumer):
		place.say(notice.SlowConsumer)
	case errors.Is(reason, ErrIdle):
		place.say(notice.Idle)
	}
}

// retain and release bracket whatever may still produce an answer.
func (s *Socket) retain() { s.active.Add(1) }

// release closes a connection that drains when nothing is left to be answered.
func (s *Socket) release() {
	if s.active.Add(-1) == 0 && s.draining.Load() {
		s.close(transport.CloseRestart, ErrDraining)
	}
}

// drain takes no more frames, lets what was received be answered, and closes
// the connection.
func (s *Socket) drain() {
	s.retain()
	s.draining.Store(true)
	s.release()
}

// The topic table.

func (s *Socket) findLocked(topic string) (int, bool) {
	return slices.BinarySearchFunc(s.channels, topic, func(c *Channel, topic string) int {
		return cmp.Compare(c.topic, topic)
	})
}

func (s *Socket) find(topic string) *Channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.findLocked(topic); ok {
		return s.channels[i]
	}
	return nil
}

// insert puts a channel into the table, in place of one on the same topic. An
// error is why the connection is gone.
func (s *Socket) insert(c *Channel) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.reason
	}
	if i, ok := s.findLocked(c.topic); ok {
		s.channels[i] = c
	} else {
		s.channels = slices.Insert(s.channels, i, c)
	}
	return nil
}

// forget takes a channel out of the table, unless another has its place.
func (s *Socket) forget(c *Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.findLocked(c.topic); ok && s.channels[i] == c {
		s.channels = slices.Delete(s.channels, i, i+1)
	}
}

// hasRoom reports whether one more topic may be joined. A channel that has ended
// may still be in the table for a moment, and must not count: its client may have
// seen the end already.
func (s *Socket) hasRoom() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.channels) >= s.handler.limits.Topics {
		s.channels = slices.DeleteFunc(s.channels, (*Channel).isClosed)
	}
	return len(s.channels) < s.handler.limits.Topics
}
