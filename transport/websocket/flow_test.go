package websocket_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
	"github.com/bennu-go/bennu/wire"
)

// numbered is a binary frame of n bytes that starts with a number.
func numbered(i, n int) transport.Frame {
	p := make([]byte, n)
	binary.BigEndian.PutUint64(p, uint64(i))
	return seal(wire.Binary, p)
}

// pipe connects a client over net.Pipe, where a write waits for its reader.
func pipe(t testing.TB, s *websocket.Server, r seam.Receiver, opts *websocket.Options) (seam.Conn, *client) {
	t.Helper()
	sc, pc := net.Pipe()
	conn, err := s.NewConn(sc, r, opts)
	if err != nil {
		t.Fatal(err)
	}
	return conn, newClient(t, pc)
}

func TestCloseFlushesFirst(t *testing.T) { engines(t, testCloseFlushesFirst) }

func testCloseFlushesFirst(t *testing.T, newServer serverMaker) {
	for name, connect := range map[string]func(testing.TB, *websocket.Server, seam.Receiver, *websocket.Options) (seam.Conn, *client){"tcp": serve, "pipe": pipe} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(nil)
			conn, c := connect(t, newServer(t), r, &websocket.Options{WriteTimeout: time.Hour})
			const n = 500
			for i := range n {
				if !conn.Send(numbered(i, 10+i)) {
					t.Fatalf("frame %d not taken", i)
				}
			}
			conn.Close(transport.CloseGoingAway)
			conn.Close(transport.CloseRestart) // has no effect
			if conn.Send(numbered(0, 10)) {
				t.Error("sent after close")
			}
			if err := r.reason(t); !isClosed(err, transport.CloseGoingAway) {
				t.Errorf("reason %v", err)
			}
			for i := range n {
				c.expect(wantBin(numbered(i, 10+i).Payload()))
			}
			c.expect(wantClose(1001))
		})
	}
}

func TestSendInOpened(t *testing.T) { engines(t, testSendInOpened) }

func testSendInOpened(t *testing.T, newServer serverMaker) {
	r := newReceiver(echo)
	r.opened = func(c seam.Conn) { c.Send(seal(wire.Text, []byte("welcome"))) }
	_, c := serve(t, newServer(t), r, nil)
	c.expect(wantText("welcome"))
	c.send(text("a"))
	c.expect(wantText("a"))
}

// TestQueueBounds fills the queue of a client that reads nothing. What is
// being written counts too.
func TestQueueBounds(t *testing.T) {
	for _, tc := range []struct {
		name string
		opts websocket.Options
		fits int
	}{
		{"messages", websocket.Options{MaxQueueMessages: 5}, 5},
		{"bytes", websocket.Options{MaxQueueBytes: 1000}, 9}, // of 2+100 bytes
		{"bytes exactly", websocket.Options{MaxQueueBytes: 1020}, 10},
		{"one message", websocket.Options{MaxQueueMessages: 1}, 1},
		{"none fits", websocket.Options{MaxQueueBytes: 50}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newServer(t)
			r := newReceiver(nil)
			tc.opts.WriteTimeout = time.Hour
			conn, c := pipe(t, s, r, &tc.opts)
			sent := 0
			for conn.Send(numbered(sent, 100)) {
				if sent++; sent > 100 {
					t.Fatal("no bound")
				}
			}
			if sent != tc.fits {
				t.Errorf("%d frames taken, want %d", sent, tc.fits)
			}
			if err := r.reason(t); err != transport.ErrSlowConsumer {
				t.Errorf("reason %v", err)
			}
			if st := s.Stats(); st.SlowConsumers != 1 {
				t.Errorf("counted %d times", st.SlowConsumers)
			}
			// What was begun is finished, the rest dropped, and the code arrives.
			for i := 0; ; i++ {
				op, payload, err := c.next()
				if err != nil {
					t.Fatal(err)
				}
				if op == 8 {
					if !bytes.Equal(payload, closeBody(1013, "")) {
						t.Errorf("close % x", payload)
					}
					c.expectEnd()
					break
				}
				if i > tc.fits || !bytes.Equal(payload, numbered(i, 100).Payload()) {
					t.Fatalf("frame %d: % x", i, payload)
				}
			}
		})
	}
}

// TestSlowConsumerAlone publishes to clients of which one does not read.
func TestSlowConsumerAlone(t *testing.T) { engines(t, testSlowConsumerAlone) }

func testSlowConsumerAlone(t *testing.T, newServer serverMaker) {
	s := newServer(t)
	opts := &websocket.Options{MaxQueueMessages: 200, WriteTimeout: time.Hour, IdleTimeout: option.Unlimited}
	connect := func(buffer int) (seam.Conn, *client, *receiver) {
		sc, pc := tcpPair(t)
		if buffer > 0 {
			sc.SetWriteBuffer(buffer)
			pc.SetReadBuffer(buffer)
		}
		r := newReceiver(nil)
		conn, err := s.NewConn(sc, r, opts)
		if err != nil {
			t.Fatal(err)
		}
		return conn, newClient(t, pc), r
	}
	slow, slowClient, slowReceiver := connect(4096)
	const readers, batches, batch = 5, 50, 100
	var conns []seam.Conn
	var clients []*client
	for range readers {
		conn, c, _ := connect(0)
		conns, clients = append(conns, conn), append(clients, c)
	}
	taken := 0
	for b := range batches {
		for i := b * batch; i < (b+1)*batch; i++ {
			f := numbered(i, 1024)
			if slow.Send(f) {
				if taken != i {
					t.Fatalf("took frame %d after refusing %d", i, taken)
				}
				taken++
			}
			for _, c := range conns {
				if !c.Send(f) {
					t.Fatalf("a reader was refused frame %d", i)
				}
			}
		}
		for _, c := range clients {
			for i := b * batch; i < (b+1)*batch; i++ {
				_, p, err := c.next()
				if err != nil || binary.BigEndian.Uint64(p) != uint64(i) {
					t.Fatalf("want frame %d: % .8x, %v", i, p, err)
				}
			}
		}
	}
	if taken == batches*batch {
		t.Fatal("the slow one was never cut")
	}
	if err := slowReceiver.reason(t); err != transport.ErrSlowConsumer {
		t.Errorf("reason %v", err)
	}
	if st := s.Stats(); st.SlowConsumers != 1 || st.Lost != 0 {
		t.Errorf("stats %+v", st)
	}
	// Now it reads: whole frames in order, and then the reason.
	for i := 0; ; i++ {
		op, p, err := slowClient.next()
		if err != nil {
			t.Fatal(err)
		}
		if op == 8 {
			if !bytes.Equal(p, closeBody(1013, "")) {
				t.Errorf("close % x", p)
			}
			break
		}
		if i > taken || binary.BigEndian.Uint64(p) != uint64(i) {
			t.Fatalf("frame %d: % .8x", i, p)
		}
	}
}

// TestWriteTimeout leaves a client that takes nothing to the timeout.
func TestWriteTimeout(t *testing.T) { engines(t, testWriteTimeout) }

func testWriteTimeout(t *testing.T, newServer serverMaker) {
	s := newServer(t)
	opts := &websocket.Options{WriteTimeout: 20 * time.Millisecond, MaxQueueBytes: 64 << 20, CloseLinger: time.Millisecond}
	sc, _ := tcpPair(t)
	sc.SetWriteBuffer(4096)
	r := newReceiver(nil)
	conn, err := s.NewConn(sc, r, opts)
	if err != nil {
		t.Fatal(err)
	}
	for range 32 {
		conn.Send(numbered(0, 1<<20))
	}
	if err := r.reason(t); err != transport.ErrSlowConsumer {
		t.Errorf("reason %v", err)
	}
	eventually(t, "connection gone", func() bool { return s.Stats().Open == 0 })
}

// TestClosingIsBounded closes a connection whose client takes nothing, with no
// timeout for writes but the one for closing.
func TestClosingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		r := newReceiver(nil)
		conn, _ := pipe(t, s, r, &websocket.Options{WriteTimeout: option.Unlimited})
		start := time.Now()
		conn.Send(numbered(0, 100))
		conn.Close(transport.CloseRestart)
		if err := r.reason(t); !isClosed(err, 1012) || time.Since(start) != 0 {
			t.Errorf("reason %v after %v", err, time.Since(start))
		}
		if err := s.Wait(t.Context()); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d != websocket.DefaultWriteTimeout {
			t.Errorf("took %v", d)
		}
	})
}

// TestProgressRenewsWriteTimeout reads slowly but surely.
func TestProgressRenewsWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		r := newReceiver(nil)
		conn, c := pipe(t, s, r, &websocket.Options{MaxQueueBytes: 8 << 20, IdleTimeout: option.Unlimited})
		f := numbered(7, 256<<10)
		conn.Send(f)
		conn.Send(f)
		got := make([]byte, 0, 2*len(f.Bytes()))
		buf := make([]byte, 16<<10)
		for len(got) < 2*len(f.Bytes()) {
			time.Sleep(9 * time.Second) // of 10
			n, err := io.ReadFull(c.nc, buf[:min(len(buf), 2*len(f.Bytes())-len(got))])
			if err != nil {
				t.Fatalf("after %d bytes: %v", len(got), err)
			}
			got = append(got, buf[:n]...)
		}
		if !bytes.Equal(got, append(bytes.Clone(f.Bytes()), f.Bytes()...)) {
			t.Error("wrong bytes")
		}
		time.Sleep(time.Minute) // the deadline of the last write is gone
		conn.Send(numbered(1, 10))
		c.br.Reset(c.nc)
		c.expect(wantBin(numbered(1, 10).Payload()))
		// And one that stops is cut.
		start := time.Now()
		conn.Send(f)
		if err := r.reason(t); err != transport.ErrSlowConsumer || time.Since(start) != 10*time.Second {
			t.Errorf("reason %v after %v", err, time.Since(start))
		}
		s.Wait(t.Context())
	})
}

func TestIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		r := newReceiver(nil)
		conn, c := pipe(t, s, r, nil)
		drained := make(chan []byte, 1)
		go func() {
			b, _ := io.ReadAll(c.nc)
			drained <- b
		}()
		start := time.Now()
		// Anything the client sends counts: a ping, a pong, a piece of a frame.
		for i, b := range [][]byte{join(ping("")), join(pong("x")), {0x81}, {0x83}, join(text("abc"))[2:]} {
			time.Sleep(websocket.DefaultIdleTimeout - time.Second)
			if err := func() error { _, err := c.nc.Write(b); return err }(); err != nil {
				t.Fatalf("%d: %v", i, err)
			}
		}
		// What the server sends does not.
		time.Sleep(30 * time.Second)
		conn.Send(seal(wire.Text, []byte("x")))
		if err := r.reason(t); err != transport.ErrIdle {
			t.Errorf("reason %v", err)
		}
		if d := time.Since(start); d != 6*websocket.DefaultIdleTimeout-5*time.Second {
			t.Errorf("closed after %v", d)
		}
		const ping = "\x89\x00"
		if b := <-drained; string(b) != ping+"\x8a\x00"+ping+ping+ping+ping+"\x81\x01x"+ping+"\x88\x02\x03\xea" {
			t.Errorf("client got % x", b)
		}
		if st := s.Stats(); st.IdleTimeouts != 1 {
			t.Errorf("stats %+v", st)
		}
		s.Wait(t.Context())
	})
}

func TestIdleUnlimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		_, c := pipe(t, s, newReceiver(echo), &websocket.Options{IdleTimeout: option.Unlimited})
		time.Sleep(1000 * time.Hour)
		c.send(text("a"))
		c.expect(wantText("a"))
		c.send(closing(1000))
		c.expect(wantClose(1000))
		s.Wait(t.Context())
	})
}

// TestControlRate counts control frames by the second.
func TestControlRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		r := newReceiver(nil)
		_, c := pipe(t, s, r, &websocket.Options{MaxControlRate: 3})
		for range 5 {
			c.send(pong(""), pong(""), pong(""))
			time.Sleep(time.Second)
		}
		c.send(pong(""), pong(""), pong(""))
		time.Sleep(time.Second / 2)
		c.send(pong(""))
		c.expect(wantClose(1008))
		if err := r.reason(t); !isClosed(err, 1008) {
			t.Errorf("reason %v", err)
		}
		s.Wait(t.Context())
	})
}

// TestPause holds messages back until the receiver takes them again.
func TestPause(t *testing.T) { engines(t, testPause) }

func testPause(t *testing.T, newServer serverMaker) {
	for _, cut := range []int{1, 1 << 20} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			resume := make(chan struct{})
			var mu sync.Mutex
			var got []string
			r := newReceiver(func(c seam.Conn, op wire.Opcode, data []byte) <-chan struct{} {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, string(data))
				if string(data) == "pause" {
					c.Send(seal(wire.Text, []byte("pausing")))
					return resume
				}
				echo(c, op, data)
				return nil
			})
			conn, c := serve(t, newServer(t), r, nil)
			c.chopped(join(text("a"), text("pause"), ping("p"), text("b"), partial(text("c")), cont("d")), cut)
			c.expect(wantText("a"), wantText("pausing"))
			// The paused connection still sends.
			conn.Send(seal(wire.Text, []byte("meanwhile")))
			c.expect(wantText("meanwhile"))
			mu.Lock()
			if len(got) != 2 {
				t.Errorf("received %q while paused", got)
			}
			mu.Unlock()
			close(resume)
			c.expect(wantPong("p"), wantText("b"), wantText("cd"))
		})
	}
}

// TestResumedAlready returns a channel that is closed before it is returned.
func TestResumedAlready(t *testing.T) { engines(t, testResumedAlready) }

func testResumedAlready(t *testing.T, newServer serverMaker) {
	open := make(chan struct{})
	close(open)
	r := newReceiver(func(c seam.Conn, op wire.Opcode, data []byte) <-chan struct{} {
		echo(c, op, data)
		return open
	})
	_, c := serve(t, newServer(t), r, nil)
	c.send(text("a"), text("b"))
	c.expect(wantText("a"), wantText("b"))
}

// TestCloseWhilePaused ends connections whose receiver never resumes.
func TestCloseWhilePaused(t *testing.T) { engines(t, testCloseWhilePaused) }

func testCloseWhilePaused(t *testing.T, newServer serverMaker) {
	never := make(chan struct{})
	for _, how := range []string{"close", "overflow", "abort", "close from receive"} {
		t.Run(how, func(t *testing.T) {
			s := newServer(t)
			paused := make(chan struct{})
			r := newReceiver(func(c seam.Conn, op wire.Opcode, data []byte) <-chan struct{} {
				if how == "close from receive" {
					c.Close(transport.CloseInternalError)
				}
				close(paused)
				return never
			})
			conn, c := serve(t, s, r, &websocket.Options{MaxQueueBytes: 100})
			c.send(text("a"), text("not received"))
			<-paused
			switch how {
			case "close":
				conn.Close(transport.CloseRestart)
				c.expect(wantClose(1012))
			case "overflow":
				conn.Send(numbered(0, 200))
				c.expect(wantClose(1013))
			case "abort":
				s.Abort()
			default:
				c.expect(wantClose(1011))
			}
			r.reason(t)
		})
	}
}

// TestGoneWhilePaused has clients go whose receivers never resume, with something unread before
// the end.
func TestGoneWhilePaused(t *testing.T) { engines(t, testGoneWhilePaused) }

func testGoneWhilePaused(t *testing.T, newServer serverMaker) {
	if runtime.GOOS != "linux" {
		t.Skipf("NOT RUN: %s does not tell the server that a client has gone before it reads", runtime.GOOS)
	}
	never := make(chan struct{})
	for name, goes := range map[string]func(*net.TCPConn) error{
		"closes its side": (*net.TCPConn).CloseWrite,
		"is lost":         func(nc *net.TCPConn) error { return errors.Join(nc.SetLinger(0), nc.Close()) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			r := newReceiver(func(c seam.Conn, op wire.Opcode, data []byte) <-chan struct{} {
				echo(c, op, data)
				return never
			})
			_, c := serve(t, s, r, nil)
			c.send(text("a"), text("not received"))
			c.expect(wantText("a"))
			c.send(text("nor read"), closing(1000))
			if err := goes(c.nc.(*net.TCPConn)); err != nil {
				t.Fatal(err)
			}
			if err := r.reason(t); err != transport.ErrLost {
				t.Errorf("reason %v", err)
			}
			eventually(t, "it is gone", func() bool { return s.Stats().Open == 0 })
		})
	}
}

// TestPausedForEver has a receiver that never resumes, and a client that stays.
func TestPausedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		never := make(chan struct{})
		r := newReceiver(func(seam.Conn, wire.Opcode, []byte) <-chan struct{} { return never })
		_, c := pipe(t, s, r, nil)
		c.send(text("a"))
		time.Sleep(15*time.Minute - time.Second)
		if s.Stats().ServerClosed != 0 {
			t.Error("it was closed too early")
		}
		c.expect(wantClose(1013))
		if err := r.reason(t); !isClosed(err, 1013) {
			t.Errorf("reason %v", err)
		}
		c.nc.Close()
		s.Wait(t.Context())
	})
}

// TestPausedTimeIsNotIdle pauses longer than the idle timeout.
func TestPausedTimeIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		resume := make(chan struct{})
		r := newReceiver(func(c seam.Conn, op wire.Opcode, data []byte) <-chan struct{} {
			echo(c, op, data)
			return resume
		})
		_, c := pipe(t, s, r, nil)
		c.send(text("a"))
		c.expect(wantText("a"))
		time.Sleep(10 * time.Minute)
		close(resume)
		time.Sleep(44 * time.Second) // a second more, and it would be asked
		c.send(text("b"))
		c.expect(wantText("b"))
		c.send(closing(1000))
		c.expect(wantClose(1000))
		s.Wait(t.Context())
	})
}

// TestCloseFrameSurvivesUnreadBytes closes while the client sends on and on.
func TestCloseFrameSurvivesUnreadBytes(t *testing.T) { engines(t, testCloseFrameSurvivesUnreadBytes) }

func testCloseFrameSurvivesUnreadBytes(t *testing.T, newServer serverMaker) {
	for _, code := range []transport.CloseCode{1001, 1012} {
		conn, c := serve(t, newServer(t), newReceiver(nil), &websocket.Options{CloseLinger: patience})
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.chopped(bytes.Repeat(join(text("more and more")), 100_000), 0)
			c.nc.(*net.TCPConn).CloseWrite()
		}()
		conn.Close(code)
		c.expect(wantClose(uint16(code)))
		<-done
	}
}

// TestLingerEnds has clients that never close their side.
func TestLingerEnds(t *testing.T) { engines(t, testLingerEnds) }

func testLingerEnds(t *testing.T, newServer serverMaker) {
	s := newServer(t)
	for range 50 {
		conn, c := serve(t, s, newReceiver(nil), &websocket.Options{CloseLinger: 10 * time.Millisecond, WriteTimeout: time.Hour})
		conn.Close(transport.CloseRestart)
		c.expect(wantClose(1012))
	}
	eventually(t, "connections gone", func() bool { return s.Stats().Open == 0 })
}

func TestReceiverPanics(t *testing.T) { engines(t, testReceiverPanics) }

func testReceiverPanics(t *testing.T, newServer serverMaker) {
	for _, how := range []string{"panic", "goexit"} {
		boom := func() {
			if how == "goexit" {
				runtime.Goexit()
			}
			panic("boom")
		}
		for _, where := range []string{"opened", "receive", "closed"} {
			t.Run(how+"/"+where, func(t *testing.T) {
				s := newServer(t)
				r := &panicking{receiver: newReceiver(nil), where: where, boom: boom}
				other := newReceiver(echo)
				_, oc := serve(t, s, other, nil)
				_, c := serve(t, s, r, nil)
				code := uint16(1011)
				switch where {
				case "receive":
					c.send(text("a"), text("b"))
				case "closed":
					c.send(closing(1000))
					code = 1000
				}
				c.expect(wantClose(code))
				if where != "closed" && !isClosed(r.reason(t), 1011) {
					t.Error("wrong reason")
				}
				oc.send(text("unharmed"))
				oc.expect(wantText("unharmed"))
				c.nc.Close()
				eventually(t, "connection gone", func() bool { return s.Stats().Open == 1 })
			})
		}
	}
}

type panicking struct {
	*receiver
	where string
	boom  func()
}

func (p *panicking) Opened(c seam.Conn) {
	if p.where == "opened" {
		p.boom()
	}
	p.receiver.Opened(c)
}

func (p *panicking) Receive(op wire.Opcode, data []byte) <-chan struct{} {
	if p.where == "receive" {
		p.boom()
	}
	return p.receiver.Receive(op, data)
}

func (p *panicking) Closed(err error) {
	if p.where == "closed" {
		p.boom()
	}
	p.receiver.Closed(err)
}

// TestHoldingOftenCostsInProportion has a receiver that holds the connection back after each
// of many short messages that came together: what is left must not be copied each time.
func TestHoldingOftenCostsInProportion(t *testing.T) { engines(t, testHoldingOften) }

func testHoldingOften(t *testing.T, newServer serverMaker) {
	const messages = 5000
	got, all := 0, make(chan struct{})
	r := newReceiver(func(seam.Conn, wire.Opcode, []byte) <-chan struct{} {
		if got++; got == messages {
			close(all)
		}
		resume := make(chan struct{})
		go close(resume)
		return resume
	})
	_, c := serve(t, newServer(t), r, nil)
	in := bytes.Repeat(text("").bytes(), messages)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c.write(in)
	<-all
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > messages*1500 {
		t.Errorf("%d bytes for each message", n/messages)
	}
}
