//go:build !noepoll

package websocket_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
	"github.com/bennu-go/bennu/wire"
)

// sized is the size of a test that has a small one for every day.
func sized(small, large int) int {
	if os.Getenv("BENNU_FULL") == "1" {
		return large
	}
	return small
}

// files counts this process's descriptors.
func files(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// identified is a receiver of TestCycles. The first message of a client is its number,
// and so is all that it gets.
type identified struct {
	ends func(id uint64, c seam.Conn)
	rnd  *rand.Rand
	conn seam.Conn
	id   uint64
	t    *testing.T
}

func (r *identified) Opened(c seam.Conn) { r.conn = c }

func (r *identified) Receive(_ wire.Opcode, data []byte) <-chan struct{} {
	id := binary.BigEndian.Uint64(data)
	if r.id == 0 {
		r.id = id
	}
	if id != r.id {
		r.t.Errorf("connection %d got a message of %d", r.id, id)
	}
	for range 1 + r.rnd.IntN(3) {
		r.conn.Send(stamped(r.id))
	}
	switch r.rnd.IntN(8) {
	case 0:
		resume := make(chan struct{})
		go close(resume)
		return resume
	case 1:
		r.conn.Close(transport.CloseGoingAway)
	case 2:
		time.AfterFunc(time.Millisecond, func() { r.conn.Close(transport.CloseGoingAway) })
		return make(chan struct{})
	}
	return nil
}

func (r *identified) Closed(error) { r.ends(r.id, r.conn) }

// stamped is a frame that says whose it is.
func stamped(id uint64) transport.Frame {
	return seal(wire.Binary, bytes.Repeat(binary.BigEndian.AppendUint64(nil, id), 4))
}

// TestCycles connects and closes many times, at random moments and in every way, so that
// descriptors and slots are used again all the time. Others go on to send on connections
// that are closed. No byte may reach another connection than its own, and in the end
// nothing may be left.
func TestCycles(t *testing.T) { engines(t, testCycles) }

func testCycles(t *testing.T, newServer serverMaker) {
	s := newServer(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	before := files(t)
	var past sync.Map // the latest connections of each number's last digits
	ends := func(id uint64, c seam.Conn) { past.Store(id%64, stampedConn{id, c}) }
	var accepting sync.WaitGroup
	accepting.Go(func() {
		opts := &websocket.Options{CloseLinger: 20 * time.Millisecond, MaxQueueMessages: 20}
		for n := uint64(1); ; n++ {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			r := &identified{ends: ends, rnd: rand.New(rand.NewPCG(n, 0)), t: t}
			if _, err := s.NewConn(nc, r, opts); err != nil {
				t.Error(err)
			}
		}
	})
	var stop atomic.Bool
	var haunting sync.WaitGroup
	haunting.Go(func() {
		for !stop.Load() {
			past.Range(func(_, v any) bool {
				c := v.(stampedConn)
				if c.Send(stamped(c.id)) {
					t.Error("a connection that has ended took a frame")
				}
				c.Close(transport.CloseRestart)
				return true
			})
			time.Sleep(time.Millisecond)
		}
	})
	cycles := uint64(sized(2000, 1_000_000))
	var id atomic.Uint64
	var clients sync.WaitGroup
	for w := range 16 {
		clients.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 1))
			for {
				me := id.Add(1)
				if me > cycles || t.Failed() {
					return
				}
				if err := cycle(ln.Addr().String(), me, rnd); err != nil {
					t.Errorf("cycle %d: %v", me, err)
				}
			}
		})
	}
	clients.Wait()
	stop.Store(true)
	haunting.Wait()
	eventually(t, "all connections are gone", func() bool { return s.Stats().Open == 0 })
	eventually(t, "no descriptor is left", func() bool { return files(t) <= before })
	if conns, _ := s.Polled(); conns != 0 {
		t.Errorf("the pollers still know %d connections", conns)
	}
	eventually(t, "the pollers are closed", func() bool { _, open := s.Polled(); return open == 0 })
	ln.Close()
	accepting.Wait()
}

type stampedConn struct {
	id uint64
	seam.Conn
}

// cycle is the life of one client.
func cycle(addr string, id uint64, rnd *rand.Rand) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	nc := c.(*net.TCPConn)
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	message := bin(binary.BigEndian.AppendUint64(nil, id)).bytes()
	own := stamped(id).Payload()
	for range 1 + rnd.IntN(4) {
		if _, err := nc.Write(message); err != nil {
			break // closed by the server, which is as good an end
		}
		if rnd.IntN(2) == 0 {
			time.Sleep(time.Duration(rnd.IntN(200)) * time.Microsecond)
		}
	}
	switch rnd.IntN(4) {
	case 0:
		nc.Write(closing(1000).bytes())
	case 1:
		nc.Write(message[:rnd.IntN(len(message))])
		nc.CloseWrite()
	case 2:
		nc.SetLinger(0) // which makes Close a reset
		return nil
	default:
		// The server may not close; a short time is enough to be told of strangers.
		nc.SetReadDeadline(time.Now().Add(time.Duration(rnd.IntN(2000)) * time.Microsecond))
		defer nc.SetLinger(0)
	}
	for {
		var h [2]byte
		if _, err := io.ReadFull(nc, h[:]); err != nil {
			return nil
		}
		payload := make([]byte, h[1])
		if _, err := io.ReadFull(nc, payload); err != nil {
			return nil
		}
		if h[0] == 0x82 && !bytes.Equal(payload, own) {
			return fmt.Errorf("got % x", payload)
		}
	}
}

// TestStopWhileOpening closes or aborts a server while clients connect, send and reset.
func TestStopWhileOpening(t *testing.T) { engines(t, testStopWhileOpening) }

func testStopWhileOpening(t *testing.T, newServer serverMaker) {
	// The first pair opens what stays open, in the runtime too.
	sc, pc := tcpPair(t)
	sc.Close()
	pc.Close()
	before := files(t)
	for round := range sized(6, 100) {
		s := newServer(t)
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(round), uint64(w)))
				for range 20 {
					sc, pc := tcpPair(t)
					conn, err := s.NewConn(sc, newReceiver(echo), &websocket.Options{CloseLinger: 10 * time.Millisecond})
					if err == nil {
						pc.Write(text("hello").bytes())
						conn.Send(numbered(1, 20))
					}
					if rnd.IntN(2) == 0 {
						pc.SetLinger(0)
					}
					pc.Close()
				}
			})
		}
		time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
		if round%2 == 0 {
			s.Close(transport.CloseRestart)
		} else {
			s.Abort()
		}
		wg.Wait()
		eventually(t, "all connections are gone", func() bool { return s.Stats().Open == 0 })
	}
	eventually(t, "no descriptor is left", func() bool { return files(t) <= before })
}

// TestAbortReachesTheClosing aborts a server whose connections are being closed, with
// clients that neither read nor close.
func TestAbortReachesTheClosing(t *testing.T) { engines(t, testAbortReachesTheClosing) }

func testAbortReachesTheClosing(t *testing.T, newServer serverMaker) {
	s := newServer(t)
	opts := &websocket.Options{CloseLinger: time.Hour, WriteTimeout: time.Hour, MaxQueueBytes: 64 << 20}
	var receivers []*receiver
	for i := range 8 {
		r := newReceiver(nil)
		receivers = append(receivers, r)
		conn, c := serve(t, s, r, opts)
		if i%2 == 0 {
			conn.Send(numbered(0, 16<<20))
			conn.Close(transport.CloseRestart)
		} else {
			conn.Close(transport.CloseRestart)
			c.expect(wantClose(1012))
		}
	}
	for _, r := range receivers {
		r.reason(t)
	}
	s.Abort()
	eventually(t, "all connections are gone", func() bool { return s.Stats().Open == 0 })
}
