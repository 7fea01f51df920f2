package natspubsub

import (
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// gate stops reading from NATS while too much that was read waits for the node.
// The client library would drop messages instead. When we do not read, NATS first
// slows down who publishes, and after its own patience cuts us off; then we know that
// there is a gap.
type gate struct {
	waiting chan *nats.Msg // what was read and is not taken yet

	mu     sync.Mutex
	change sync.Cond
	bytes  int // read and not taken, a little more
	closed bool
}

const (
	// gateMessages and gateBytes are where the gate closes.
	gateMessages = 8192
	gateBytes    = 16 << 20
	// readMessages is more than one read of the library can hold: 32 KiB of messages
	// whose protocol line, subject and envelope take more than 32 bytes.
	readMessages = 1024
	// frameBytes is what NATS puts around a message, about.
	frameBytes = 32
)

func newGate(waiting chan *nats.Msg) *gate {
	g := &gate{waiting: waiting}
	g.change.L = &g.mu
	return g
}

// pass waits until there is room. One message larger than gateBytes gets through by
// itself.
func (g *gate) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.closed && (len(g.waiting) > gateMessages || len(g.waiting) > 0 && g.bytes > gateBytes) {
		g.change.Wait()
	}
}

func (g *gate) read(n int) {
	g.mu.Lock()
	g.bytes += n
	g.mu.Unlock()
}

// taken counts a message that the node has. What the protocol adds is not known
// exactly, so the count starts anew when nothing waits.
func (g *gate) taken(m *nats.Msg) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.bytes = max(0, g.bytes-len(m.Data)-len(m.Subject)-frameBytes)
	if len(g.waiting) == 0 {
		g.bytes = 0
	}
	g.change.Broadcast()
}

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

func (l *link) dialer(timeout time.Duration) *dialer {
	return &dialer{l.gate, net.Dialer{Timeout: timeout}}
}

// Dial implements nats.CustomDialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	c, err := d.Dialer.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return gated{c, d.gate}, nil
}
