package longpoll

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// bubble is a mount in a synctest bubble, without a network.
type bubble struct {
	*testing.T
	srv *server
	h   *handler
}

func inBubble(t *testing.T, a seam.Acceptor, opts *Options, test func(b *bubble)) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(&serverConfig{Logger: slog.New(slog.DiscardHandler)})
		defer shut(t, srv)
		test(&bubble{t, srv, mustHandler(t, srv, a, opts)})
	})
}

func (b *bubble) do(a ask) *reply {
	b.Helper()
	w := httptest.NewRecorder()
	r := a.request("http://example.com")
	r.RemoteAddr = "192.0.2.1:4000"
	b.h.Serve(w, r, nil)
	rep, err := readReply(w.Result())
	if err != nil {
		b.Fatal(err)
	}
	return rep
}

func (b *bubble) open() string {
	b.Helper()
	return b.do(ask{}).want(b, 410).Token
}

// timed makes a request and says how long it took.
func (b *bubble) timed(a ask) (*reply, time.Duration) {
	b.Helper()
	began := time.Now()
	r := b.do(a)
	return r, time.Since(began)
}

func (b *bubble) background(a ask) <-chan *reply {
	c := make(chan *reply, 1)
	go func() { c <- b.do(a) }()
	synctest.Wait()
	return c
}

func TestWindow(t *testing.T) {
	inBubble(t, &exchange{}, nil, func(b *bubble) {
		token := b.open()
		for range 100 {
			r, d := b.timed(ask{token: token})
			if r.want(b, 204); d != defaultWindow {
				b.Fatalf("204 after %v", d)
			}
		}
	})
}

// TestUnpolled ends a session that was never polled, whatever is posted.
func TestUnpolled(t *testing.T) {
	x := &exchange{}
	inBubble(t, x, nil, func(b *bubble) {
		token := b.open()
		for range 14 {
			time.Sleep(time.Second)
			b.do(ask{method: "POST", token: token, body: "a"}).want(b, 200)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if err := x.last().reason(b); err != errInactive {
			b.Errorf("reason %v", err)
		}
		b.do(ask{method: "POST", token: token, body: "a"}).want(b, 410)
		if s := b.srv.Stats(); s.Open != 0 || s.IdleTimeouts != 1 {
			b.Errorf("%+v", s)
		}
	})
}

// TestExpiry measures how long a session lives after the start of its last poll.
func TestExpiry(t *testing.T) {
	for _, after := range []time.Duration{time.Millisecond, time.Second, 5 * time.Second, 14 * time.Second, 15*time.Second - 1} {
		x := &exchange{}
		inBubble(t, x, nil, func(b *bubble) {
			token := b.open()
			time.Sleep(after)
			began := time.Now()
			b.do(ask{token: token}).want(b, 204)
			<-x.last().closed
			x.last().closed <- nil
			d := time.Since(began)
			if d < defaultWindow*3/2 || d > defaultWindow*3 {
				b.Errorf("polled after %v, ended %v later", after, d)
			}
		})
	}
}

// TestDisconnectedPoll runs to its window when its session ends, but takes what
// was queued before.
func TestDisconnectedPoll(t *testing.T) {
	x := &exchange{}
	inBubble(t, x, nil, func(b *bubble) {
		token := b.open()
		began := time.Now()
		waiting := b.background(ask{token: token})
		time.Sleep(time.Second)
		x.last().conn.Close(transport.CloseGoingAway)
		if r := (<-waiting).want(b, 204); r.Token != token {
			b.Error("another token")
		}
		if d := time.Since(began); d != defaultWindow {
			b.Errorf("after %v", d)
		}
		if err := x.last().reason(b); !isClosed(err, 1001) {
			b.Errorf("reason %v", err)
		}
		token = b.do(ask{token: token}).want(b, 410).Token

		waiting = b.background(ask{token: token})
		x.last().conn.Send(seal(wire.Text, "bye"))
		x.last().conn.Close(transport.CloseGoingAway)
		x.last().conn.Close(transport.CloseRestart)
		token = (<-waiting).want(b, 200, "bye").Token
		b.do(ask{token: token}).want(b, 410)
	})
}

// TestServerClose answers polls at once and lets nobody in.
func TestServerClose(t *testing.T) {
	x := &exchange{}
	inBubble(t, x, nil, func(b *bubble) {
		idle, ready, token := b.open(), b.open(), b.open()
		phone := x.last()
		_ = ready
		began := time.Now()
		waiting := b.background(ask{token: idle})
		b.srv.Close(transport.CloseRestart)
		b.srv.Close(transport.CloseGoingAway)
		(<-waiting).wantHTTP(b, 503)
		if err := phone.reason(b); !isClosed(err, 1012) {
			b.Errorf("reason %v", err)
		}
		b.do(ask{}).wantHTTP(b, 503)
		b.do(ask{token: token}).wantHTTP(b, 503)
		b.do(ask{method: "POST", token: token, body: "a"}).wantHTTP(b, 503)
		if err := b.srv.Wait(context.Background()); err != nil {
			b.Error(err)
		}
		if d := time.Since(began); d != 0 {
			b.Errorf("it took %v", d)
		}
	})
}

// TestWaitWithoutClose waits for the last session to expire.
func TestWaitWithoutClose(t *testing.T) {
	inBubble(t, &exchange{}, nil, func(b *bubble) {
		b.open()
		ctx, cancel := context.WithCancelCause(context.Background())
		enough := errors.New("enough")
		cancel(enough)
		if err := b.srv.Wait(ctx); err != enough {
			b.Errorf("with a session: %v", err)
		}
		began := time.Now()
		if err := b.srv.Wait(context.Background()); err != nil {
			b.Error(err)
		}
		if d := time.Since(began); d != defaultWindow*3/2 {
			b.Errorf("after %v", d)
		}
	})
}

// TestServerCloseDuringConnect closes the server while the acceptor thinks.
func TestServerCloseDuringConnect(t *testing.T) {
	release := make(chan struct{})
	x := &exchange{accept: func(*transport.ConnectInfo) (seam.Receiver, error) {
		<-release
		return newPhone(echo), nil
	}}
	synctest.Test(t, func(t *testing.T) {
		release = make(chan struct{})
		srv := newServer(nil)
		b := &bubble{t, srv, mustHandler(t, srv, x, nil)}
		waiting := b.background(ask{})
		srv.Close(transport.CloseRestart)
		close(release)
		(<-waiting).wantHTTP(t, 503)
		shut(t, srv)
	})
}

// TestSlowHandling waits for a message to be handled: for the channel that
// Receive returns and for AllHandled.
func TestSlowHandling(t *testing.T) {
	for _, tt := range []struct {
		name         string
		hold, settle time.Duration
		status       int
		took         time.Duration
	}{
		{"at once", 0, 0, 200, 0},
		{"held", 3 * time.Second, 0, 200, 6 * time.Second},
		{"settled", 0, 4 * time.Second, 200, 8 * time.Second},
		{"both", 3 * time.Second, 4 * time.Second, 200, 8 * time.Second},
		{"held too long", time.Minute, 0, 408, defaultWindow},
		{"settled too late", 0, time.Minute, 408, defaultWindow},
		{"just in time", 7 * time.Second, 0, 200, 14 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			after := func(d time.Duration) <-chan struct{} {
				if d == 0 {
					return nil
				}
				c := make(chan struct{})
				time.AfterFunc(d, func() { close(c) })
				return c
			}
			n := 0
			x := answering(func(p *phone, _ wire.Opcode, _ []byte) <-chan struct{} {
				n++
				p.busy = after(tt.settle)
				return after(tt.hold)
			})
			inBubble(t, x, nil, func(b *bubble) {
				token := b.open()
				r, d := b.timed(ask{method: "POST", token: token, body: "[1]\n[2]", header: []string{"Content-Type", "application/x-ndjson"}})
				r.want(b, tt.status)
				if d != tt.took {
					b.Errorf("after %v, want %v", d, tt.took)
				}
				want := 2
				if tt.status == 408 {
					want = 1
				}
				if n != want {
					b.Errorf("%d messages handed over, want %d", n, want)
				}
				b.srv.Close(transport.CloseRestart)
				time.Sleep(time.Hour)
			})
		})
	}
}

// TestHeldReceiverGetsNothing posts while the receiver wants nothing.
func TestHeldReceiverGetsNothing(t *testing.T) {
	inBubbleHold := make(chan struct{})
	var got []string
	x := answering(func(p *phone, _ wire.Opcode, data []byte) <-chan struct{} {
		got = append(got, string(data))
		if len(got) == 1 {
			return inBubbleHold
		}
		return nil
	})
	synctest.Test(t, func(t *testing.T) {
		inBubbleHold = make(chan struct{})
		srv := newServer(nil)
		b := &bubble{t, srv, mustHandler(t, srv, x, nil)}
		token := b.open()
		keep := b.background(ask{token: token})
		first := b.background(ask{method: "POST", token: token, body: "1"})
		second := b.background(ask{method: "POST", token: token, body: "2"})
		r, d := b.timed(ask{method: "POST", token: token, body: "3"})
		r.want(t, 408)
		if d != defaultWindow {
			t.Errorf("after %v", d)
		}
		(<-first).want(t, 408)
		(<-second).want(t, 408)
		<-keep
		fourth := b.background(ask{method: "POST", token: token, body: "4"})
		time.Sleep(time.Second)
		close(inBubbleHold)
		(<-fourth).want(t, 200)
		if len(got) != 2 || got[1] != "4" {
			t.Errorf("handed over: %q", got)
		}
		shut(t, srv)
	})
}

// TestEndDuringPost ends the session while a post waits: it is answered at once.
func TestEndDuringPost(t *testing.T) {
	x := answering(func(p *phone, _ wire.Opcode, data []byte) <-chan struct{} { return make(chan struct{}) })
	inBubble(t, x, nil, func(b *bubble) {
		token := b.open()
		began := time.Now()
		first := b.background(ask{method: "POST", token: token, body: "1"})
		second := b.background(ask{method: "POST", token: token, body: "2"})
		x.last().conn.Close(transport.CloseGoingAway)
		(<-first).want(b, 408)
		(<-second).want(b, 410)
		if d := time.Since(began); d != 0 {
			b.Errorf("after %v", d)
		}
		x.last().reason(b)
	})
}

// TestTooManyPosts bounds what waits for one session.
func TestTooManyPosts(t *testing.T) {
	x := answering(func(p *phone, _ wire.Opcode, data []byte) <-chan struct{} { return make(chan struct{}) })
	inBubble(t, x, nil, func(b *bubble) {
		token := b.open()
		for range maxPosts + 1 {
			b.background(ask{method: "POST", token: token, body: "1"})
		}
		r, d := b.timed(ask{method: "POST", token: token, body: "1"})
		if r.want(b, 408); d != 0 {
			b.Errorf("after %v", d)
		}
		time.Sleep(defaultWindow)
	})
}

func TestTokenAge(t *testing.T) {
	inBubble(t, &exchange{}, &Options{Window: time.Hour, TokenAge: time.Minute}, func(b *bubble) {
		token := b.open()
		for range 5 { // each use counts
			time.Sleep(time.Minute)
			b.do(ask{method: "POST", token: token, body: "a"}).want(b, 200)
		}
		time.Sleep(time.Minute + 1)
		b.do(ask{token: token}).want(b, 410)
		b.do(ask{method: "POST", token: token, body: "a"}).want(b, 410)
	})
}

// TestAddressLimit counts sessions by address, and frees them with the session.
func TestAddressLimit(t *testing.T) {
	inBubble(t, &exchange{}, nil, func(b *bubble) {
		for range defaultMaxSessionsPerAddress {
			b.open()
		}
		if r := b.do(ask{}).wantHTTP(b, 503); r.header.Get("Retry-After") == "" {
			b.Error("no Retry-After")
		}
		if n := b.srv.extra("address_limited"); n != 1 {
			b.Errorf("%d", n)
		}
		time.Sleep(defaultWindow * 3 / 2)
		synctest.Wait()
		b.open()
	})
}

// sleeper is a poll that does not wake up.
type sleeper struct{}

func (sleeper) wake()          {}
func (sleeper) serverClosing() {}
func (sleeper) dismiss()       {}
func (sleeper) isOver() bool   { return false }

// TestSlotIsGivenBackOnce has a poll take the last messages of a session after that is forgotten.
func TestSlotIsGivenBackOnce(t *testing.T) {
	x := &exchange{}
	inBubble(t, x, nil, func(b *bubble) {
		b.open()
		b.open()
		s := x.last().conn.(*session)
		addr := s.addr
		w := sleeper{}
		s.mu.Lock()
		s.waiter = w
		s.mu.Unlock()
		s.Send(seal(wire.Text, "a"))
		s.Close(transport.CloseNormal)
		synctest.Wait()
		if n := b.srv.addresses.Of(addr); n != 1 {
			b.Errorf("%d sessions of the address when one of two is forgotten", n)
		}
		last, ok := s.take(w)
		if !ok {
			b.Fatal("nothing is left for the poll")
		}
		s.written(&last)
		s.answered()
		if n := b.srv.addresses.Of(addr); n != 1 {
			b.Errorf("%d sessions of the address after the last answer", n)
		}
	})
}
