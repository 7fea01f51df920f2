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

// observe tells the connection of a callback's error, if it wants to know.
func (s *Socket) observe(topic string, err error) {
	if o, ok := s.conn.(ability.Observer); ok {
		o.CallbackFailed(topic, err)
	}
}
