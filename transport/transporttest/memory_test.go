package transporttest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/transporttest"
	"github.com/bennu-go/bennu/wire"
)

// memory is a transport within the process. It does one thing wrong if it is told to.
type memory struct {
	wrong string
	opts  transport.LinkOptions
	dials chan *memoryClient
	mute  chan net.Conn // clients that make no handshake
	deaf  chan struct{} // closed when nobody listens any more
	free  chan struct{} // closed when the test ends, for links that are stuck
	mu    sync.Mutex
}

// memoryHarness is a Harness for a memory that does one thing wrong, or nothing.
func memoryHarness(wrong string) func(testing.TB) *transporttest.Harness {
	return func(t testing.TB) *transporttest.Harness {
		m := &memory{wrong: wrong, dials: make(chan *memoryClient), mute: make(chan net.Conn), deaf: make(chan struct{}), free: make(chan struct{})}
		t.Cleanup(func() { close(m.free) })
		return &transporttest.Harness{
			New: func(o *transport.LinkOptions) transport.Transport {
				m.opts = *o
				return m
			},
			Dial:   m.dial,
			Silent: m.silent,
			Binary: true, CloseCodes: true, Orderly: true, Stalls: true,
		}
	}
}

func (m *memory) is(wrong string) bool { return m.wrong == wrong }

func (m *memory) Name() string { return "memory" }

func (m *memory) Mount(mount transport.Mount) error {
	mount.Go(func(ctx context.Context) {
		var conns sync.WaitGroup
		if !m.is("waits for no connection") {
			defer conns.Wait()
		}
		defer close(m.deaf)
		over := ctx.Done()
		if m.is("goes on to listen") {
			over = m.free
		}
		for {
			select {
			case nc := <-m.mute:
				conns.Go(func() { m.greet(ctx, nc) })
			case c := <-m.dials:
				conns.Go(func() { m.serve(mount, c) })
				if m.is("leaves a goroutine behind") {
					go func() { <-m.free }()
				}
			case <-over:
				return
			}
		}
	})
	return nil
}

// greet reads a handshake that never comes to an end.
func (m *memory) greet(ctx context.Context, nc net.Conn) {
	defer func() { _ = nc.Close() }()
	if !m.is("ends no handshake at shutdown") {
		defer context.AfterFunc(ctx, func() { _ = nc.Close() })()
	}
	if !m.is("waits for a handshake without end") {
		_ = nc.SetReadDeadline(time.Now().Add(10 * time.Second))
	}
	most := int64(16 << 10)
	if m.is("reads a handshake without end") {
		most = 1 << 40
	}
	_, _ = io.CopyN(io.Discard, nc, most)
}

// silent connects a client that makes no handshake.
func (m *memory) silent(testing.TB) (net.Conn, error) {
	client, server := net.Pipe()
	m.mute <- server
	return client, nil
}

func (m *memory) serve(mount transport.Mount, c *memoryClient) {
	r := &http.Request{URL: &url.URL{RawQuery: c.to.RawQuery}, Header: c.to.Header, RemoteAddr: "192.0.2.1:4000"}
	if m.is("loses the parameters") {
		r.URL.RawQuery = "vsn=2.0.0"
	}
	if m.is("loses the token") {
		r.Header = nil
	}
	var over <-chan time.Time // the deadline of the handshake
	if m.is("leaves the deadline of the handshake") {
		over = time.After(10 * time.Second)
	}
	s, err := mount.Accept(r)
	if err != nil {
		w := httptest.NewRecorder()
		switch {
		case m.is("lets everyone in"):
			c.answer <- nil
			return
		case m.is("has one status for all refusals"):
			w.Code = http.StatusForbidden
		default:
			mount.Refuse(w, r, err)
		}
		c.answer <- &transporttest.Refused{Status: w.Code, Header: w.Header()}
		return
	}
	if !m.is("echoes no subprotocol") {
		c.subprotocol = s.Subprotocol()
	}
	if m.is("loses a message that comes with the handshake") {
		c.up.change(func() { c.up.list = nil })
	}
	c.answer <- nil
	if m.is("does not serve whom it accepted") {
		return
	}
	_ = s.Serve(&memoryLink{memory: m, up: c.up, down: c.down, over: over}, &m.opts)
}

// memoryLink is the server's end of a connection.
type memoryLink struct {
	*memory
	up, down *pipe
	buffer   []byte
	before   *packet           // kept back by one that changes the order
	held     []transport.Frame // kept back by one that loses the last
	kept     []transport.Frame // written
	over     <-chan time.Time  // ends Read
	deadline time.Time         // of the last Write
}

func (l *memoryLink) Read() (wire.Opcode, []byte, error) {
	over := l.over
	if l.is("makes up signs of life") {
		over = time.After(l.opts.IdleTimeout / 2)
	}
	x, err := l.up.get(over)
	switch {
	case errors.Is(err, errLate) && l.is("makes up signs of life"):
		return wire.Text, []byte("[]"), nil
	case errors.Is(err, errBroken) && l.is("does not wake Read"):
		<-l.free
	case errors.Is(err, io.EOF) && l.is("takes a close for a loss"):
		return 0, nil, io.ErrUnexpectedEOF
	case errors.Is(err, io.ErrUnexpectedEOF) && l.is("takes a loss for a close"):
		return 0, nil, io.EOF
	case err == nil && x.part && l.is("receives a part of a message"):
		return x.op, x.data, nil
	case err == nil && x.part:
		return 0, nil, io.ErrUnexpectedEOF
	case err == nil:
		return l.take(x)
	}
	return 0, nil, err
}

func (l *memoryLink) take(x packet) (wire.Opcode, []byte, error) {
	if most := l.opts.MaxMessage; most > 0 && len(x.data) > most && !l.is("reads all of a long message") {
		if !l.is("cuts off the end of a long message") {
			return 0, nil, &transport.ClosedError{Code: transport.CloseTooBig}
		}
		x.data = x.data[:most]
	}
	switch {
	case l.is("takes all for text"):
		x.op = wire.Text
	case l.is("drops empty messages") && len(x.data) == 0:
		return l.Read()
	case l.is("uses the memory of a message again"):
		l.buffer = append(l.buffer[:0], x.data...)
		x.data = l.buffer
	case l.is("changes the order of messages"):
		if y := l.before; y != nil {
			l.before = nil
			return y.op, y.data, nil
		}
		if y, err := l.up.get(time.After(time.Millisecond)); err == nil {
			l.before = &x
			x = y
		}
	}
	return x.op, x.data, nil
}

func (l *memoryLink) Write(frames []transport.Frame, deadline time.Time) error {
	switch {
	case l.is("writes one frame of many"):
		frames = frames[:1]
	case l.is("writes frames in any order"):
		frames = slices.Clone(frames)
		slices.Reverse(frames)
	case l.is("writes frames twice"):
		frames = append(slices.Clone(frames), frames...)
	case l.is("waits for more to write"):
		time.Sleep(100 * time.Millisecond)
	case l.is("keeps the last frame back"):
		frames = append(l.held, frames...)
		l.held = slices.Clone(frames[len(frames)-1:])
		frames = frames[:len(frames)-1]
	case l.is("buffers without a bound"):
		l.down.change(func() { l.down.most = 1 << 40 })
	case l.is("ignores the deadline"), l.is("never returns from Write"):
		deadline = time.Time{}
	}
	l.deadline = deadline
	for _, f := range frames {
		l.kept = append(l.kept, f)
		err := l.down.put(packet{op: f.Opcode(), data: f.Payload()}, deadline)
		if err != nil {
			if l.is("never returns from Write") {
				<-l.free
			}
			return err
		}
	}
	return nil
}

func (l *memoryLink) Close(code transport.CloseCode) error {
	if code == 0 {
		if l.is("changes the bytes of frames") {
			l.spoil()
		}
		l.up.destroy()
		l.down.cut()
		return nil
	}
	if l.is("closes by the deadline of the last Write") && !time.Now().Before(l.deadline) {
		return errLate
	}
	if !l.is("tells no code") {
		if err := l.down.put(packet{code: code}, time.Time{}); err != nil {
			return err
		}
	}
	l.down.end(io.EOF)
	return nil
}

// spoil changes frames when all have got them: the race detector would find it before.
func (l *memoryLink) spoil() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.kept {
		f.Payload()[0]++
	}
}

// memoryClient is the client's end of a connection.
type memoryClient struct {
	to          transporttest.Target
	up, down    *pipe
	answer      chan error
	subprotocol string

	mu   sync.Mutex
	code transport.CloseCode
}

func (m *memory) dial(_ testing.TB, to transporttest.Target) (transporttest.Client, error) {
	c := &memoryClient{to: to, up: newPipe(1 << 20), down: newPipe(64 << 10), answer: make(chan error, 1)}
	if to.First != nil {
		_ = c.Send(wire.Text, to.First)
	}
	select {
	case m.dials <- c:
	case <-m.deaf:
		return nil, errors.New("nobody listens")
	}
	if err := <-c.answer; err != nil {
		return nil, err
	}
	return c, nil
}

func (c *memoryClient) Send(op wire.Opcode, data []byte) error {
	return c.up.put(packet{op: op, data: data}, time.Time{})
}

func (c *memoryClient) CutWithin(op wire.Opcode, data []byte) error {
	err := c.up.put(packet{op: op, data: data[:len(data)/2], part: true}, time.Time{})
	c.Cut()
	return err
}

func (c *memoryClient) Receive(ctx context.Context) (wire.Opcode, []byte, error) {
	over := make(chan time.Time)
	defer context.AfterFunc(ctx, func() { close(over) })()
	x, err := c.down.get(over)
	if err == nil && x.code != 0 {
		c.mu.Lock()
		c.code = x.code
		c.mu.Unlock()
		c.Close()
		return 0, nil, io.EOF
	}
	return x.op, x.data, err
}

func (c *memoryClient) Close()            { c.up.end(io.EOF) }
func (c *memoryClient) CloseWrite() error { c.up.end(io.EOF); return nil }

func (c *memoryClient) Cut() {
	c.up.cut()
	c.down.destroy()
}

func (c *memoryClient) Stall(on bool) { c.down.change(func() { c.down.stalled = on }) }

func (c *memoryClient) Code() (transport.CloseCode, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code, c.code != 0
}

func (c *memoryClient) Subprotocol() string { return c.subprotocol }
