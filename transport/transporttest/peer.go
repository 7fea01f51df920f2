package transporttest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/ability"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// peer is the server's end of a connection. It stands between the transport and the socket, and
// checks the laws of both.
type peer struct {
	s     *suite
	inner seam.Receiver
	busy  atomic.Bool   // a method of the receiver runs
	done  chan struct{} // closed by Closed

	mu       sync.Mutex
	conn     seam.Conn
	messages []message
	reason   error
	ends     int
	faults   []string
}

type message struct {
	op   wire.Opcode
	data []byte // as it came, not copied
}

func newPeer(s *suite, inner seam.Receiver) *peer {
	p := &peer{s: s, inner: inner, done: make(chan struct{})}
	s.mu.Lock()
	s.all = append(s.all, p)
	s.mu.Unlock()
	return p
}

// enter begins a call of a method of the receiver; only one may run at a time.
func (p *peer) enter(method string) (leave func()) {
	if p.busy.Swap(true) {
		p.fault("%s was called while another method ran: the receiver's methods are called one at a time", method)
	}
	p.mu.Lock()
	if p.conn == nil && method != "Opened" {
		p.faultLocked("%s was called before Opened", method)
	}
	if p.ends > 0 {
		p.faultLocked("%s was called after Closed: that is the last, and comes once", method)
	}
	p.mu.Unlock()
	return func() { p.busy.Store(false) }
}

func (p *peer) fault(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faultLocked(format, args...)
}

func (p *peer) faultLocked(format string, args ...any) {
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

// report fails the check for each fault. It is called after Shutdown.
func (p *peer) report() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn != nil && p.ends == 0 {
		p.faultLocked("Closed was never called: the receiver of every connection is told of its end")
	}
	for _, fault := range p.faults {
		p.s.Errorf("%s", fault)
	}
}

// Opened implements seam.Receiver.
func (p *peer) Opened(c seam.Conn) {
	defer func() { p.s.peers <- p }() // after all hooks, also when they panic
	defer p.enter("Opened")()
	p.mu.Lock()
	if p.conn != nil {
		p.faultLocked("Opened was called twice")
	}
	p.conn = c
	p.mu.Unlock()
	p.inner.Opened(c)
	if p.s.hooks.opened != nil {
		p.s.hooks.opened(p)
	}
}

// Receive implements seam.Receiver.
func (p *peer) Receive(op wire.Opcode, data []byte) (resume <-chan struct{}) {
	defer p.enter("Receive")()
	p.mu.Lock()
	p.messages = append(p.messages, message{op, data})
	p.mu.Unlock()
	if p.s.hooks.channels {
		return p.inner.Receive(op, data)
	}
	if p.s.hooks.receive != nil {
		return p.s.hooks.receive(p, op, data)
	}
	return nil
}

// Closed implements seam.Receiver.
func (p *peer) Closed(reason error) {
	defer p.enter("Closed")()
	p.mu.Lock()
	p.ends++
	first := p.ends == 1
	p.reason = reason
	p.mu.Unlock()
	p.inner.Closed(reason)
	if first {
		defer close(p.done)
	}
	if p.s.hooks.closed != nil {
		p.s.hooks.closed(p, reason)
	}
}

// AllHandled implements ability.Completer.
func (p *peer) AllHandled() <-chan struct{} {
	if inner, ok := p.inner.(ability.Completer); ok && p.s.hooks.channels {
		return inner.AllHandled()
	}
	return nil
}

// About implements ability.Describer.
func (p *peer) About(attrs ...slog.Attr) []slog.Attr {
	if inner, ok := p.inner.(ability.Describer); ok {
		return inner.About(attrs...)
	}
	return attrs
}

// send sends a frame to the client, and reports whether it was taken.
func (p *peer) send(op wire.Opcode, data []byte) bool {
	p.mu.Lock()
	conn := p.conn
	p.mu.Unlock()
	return conn.Send(transport.NewFrame(op, data))
}

// sendAll sends texts.
func (p *peer) sendAll(texts ...string) {
	p.s.Helper()
	for _, t := range texts {
		if !p.send(wire.Text, []byte(t)) {
			p.s.Fatalf("the connection does not take a message for its client")
		}
	}
}

func (p *peer) close(code transport.CloseCode) {
	p.mu.Lock()
	conn := p.conn
	p.mu.Unlock()
	conn.Close(code)
}

// received waits until at least n messages were received, and returns all.
func (p *peer) received(n int) []message {
	p.s.Helper()
	p.s.until(fmt.Sprintf("%d messages of a client are received", n), func() bool { return p.count() >= n })
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.messages
}

func (p *peer) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.messages)
}

// want waits until exactly these texts were received.
func (p *peer) want(texts ...string) {
	p.s.Helper()
	got := p.received(len(texts))
	for i, m := range got {
		if i >= len(texts) {
			p.s.Fatalf("received %d messages, want %d: the first more is %s", len(got), len(texts), shown(m.op, m.data))
		}
		if m.op != wire.Text || string(m.data) != texts[i] {
			p.s.Fatalf("message %d was received as %s, want %.100s", i, shown(m.op, m.data), texts[i])
		}
	}
}

// isOpen reports whether the receiver was not told of an end.
func (p *peer) isOpen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ends == 0
}

// end waits for the end, and returns its reason.
func (p *peer) end() error {
	p.s.Helper()
	select {
	case <-p.done:
	case <-time.After(p.s.patience()):
		p.s.Fatalf("the receiver is never told of the end")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reason
}

// endsWith waits for the end, and checks that its reason is one of these.
func (p *peer) endsWith(reasons ...error) {
	p.s.Helper()
	got := p.end()
	for _, want := range reasons {
		if errors.Is(got, want) || fmt.Sprint(got) == fmt.Sprint(want) {
			return
		}
	}
	p.s.Errorf("the reason of the end is %q, want %q", got, reasons)
}

// alive checks that messages go both ways.
func (s *suite) alive(c *client, p *peer) {
	s.Helper()
	n := p.count()
	c.send(text("ping"))
	p.received(n + 1)
	p.sendAll(text("pong"))
	c.want(text("pong"))
}

// room is the channel of checks that need one.
type room struct {
	*bennu.Channel
	slow chan struct{}
}

func (s *suite) room() bennu.ChannelHandler {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*room, bennu.Empty, error) {
		return &room{ch, s.hooks.slow}, bennu.Empty{}, nil
	})
	bennu.On(d, "slow", func(r *room, ctx context.Context, _ bennu.Empty) (bennu.Empty, error) {
		select {
		case <-r.slow:
		case <-ctx.Done():
		}
		return bennu.Empty{}, nil
	})
	return d
}
