package websocket_test

import (
	"bytes"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/transport/websocket"
	"github.com/bennu-go/bennu/wire"
)

func wantPing() want { return want{9, nil} }

// TestPingWhenSilent leaves clients silent, and looks when they are asked and closed.
func TestPingWhenSilent(t *testing.T) {
	for _, tc := range []struct {
		name        string
		idle        time.Duration
		ping, close time.Duration
	}{
		{"default", 0, 45 * time.Second, 75 * time.Second},
		{"longer", 10 * time.Minute, 45 * time.Second, 10 * time.Minute},
		{"longest", 365 * 24 * time.Hour, 45 * time.Second, 365 * 24 * time.Hour},
		{"shorter", 10 * time.Second, 6 * time.Second, 10 * time.Second},
		{"shortest", time.Second, 600 * time.Millisecond, time.Second},
		{"too short", 999 * time.Millisecond, 0, 999 * time.Millisecond},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t)
				r := newReceiver(nil)
				_, c := pipe(t, s, r, &websocket.Options{IdleTimeout: tc.idle})
				start := time.Now()
				expectAt := func(at time.Duration, w want) {
					t.Helper()
					c.nc.SetReadDeadline(start.Add(at + time.Second))
					var got [4]byte
					n := 2 + len(w.payload)
					if _, err := io.ReadFull(c.br, got[:n]); err != nil || got[0] != 0x80|w.op || !bytes.Equal(got[2:n], w.payload) {
						t.Fatalf("got % x, %v; want %v", got[:n], err, w)
					}
					if d := time.Since(start); d != at {
						t.Errorf("%v after %v; want %v", w, d, at)
					}
				}
				if tc.ping > 0 {
					expectAt(tc.ping, wantPing())
				}
				expectAt(tc.close, wantClose(1002))
				if err := r.reason(t); err != transport.ErrIdle {
					t.Errorf("reason %v", err)
				}
				s.Wait(t.Context())
			})
		})
	}
}

// TestPongIsASignOfLife has a client that only answers. Its answers do not count as control
// frames, of which it may send one in a second beside them.
func TestPongIsASignOfLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		_, c := pipe(t, s, newReceiver(echo), &websocket.Options{MaxControlRate: 1})
		for range 100 {
			c.expect(wantPing())
			c.send(ping("of its own"), pong(""))
			c.expect(wantPong("of its own"))
		}
		c.send(closing(1000))
		c.expect(wantClose(1000))
		s.Wait(t.Context())
	})
}

// TestPingWithoutPong has a client that never answers, but speaks before it is too late. It
// is asked in each silence.
func TestPingWithoutPong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		_, c := pipe(t, s, newReceiver(echo), nil)
		for range 10 {
			c.expect(wantPing())
			time.Sleep(29 * time.Second)
			c.send(text("late"))
			c.expect(wantText("late"))
		}
		c.expect(wantPing(), wantClose(1002))
		s.Wait(t.Context())
	})
}

// TestNoPingForWhoSpeaks has a stock client: a heartbeat every 30 s, and one a minute while
// its page is hidden.
func TestNoPingForWhoSpeaks(t *testing.T) {
	for every, pings := range map[time.Duration]int64{30 * time.Second: 0, 44 * time.Second: 0, time.Minute: 20} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			_, c := pipe(t, s, newReceiver(echo), nil)
			var asked, answers atomic.Int64
			read := make(chan error)
			go func() {
				for {
					op, _, err := c.next()
					switch {
					case err != nil || op == 8:
						read <- err
						return
					case op == 9:
						asked.Add(1) // and not answered
					default:
						answers.Add(1)
					}
				}
			}()
			for range 20 {
				time.Sleep(every)
				c.send(text("heartbeat"))
			}
			c.send(closing(1000))
			if err := <-read; err != nil || answers.Load() != 20 || asked.Load() != pings {
				t.Errorf("a heartbeat each %v: %d answers, %d pings, %v", every, answers.Load(), asked.Load(), err)
			}
			s.Wait(t.Context())
		})
	}
}

// TestPingWaitsForTheFrameBefore has a client that takes a long frame slowly and says
// nothing: the ping comes behind it.
func TestPingWaitsForTheFrameBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		conn, c := pipe(t, s, newReceiver(echo), nil)
		frames := []transport.Frame{numbered(1, 300_000), numbered(2, 50), numbered(3, 300_000)}
		for _, f := range frames {
			conn.Send(f)
		}
		var got []byte
		buf := make([]byte, 4<<10)
		want := bytes.Join([][]byte{frames[0].Bytes(), frames[1].Bytes(), frames[2].Bytes(), {0x89, 0}}, nil)
		for start := time.Now(); time.Since(start) < 70*time.Second && len(got) < len(want); time.Sleep(300 * time.Millisecond) {
			n, err := c.nc.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, buf[:n]...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("got %d bytes, want %d with a ping at the end", len(got), len(want))
		}
		c.send(text("here"))
		c.expect(wantText("here"))
		c.send(closing(1000))
		c.expect(wantClose(1000))
		s.Wait(t.Context())
	})
}

// TestPingTakesNoRoom has a client that has not taken its ping yet when the program sends as
// much as the queue holds.
func TestPingTakesNoRoom(t *testing.T) {
	f := numbered(7, 100)
	for _, o := range []websocket.Options{{MaxQueueMessages: 1}, {MaxQueueBytes: len(f.Bytes())}} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			r := newReceiver(nil)
			conn, c := pipe(t, s, r, &o)
			time.Sleep(46 * time.Second)
			if !conn.Send(f) {
				t.Error("a ping took the room of a message")
			}
			c.expect(wantPing(), wantBin(f.Payload()))
			synctest.Wait()
			if !conn.Send(f) {
				t.Error("no room after all is taken")
			}
			synctest.Wait()
			if conn.Send(f) {
				t.Error("no bound after a ping")
			}
			if err := r.reason(t); err != transport.ErrSlowConsumer {
				t.Errorf("reason %v", err)
			}
			s.Abort()
			s.Wait(t.Context())
		})
	}
}

// TestPingOverTCP leaves a client silent with each engine.
func TestPingOverTCP(t *testing.T) { engines(t, testPingOverTCP) }

func testPingOverTCP(t *testing.T, newServer serverMaker) {
	t.Parallel()
	s := newServer(t)
	r := newReceiver(nil)
	server, peer := tcpPair(t)
	c := newClient(t, peer)
	c.write(text("abc").bytes()[:4]) // within a frame, too; it is there before the client can be silent
	if _, err := s.NewConn(server, r, &websocket.Options{IdleTimeout: time.Second}); err != nil {
		t.Fatal(err)
	}
	c.expect(wantPing(), wantClose(1002))
	if err := r.reason(t); err != transport.ErrIdle {
		t.Errorf("reason %v", err)
	}
}

// TestAskedLate has a connection that nobody looks at for longer than its client may be idle.
// The client is asked all the same, and has its time to answer.
func TestAskedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		_, c := pipe(t, s, newReceiver(func(seam.Conn, wire.Opcode, []byte) <-chan struct{} {
			time.Sleep(2 * time.Minute)
			return nil
		}), nil)
		c.send(text("hello"))
		c.expect(wantPing())
		time.Sleep(29 * time.Second)
		c.send(pong(""))
		asked := time.Now()
		c.expect(wantPing(), wantClose(1002))
		if d := time.Since(asked); d != 75*time.Second {
			t.Errorf("closed after %v, want 75 s", d)
		}
		s.Wait(t.Context())
	})
}
