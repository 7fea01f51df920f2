package bennu

import (
	"sync"
	"sync/atomic"

	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/rate"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// Socket is the connection of one client. All its methods may be called from any goroutine, except
// Assign, which may be called only in Connect.
type Socket struct {
	// The first fields are read for each broadcast. They stand together so that this takes one cache
	// line.
	node       *node
	serializer wire.Serializer
	via        *via
	conn       seam.Conn
	handler    *mountedHandler
	id         string
	assigns    map[string]any
	began      uint64      // number from disconnects.begin; 0 without an id
	sameID     sameID      // links the sockets of one id; guarded by disconnects.mu
	address    string      // of the client, for PerAddress and the log
	counted    bool        // is in the count of NodeLimits.PerAddress
	joinRate   rate.Bucket // of Limits.JoinRate; used by the goroutine that has the turn
	throttle   *throttle   // of Limits.MessageRate, used only by Receive; nil without a limit
	index      int         // in node.sockets; guarded by its lock

	// active counts the calls of Receive, the executors, joins and renewals that run, and a drain
	// that begins. When it reaches zero while draining, no message is left to be answered.
	active   atomic.Int64
	draining atomic.Bool
	late     late // callbacks that run on after their channel has ended
	// history is nil until a channel of a topic that has a history is behind, or has ended.
	history atomic.Pointer[replays]

	// mu guards the fields below, and conn while Opened sets it. It is taken before Channel.mu; no
	// user code is called while it is held.
	mu       sync.Mutex
	closed   bool       // the connection has ended; set once
	reason   error      // the first reason to close the connection, or nil
	channels []*Channel // the topic table, sorted by topic
	turn     *turn      // nil while no join runs
	expiry   *expiry    // nil if the client's authentication never expires
}

// ID returns the result of SocketHandler.ID, or "".
func (s *Socket) ID() string { return s.id }

// Transport returns the name of the transport, as in ConnectInfo.
func (s *Socket) Transport() string {
	if s.via == nil {
		return ""
	}
	return s.via.name
}

// Endpoint returns the endpoint of the connection.
func (s *Socket) Endpoint() *Endpoint {
	if s.handler == nil {
		return nil // a test has made the Socket
	}
	return s.handler.endpoint
}

// Assign keeps a value for the channels of this connection. It may be called only in Connect and
// panics afterwards, so Assigned needs no lock.
func (s *Socket) Assign(key string, value any) {
	if s.conn != nil {
		panic("bennu: Socket.Assign is called after Connect; keep what changes in the channel's own state")
	}
	if s.assigns == nil {
		s.assigns = make(map[string]any)
	}
	s.assigns[key] = value
}

// Assigned returns the value that Assign kept under key, or nil.
func (s *Socket) Assigned(key string) any { return s.assigns[key] }

// Disconnect closes the connection with code 1001; stock clients connect again.
func (s *Socket) Disconnect() { s.close(transport.CloseGoingAway, ErrDisconnected) }

// close closes the connection with a code. Only the first reason counts; it becomes that of all
// channels.
func (s *Socket) close(code transport.CloseCode, reason error) {
	s.mu.Lock()
	if s.reason == nil {
		s.reason = reason
	}
	conn := s.conn
	s.mu.Unlock()
	if conn != nil { // nil in Connect: then Opened finds the reason and closes
		conn.Close(code)
	}
}

// retain counts a goroutine that may still send an answer. Each call needs one of release.
func (s *Socket) retain() { s.active.Add(1) }

// release undoes retain. If the socket is draining and nothing is left to be answered, it closes
// the connection.
func (s *Socket) release() {
	if s.active.Add(-1) == 0 && s.draining.Load() {
		s.close(transport.CloseRestart, ErrDraining)
	}
}

// drain drops further frames of the client, lets those that were received be answered, and then
// closes the connection with 1012.
func (s *Socket) drain() {
	s.retain()
	s.draining.Store(true)
	s.release()
}

// observe reports a callback's error to a connection that asks for it, such as that of a test.
func (s *Socket) observe(topic string, err error) {
	if o, ok := s.conn.(ability.Observer); ok {
		o.CallbackFailed(topic, err)
	}
}
