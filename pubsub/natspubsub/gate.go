package natspubsub

import (
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// gate stops reading from NATS while too many messages wait for the node. Without it the client library
// would drop messages. If the node does not read for long, NATS first slows down publishers and then
// closes the connection, and the node reports a gap.
type gate struct {
	waiting chan *nats.Msg // read from the connection, and not taken by read

	mu     sync.Mutex
	change sync.Cond
	bytes  int // estimate of the bytes in waiting
	closed bool
}

const (
	// gateMessages and gateBytes are the bounds at which the gate closes.
	gateMessages = 8192
	gateBytes    = 16 << 20
	// readMessages is more than the number of messages in one read of the library: 32 KiB of
	// messages of more than 32 bytes each.
	readMessages = 1024
	// frameBytes is about the number of bytes that NATS adds to a message.
	frameBytes = 32
)

// newGate makes a gate for a channel that the library fills.
func newGate(waiting chan *nats.Msg) *gate {
	g := &gate{waiting: waiting}
	g.change.L = &g.mu
	return g
}

// pass waits until there is room. A message larger than gateBytes passes when none waits.
func (g *gate) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.closed && (len(g.waiting) > gateMessages || len(g.waiting) > 0 && g.bytes > gateBytes) {
		g.change.Wait()
	}
}

// read counts bytes that were read.
func (g *gate) read(n int) {
	g.mu.Lock()
	g.bytes += n
	g.mu.Unlock()
}

// taken counts a message that the node has taken. The overhead of the protocol is not known
// exactly, so the count is reset when no message waits.
func (g *gate) taken(m *nats.Msg) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bytes = max(0, g.bytes-len(m.Data)-len(m.Subject)-frameBytes)
	if len(g.waiting) == 0 {
		g.bytes = 0
	}
	g.change.Broadcast()
}

// close opens the gate for good: pass no longer waits. It is called when the node reads no more.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.change.Broadcast()
}

// gated is a connection behind a gate.
type gated struct {
	net.Conn
	gate *gate
}

// Read implements net.Conn.
func (c gated) Read(b []byte) (int, error) {
	c.gate.pass()
	n, err := c.Conn.Read(b)
	c.gate.read(n)
	return n, err
}

// dialer makes gated connections.
type dialer struct {
	gate *gate
	net.Dialer
}

// dialer returns a dialer for gated connections, with a timeout for each attempt.
func (l *link) dialer(timeout time.Duration) *dialer {
	return &dialer{l.gate, net.Dialer{Timeout: timeout}}
}

// Dial implements nats.CustomDialer. The library calls it for each attempt to connect. The connections
// that a link makes, one after the other, share its gate.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	c, err := d.Dialer.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return gated{c, d.gate}, nil
}
