package websocket_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
	"github.com/bennu-go/bennu/wire"
)

// TestWaitWithoutClose drops a server when its last client is gone: nothing is
// left of it.
func TestWaitWithoutClose(t *testing.T) { engines(t, testWaitWithoutClose) }

func testWaitWithoutClose(t *testing.T, newServer serverMaker) {
	s := newServer(t)
	var clients []*client
	for range 20 {
		_, c := serve(t, s, newReceiver(echo), nil)
		c.send(text("a"))
		c.expect(wantText("a"))
		clients = append(clients, c)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("enough")
	cancel(reason)
	if err := s.Wait(ctx); err != reason {
		t.Errorf("with open connections: %v", err)
	}
	for _, c := range clients {
		c.nc.Close()
	}
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	if err := s.Wait(ctx); err != nil {
		t.Error(err)
	}
}

func TestServerCloseClosesAll(t *testing.T) { engines(t, testServerCloseClosesAll) }

func testServerCloseClosesAll(t *testing.T, newServer serverMaker) {
	s := newServer(t)
	var clients []*client
	var receivers []*receiver
	for range 50 {
		r := newReceiver(echo)
		_, c := serve(t, s, r, nil)
		clients, receivers = append(clients, c), append(receivers, r)
	}
	s.Close(transport.CloseRestart)
	s.Close(transport.CloseGoingAway)
	for i, c := range clients {
		c.expect(wantClose(1012))
		if err := receivers[i].reason(t); !isClosed(err, 1012) {
			t.Errorf("reason %v", err)
		}
		c.nc.Close()
	}
}

func TestAbort(t *testing.T) { engines(t, testAbort) }

func testAbort(t *testing.T, newServer serverMaker) {
	s := newServer(t)
	r := newReceiver(echo)
	conn, c := serve(t, s, r, nil)
	s.Abort()
	if err := r.reason(t); err != transport.ErrLost {
		t.Errorf("reason %v", err)
	}
	if _, _, err := c.next(); err == nil {
		t.Error("a frame after abort")
	}
	if conn.Send(numbered(0, 10)) {
		t.Error("sent after abort")
	}
	conn.Close(1001)
}

// TestTLS runs over TLS, where the socket can only be used by waiting.
func TestTLS(t *testing.T) {
	s := newServer(t)
	h, err := s.Handler(acceptFunc(acceptEcho), nil, &websocket.Options{MaxQueueBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	hs := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.Serve(w, r, nil) }))
	defer hs.Close()
	addr := hs.Listener.Addr().String()
	nc, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, nc)
	c.write([]byte("GET / HTTP/1.1\r\n" + strings.Join(upgradeLines(addr), "\r\n") + "\r\n\r\n"))
	if resp, err := http.ReadResponse(c.br, nil); err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	long := strings.Repeat("tls ", 1<<18)
	go c.chopped(join(text("a"), ping("p"), text("b"), text(long), partial(text("c")), cont("d")), 0)
	c.expect(wantText("a"), wantPong("p"), wantText("b"), wantText(long), wantText("cd"))
	for range 50 {
		c.send(text("one"), text("two"))
		c.expect(wantText("one"), wantText("two"))
	}
	s.Close(transport.CloseGoingAway)
	c.expect(wantClose(1001))
}

// TestEndIsToldAtOnce closes with a linger longer than the test: the receiver must not
// wait for it, nor for the client.
func TestEndIsToldAtOnce(t *testing.T) { engines(t, testEndIsToldAtOnce) }

func testEndIsToldAtOnce(t *testing.T, newServer serverMaker) {
	s := newServer(t)
	for range 300 {
		r := newReceiver(nil)
		conn, c := serve(t, s, r, &websocket.Options{CloseLinger: 2 * patience})
		conn.Close(transport.CloseGoingAway)
		r.reason(t)
		c.nc.Close()
	}
}

// TestStress sends, receives and closes from all sides at once. Under the
// race detector it holds the connection's locking; the receiver checks how it is called.
func TestStress(t *testing.T) { engines(t, testStress) }

func testStress(t *testing.T, newServer serverMaker) {
	for _, connect := range []func(testing.TB, *websocket.Server, seam.Receiver, *websocket.Options) (seam.Conn, *client){serve, pipe} {
		s := newServer(t)
		var wg sync.WaitGroup
		for i := range 60 {
			rnd := rand.New(rand.NewPCG(uint64(i), 0))
			r := newReceiver(func(c seam.Conn, op wire.Opcode, data []byte) <-chan struct{} {
				echo(c, op, data)
				if len(data)%5 == 0 {
					resume := make(chan struct{})
					go close(resume)
					return resume
				}
				return nil
			})
			conn, c := connect(t, s, r, &websocket.Options{MaxQueueMessages: 50 + rnd.IntN(500), CloseLinger: 10 * time.Millisecond, MaxControlRate: option.Unlimited})
			var sent [3]atomic.Int64
			for k := range sent {
				wg.Go(func() {
					for n := range 300 {
						p := binary.BigEndian.AppendUint64([]byte{byte(k)}, uint64(n))
						if !conn.Send(seal(wire.Binary, p)) {
							return
						}
						sent[k].Add(1)
					}
				})
			}
			wg.Go(func() { // the client's writer
				for n := range 100 {
					c.nc.SetWriteDeadline(time.Now().Add(patience))
					if _, err := c.nc.Write(join(text(strings.Repeat("x", n)), ping("p"))); err != nil {
						return
					}
				}
				if i%3 == 0 {
					c.nc.Write(join(closing(1000)))
				}
			})
			stop := rnd.IntN(2000)
			wg.Go(func() { // the client's reader
				var next [3]uint64
				for n := 0; ; n++ {
					if i%3 == 1 && n == stop {
						c.nc.Close()
						return
					}
					op, p, err := c.next()
					if err != nil {
						c.nc.Close()
						return
					}
					if op != 2 {
						continue
					}
					if got := binary.BigEndian.Uint64(p[1:]); got != next[p[0]] {
						t.Errorf("sender %d: frame %d, want %d", p[0], got, next[p[0]])
					}
					next[p[0]]++
				}
			})
			closers := 1 + rnd.IntN(2)
			for range closers {
				wg.Go(func() {
					for sent[0].Load() < 100 && !errClosed(r) {
						time.Sleep(time.Millisecond)
					}
					conn.Close(transport.CloseGoingAway)
				})
			}
		}
		wg.Wait()
		s.Close(transport.CloseRestart)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if err := s.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		st := s.Stats()
		if sum := st.ClientClosed + st.Lost + st.SlowConsumers + st.ServerClosed + st.ProtocolErrors + st.InvalidData + st.PolicyErrors + st.TooBig + st.IdleTimeouts; sum != st.Opened || st.Open != 0 {
			t.Errorf("ends do not add up: %+v", st)
		}
	}
}

func errClosed(r *receiver) bool { return len(r.closed) > 0 }

// TestManyDeclaringAttackers opens connections that declare much and send
// nothing. They are cut before any payload.
func TestManyDeclaringAttackers(t *testing.T) { engines(t, testManyDeclaringAttackers) }

func testManyDeclaringAttackers(t *testing.T, newServer serverMaker) {
	s := newServer(t)
	for i := range 200 {
		n := []uint64{1<<63 - 1, 1 << 40, 1<<20 + 1, 1 << 63}[i%4]
		_, c := serve(t, s, newReceiver(nil), nil)
		c.send(frame{op: byte(1 + i%2), declare: n})
		if n == 1<<63 {
			c.expect(wantClose(1002))
		} else {
			c.expect(wantClose(1009))
		}
		c.nc.Close()
	}
}

// TestMillionFragmentsOverTCP sends fragments until the server has had enough.
func TestMillionFragmentsOverTCP(t *testing.T) { engines(t, testMillionFragmentsOverTCP) }

func testMillionFragmentsOverTCP(t *testing.T, newServer serverMaker) {
	_, c := serve(t, newServer(t), newReceiver(nil), nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.chopped(partial(text("a")).bytes(), 0)
		c.chopped(bytes.Repeat(partial(cont("b")).bytes(), 1_000_000), 0)
	}()
	op, p, err := c.next()
	if err != nil || op != 8 || !bytes.Equal(p, closeBody(1008, "")) {
		t.Errorf("%d % x %v", op, p, err)
	}
	c.nc.Close()
	<-done
}

// TestEmptyFrameIsNothing sends the zero Frame.
func TestEmptyFrameIsNothing(t *testing.T) { engines(t, testEmptyFrameIsNothing) }

func testEmptyFrameIsNothing(t *testing.T, newServer serverMaker) {
	conn, c := serve(t, newServer(t), newReceiver(echo), nil)
	if !conn.Send(transport.Frame{}) {
		t.Error("refused")
	}
	conn.Send(seal(wire.Text, nil))
	c.expect(wantText(""))
}

// halfCloser hides everything of a socket but what net.Conn and CloseWrite
// offer.
type halfCloser struct{ net.Conn }

func (h halfCloser) CloseWrite() error { return h.Conn.(*net.TCPConn).CloseWrite() }
