package websocket_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
	"github.com/bennu-go/bennu/wire"
)

const patience = waittest.Patience

// frame is a frame from a client, right or wrong. It is written by this
// file alone, so that no mistake is made twice in the same way.
type frame struct {
	op       byte
	payload  []byte
	more     bool // not final
	rsv      byte
	unmasked bool
	key      [4]byte
	wide     int    // length in so many bytes (2 or 8) where fewer would do
	declare  uint64 // length to declare instead of the payload's
}

func (f frame) bytes() []byte {
	b := []byte{f.op | f.rsv<<4, 0}
	if !f.more {
		b[0] |= 0x80
	}
	n := uint64(len(f.payload))
	if f.declare != 0 {
		n = f.declare
	}
	switch {
	case f.wide == 8 || n > 65535:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, n)
	case f.wide == 2 || n > 125:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(n))
	default:
		b[1] = byte(n)
	}
	if f.unmasked {
		return append(b, f.payload...)
	}
	b[1] |= 0x80
	key := f.key
	if key == [4]byte{} {
		key = [4]byte{0x37, 0xfa, 0x21, 0x3d}
	}
	b = append(b, key[:]...)
	for i, c := range f.payload {
		b = append(b, c^key[i%4])
	}
	return b
}

func join(frames ...frame) []byte {
	var b []byte
	for _, f := range frames {
		b = append(b, f.bytes()...)
	}
	return b
}

func text(s string) frame       { return frame{op: 1, payload: []byte(s)} }
func bin(p []byte) frame        { return frame{op: 2, payload: p} }
func ping(s string) frame       { return frame{op: 9, payload: []byte(s)} }
func pong(s string) frame       { return frame{op: 10, payload: []byte(s)} }
func cont(s string) frame       { return frame{op: 0, payload: []byte(s)} }
func partial(f frame) frame     { f.more = true; return f }
func closing(code uint16) frame { return frame{op: 8, payload: closeBody(code, "")} }
func closeBody(c uint16, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, c), reason...)
}

// client is the raw other end of a connection.
type client struct {
	t  testing.TB
	nc net.Conn
	br *bufio.Reader
}

func newClient(t testing.TB, nc net.Conn) *client {
	t.Cleanup(func() { nc.Close() })
	return &client{t: t, nc: nc, br: bufio.NewReader(nc)}
}

func (c *client) write(b []byte) {
	c.t.Helper()
	c.nc.SetWriteDeadline(time.Now().Add(patience))
	if _, err := c.nc.Write(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// chopped writes b in pieces of n bytes. The server may close before the end.
func (c *client) chopped(b []byte, n int) {
	if n <= 0 {
		n = len(b)
	}
	c.nc.SetWriteDeadline(time.Now().Add(patience))
	for len(b) > 0 {
		k := min(n, len(b))
		if _, err := c.nc.Write(b[:k]); err != nil {
			return
		}
		b = b[k:]
	}
}

func (c *client) send(frames ...frame) {
	c.t.Helper()
	c.write(join(frames...))
}

// next reads one frame and checks its form.
func (c *client) next() (op byte, payload []byte, err error) {
	c.nc.SetReadDeadline(time.Now().Add(patience))
	var h [10]byte
	if _, err := io.ReadFull(c.br, h[:2]); err != nil {
		return 0, nil, err
	}
	if h[0]&0xf0 != 0x80 || h[1]&0x80 != 0 {
		return 0, nil, fmt.Errorf("header % x: not final, reserved bits, or masked", h[:2])
	}
	n := uint64(h[1])
	switch n {
	case 126:
		_, err = io.ReadFull(c.br, h[2:4])
		n = uint64(binary.BigEndian.Uint16(h[2:4]))
	case 127:
		_, err = io.ReadFull(c.br, h[2:10])
		n = binary.BigEndian.Uint64(h[2:10])
	}
	if err != nil {
		return 0, nil, err
	}
	if n > 64<<20 {
		return 0, nil, fmt.Errorf("length %d", n)
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(c.br, payload)
	return h[0] & 15, payload, err
}

// want is a frame that the server shall send.
type want struct {
	op      byte
	payload []byte
}

func (w want) String() string {
	return fmt.Sprintf("opcode %d, % .40x (%d bytes)", w.op, w.payload, len(w.payload))
}

func wantText(s string) want     { return want{1, []byte(s)} }
func wantBin(p []byte) want      { return want{2, p} }
func wantPong(s string) want     { return want{10, []byte(s)} }
func wantClose(code uint16) want { return want{8, closeBody(code, "")} }
func (c *client) expect(ws ...want) {
	c.t.Helper()
	for i, w := range ws {
		op, payload, err := c.next()
		if err != nil {
			c.t.Fatalf("frame %d: %v; want %v", i, err, w)
		}
		if got := (want{op, payload}); op != w.op || !bytes.Equal(payload, w.payload) {
			c.t.Fatalf("frame %d: got %v; want %v", i, got, w)
		}
		if op == 8 {
			c.expectEnd()
		}
	}
}

// expectEnd wants the server's side to end, and not by a reset.
func (c *client) expectEnd() {
	c.t.Helper()
	if op, payload, err := c.next(); err != io.EOF {
		c.t.Fatalf("after close: %v, %v; want EOF", want{op, payload}, err)
	}
}

// receiver is a seam.Receiver made of functions, and checks how it is
// called.
type receiver struct {
	opened  func(seam.Conn)
	receive func(seam.Conn, wire.Opcode, []byte) <-chan struct{}

	mu     sync.Mutex
	conn   seam.Conn
	closed chan error
}

func newReceiver(receive func(seam.Conn, wire.Opcode, []byte) <-chan struct{}) *receiver {
	return &receiver{receive: receive, closed: make(chan error, 1)}
}

func echo(c seam.Conn, op wire.Opcode, data []byte) <-chan struct{} {
	c.Send(seal(op, data))
	return nil
}

func seal(op wire.Opcode, data []byte) transport.Frame {
	return seam.Seal(op, append(make([]byte, seam.Headroom, seam.Headroom+len(data)), data...))
}

// enter checks that calls do not overlap.
func (r *receiver) enter() func() {
	if !r.mu.TryLock() {
		panic("receiver called concurrently")
	}
	return r.mu.Unlock
}

func (r *receiver) Opened(c seam.Conn) {
	defer r.enter()()
	if r.conn != nil {
		panic("opened twice")
	}
	r.conn = c
	if r.opened != nil {
		r.opened(c)
	}
}

func (r *receiver) Receive(op wire.Opcode, data []byte) <-chan struct{} {
	defer r.enter()()
	if r.conn == nil || len(r.closed) > 0 {
		panic("received before opened or after closed")
	}
	if r.receive == nil {
		return nil
	}
	return r.receive(r.conn, op, data)
}

func (r *receiver) Closed(reason error) {
	defer r.enter()()
	select {
	case r.closed <- reason:
	default:
		panic("closed twice")
	}
}

// reason waits for the reason of the end. It can be asked once.
func (r *receiver) reason(t testing.TB) error {
	t.Helper()
	select {
	case err := <-r.closed:
		r.closed <- err
		return err
	case <-time.After(patience):
		t.Fatal("receiver was not told of the end")
		return nil
	}
}

type acceptFunc func(*transport.ConnectInfo) (seam.Receiver, error)

func (f acceptFunc) Accept(i *transport.ConnectInfo) (seam.Receiver, error) { return f(i) }

func acceptEcho(*transport.ConnectInfo) (seam.Receiver, error) { return newReceiver(echo), nil }

// serverMaker makes a server that is closed and awaited at the end of the test.
type serverMaker func(testing.TB) *websocket.Server

// engines runs a test with each engine that connections over TCP may have.
func engines(t *testing.T, test func(*testing.T, serverMaker)) {
	t.Run("epoll", func(t *testing.T) { test(t, newServer) })
	t.Run("parked", func(t *testing.T) { test(t, newParkingServer) })
}

func newServer(t testing.TB) *websocket.Server { return makeServer(t, &websocket.ServerConfig{}) }

func newParkingServer(t testing.TB) *websocket.Server {
	return makeServer(t, &websocket.ServerConfig{NoEpoll: true})
}

func makeServer(t testing.TB, cfg *websocket.ServerConfig) *websocket.Server {
	cfg.Logger = slog.New(slog.DiscardHandler)
	s := websocket.NewServer(cfg)
	t.Cleanup(func() {
		s.Close(transport.CloseRestart)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.Wait(ctx); err != nil {
			t.Errorf("server has goroutines left: %v", err)
		}
		if n := s.Stats().Open; n != 0 {
			t.Errorf("%d connections counted as open at the end", n)
		}
	})
	return s
}

// listen serves s over HTTP and returns the address.
func listen(t testing.TB, s *websocket.Server, a seam.Acceptor, opts *websocket.Options) string {
	t.Helper()
	return listenChecked(t, s, a, nil, opts)
}

func listenChecked(t testing.TB, s *websocket.Server, a seam.Acceptor, checks *transport.Checks, opts *websocket.Options) string {
	t.Helper()
	return listenHost(t, s, &seam.Host{Acceptor: a}, checks, opts)
}

func listenHost(t testing.TB, s *websocket.Server, host *seam.Host, checks *transport.Checks, opts *websocket.Options) string {
	t.Helper()
	h, err := s.HandlerOf(host, checks, opts)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	hs := &http.Server{
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.Serve(w, r, nil) }),
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	done := make(chan struct{})
	go func() { defer close(done); hs.Serve(ln) }()
	t.Cleanup(func() { hs.Close(); <-done })
	return ln.Addr().String()
}

// upgradeLines are the header lines of a proper upgrade.
func upgradeLines(addr string) []string {
	return []string{
		"Host: " + addr,
		"Connection: Upgrade",
		"Upgrade: websocket",
		"Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}
}

// upgrade connects to addr through the whole handshake.
func upgrade(t testing.TB, addr string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, nc)
	c.write([]byte("GET / HTTP/1.1\r\n" + strings.Join(upgradeLines(addr), "\r\n") + "\r\n\r\n"))
	resp, err := http.ReadResponse(c.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %d", resp.StatusCode)
	}
	return c
}

// pairs is where tcpPair connects: one listener for all, since each takes a port.
var pairs struct {
	sync.Mutex
	ln net.Listener
}

// tcpPair connects two ends over TCP.
func tcpPair(t testing.TB) (server, peer *net.TCPConn) {
	t.Helper()
	pairs.Lock()
	defer pairs.Unlock()
	var err error
	if pairs.ln == nil {
		if pairs.ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	p, err := net.Dial("tcp", pairs.ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := pairs.ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return s.(*net.TCPConn), p.(*net.TCPConn)
}

// serve connects a client to r over TCP, without the handshake.
func serve(t testing.TB, s *websocket.Server, r seam.Receiver, opts *websocket.Options) (seam.Conn, *client) {
	t.Helper()
	sc, pc := tcpPair(t)
	conn, err := s.NewConn(sc, r, opts)
	if err != nil {
		t.Fatal(err)
	}
	return conn, newClient(t, pc)
}

var eventually = waittest.Until

// isClosed reports whether err is a ClosedError with the code.
func isClosed(err error, code transport.CloseCode) bool {
	var ce *transport.ClosedError
	return errors.As(err, &ce) && ce.Code == code
}
