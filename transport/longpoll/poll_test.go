package longpoll

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// TestRepeat misses an answer and asks again with the token that it had.
func TestRepeat(t *testing.T) {
	inSite(t, nil, nil, func(t *testing.T, st *site) {
		first := st.open(ackHeader, "1")
		st.post(first, "a").want(t, 200)
		missed := st.poll(first).want(t, 200, "a")
		st.post(first, "b").want(t, 200)
		again := st.poll(first).want(t, 200, "a") // the same, and not more
		if again.Token != missed.Token {
			t.Fatal("the token does not tell that it is the same batch")
		}
		second := st.poll(again.Token).want(t, 200, "b")
		// A post does not prove receipt.
		st.post(second.Token, "c").want(t, 200)
		st.poll(again.Token).want(t, 200, "b")
		third := st.poll(second.Token).want(t, 200, "c")
		if r := st.poll(third.Token).want(t, 204); r.Token != third.Token {
			t.Fatal("204 with another token")
		}
		if r := st.srv.Stats(); r.Extra["redelivered"] != 2 || r.Extra["batches"] != 3 {
			t.Errorf("%+v", r)
		}
	})
}

// TestAdoptingLater has a client that does not say whether it
// adopts tokens, which shows with the first that it does.
func TestAdoptingLater(t *testing.T) {
	st := newSite(t, nil, nil)
	first := st.open()
	for i := range 3 { // the token is never adopted: each poll counts as receipt
		m := fmt.Sprint(i)
		st.post(first, m).want(t, 200)
		st.poll(first).want(t, 200, m)
	}
	st.post(first, "x").want(t, 200)
	next := st.poll(first).want(t, 200, "x").Token
	st.post(next, "y").want(t, 200) // now it is
	st.poll(next).want(t, 200, "y")
	st.poll(next).want(t, 200, "y")
}

// TestBrowserRepeats has a browser that repeats the first poll, whose answer it has not got.
func TestBrowserRepeats(t *testing.T) {
	for _, header := range [][]string{{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64)"}, {"Sec-Fetch-Mode", "cors"}} {
		st := newSite(t, nil, nil)
		first := st.open(header...)
		st.post(first, "a").want(t, 200)
		next := st.poll(first).want(t, 200, "a").Token
		st.post(first, "b").want(t, 200)
		if again := st.poll(first).want(t, 200, "a").Token; again != next {
			t.Errorf("the repeated answer has another token")
		}
		st.poll(next).want(t, 200, "b")
	}
}

// TestGap asks for a batch that is gone: going on would hide that one is missing.
func TestGap(t *testing.T) {
	x := &exchange{}
	inSite(t, x, nil, func(t *testing.T, st *site) {
		first := st.open(ackHeader, "1")
		st.post(first, "a").want(t, 200)
		second := st.poll(first).want(t, 200, "a").Token
		st.poll(second).want(t, 204)
		if r := st.poll(first).want(t, 410); r.Token == first || r.Token == second {
			t.Error("no new token")
		}
		if err := x.phones[0].reason(t); err != errGap {
			t.Errorf("reason %v", err)
		}
		st.poll(second).want(t, 410)
		if n := st.srv.extra("gaps"); n != 1 {
			t.Errorf("%d gaps", n)
		}
	})
}

// TestUnknownNumber has a signed token of a batch that never was.
func TestUnknownNumber(t *testing.T) {
	st := newSite(t, nil, nil)
	token := st.open()
	future := st.srv.seal(st.session(token).id, 1)
	st.poll(future).want(t, 410)
	st.post(future, "a").want(t, 410)
	st.post(token, "a").want(t, 200) // it does not end the session
}

// TestTwoPolls has the later of two polls replace the first, which runs to its
// window and gets nothing.
func TestTwoPolls(t *testing.T) {
	inSite(t, nil, nil, func(t *testing.T, st *site) {
		token := st.open()
		first := st.background(ask{token: token})
		w := st.polling(token)
		second := st.background(ask{token: token})
		eventually(t, "the second poll waits", func() bool { return st.polling(token) != w })
		st.post(token, "a").want(t, 200)
		(<-second).want(t, 200, "a")
		if r := (<-first).want(t, 204); r.Token != token {
			t.Error("204 with another token")
		}
	})
}

// TestAbortedPoll says that a poll whose client has gone takes nothing with it.
func TestAbortedPoll(t *testing.T) {
	for _, header := range [][]string{nil, {ackHeader, "1"}} {
		st := newSite(t, nil, nil)
		token := st.open(header...)
		for i := range 20 {
			ctx, cancel := context.WithCancel(context.Background())
			waiting := st.background(ask{token: token, ctx: ctx})
			st.polling(token)
			cancel()
			<-waiting
			s := st.session(token)
			eventually(t, "the poll is gone", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.waiter == nil
			})
			m := fmt.Sprint(i)
			st.post(token, m).want(t, 200)
			token = st.poll(token).want(t, 200, m).Token
		}
	}
}

// TestPollAndSendRace lets data come while polls come and go, from clients that do
// and do not adopt tokens.
func TestPollAndSendRace(t *testing.T) {
	for _, adopt := range []bool{true, false} {
		t.Run(fmt.Sprint("adopting ", adopt), func(t *testing.T) {
			const n, senders = 300, 4
			x := &exchange{}
			st := newSite(t, x, nil)
			token := st.open()
			conn := x.last().conn
			var wg sync.WaitGroup
			for s := range senders {
				wg.Go(func() {
					for i := range n {
						if !conn.Send(seal(wire.Text, fmt.Sprintf("%d %d", s, i))) {
							t.Error("refused")
							return
						}
						if i%10 == 0 {
							time.Sleep(time.Millisecond)
						}
					}
				})
			}
			next := make([]int, senders)
			for got := 0; got < n*senders; {
				r := st.poll(token)
				for _, m := range r.Messages {
					var s, i int
					fmt.Sscan(m, &s, &i)
					if i != next[s] {
						t.Fatalf("message %d of sender %d, want %d", i, s, next[s])
					}
					next[s]++
					got++
				}
				if adopt {
					token = r.Token
				}
			}
			wg.Wait()
		})
	}
}

// TestPostsInOrder posts at once from many requests: each post is handled whole.
func TestPostsInOrder(t *testing.T) {
	st := newSite(t, nil, nil)
	token := st.open()
	var wg sync.WaitGroup
	const posts, lines = 20, 10
	for p := range posts {
		wg.Go(func() {
			var b strings.Builder
			for l := range lines {
				fmt.Fprintf(&b, "[%d,%d]\n", p, l)
			}
			st.ndjson(token, b.String()).want(t, 200)
		})
	}
	wg.Wait()
	r := st.poll(token)
	if len(r.Messages) != posts*lines {
		t.Fatalf("%d messages", len(r.Messages))
	}
	for i := 0; i < len(r.Messages); i += lines {
		var p int
		fmt.Sscanf(r.Messages[i], "[%d,", &p)
		for l := range lines {
			if want := fmt.Sprintf("[%d,%d]", p, l); r.Messages[i+l] != want {
				t.Fatalf("message %d: %s, want %s", i+l, r.Messages[i+l], want)
			}
		}
	}
}

func TestOverflow(t *testing.T) {
	fill := func(p *phone, n, size int) (sent int) {
		for range n {
			if !p.conn.Send(seal(wire.Text, strings.Repeat("x", size))) {
				break
			}
			sent++
		}
		return sent
	}
	for _, tt := range []struct {
		name string
		opts Options
		size int
		want int
	}{
		{"messages", Options{MaxBufferMessages: 5}, 1, 5},
		{"bytes", Options{MaxBufferBytes: 50}, 10, 5},
		{"unlimited", Options{MaxBufferMessages: option.Unlimited, MaxBufferBytes: option.Unlimited}, 10_000, 1000},
		{"default messages", Options{}, 1, 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := &exchange{}
			st := newSite(t, x, &tt.opts)
			token := st.open(ackHeader, "1")
			p := x.last()
			// What was handed over and not acknowledged counts.
			if fill(p, 2, tt.size) != 2 {
				t.Fatal("refused")
			}
			st.poll(token)
			if n := 2 + fill(p, 998, tt.size); n != tt.want {
				t.Fatalf("%d messages taken, want %d", n, tt.want)
			}
			if tt.want == 1000 {
				return
			}
			if err := p.reason(t); err != transport.ErrSlowConsumer {
				t.Errorf("reason %v", err)
			}
			st.poll(token).want(t, 410)
			if n := st.srv.Stats().SlowConsumers; n != 1 {
				t.Errorf("%d slow consumers", n)
			}
		})
	}
}

// TestAcknowledgingMakesRoom goes on for ever within the bounds.
func TestAcknowledgingMakesRoom(t *testing.T) {
	for _, adopt := range []bool{true, false} {
		st := newSite(t, nil, &Options{MaxBufferBytes: 10})
		token := st.open()
		for range 20 {
			st.post(token, "0123456789").want(t, 200)
			r := st.poll(token).want(t, 200, "0123456789")
			if adopt {
				token = r.Token
			}
			// The next post comes when receipt is proven.
			waiting := st.background(ask{token: token})
			st.polling(token)
			st.post(token, "0123").want(t, 200)
			if r = (<-waiting).want(t, 200, "0123"); adopt {
				token = r.Token
			}
			waiting = st.background(ask{token: token})
			st.polling(token)
			st.post(token, "!").want(t, 200)
			if r = (<-waiting).want(t, 200, "!"); adopt {
				token = r.Token
			}
			s := st.session(token)
			s.mu.Lock()
			s.box.received()
			n := s.box.bytes
			s.mu.Unlock()
			if n != 0 {
				t.Fatalf("%d bytes counted in an empty outbox", n)
			}
		}
	}
}

// TestBinaryDown drops what no client can read, and nothing else.
func TestBinaryDown(t *testing.T) {
	var log strings.Builder
	x := &exchange{}
	srv := testServer(t, &serverConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	st := serve(t, srv, x, nil)
	token := st.open()
	conn := x.last().conn
	conn.Send(seal(wire.Text, "a"))
	for _, b := range []string{"\x00push", "\x00push", "\x01reply", "\x02broadcast", "\xff", ""} {
		if !conn.Send(seal(wire.Binary, b)) {
			t.Error("refused")
		}
	}
	conn.Send(transport.Frame{})
	conn.Send(seal(wire.Text, "b"))
	st.poll(token).want(t, 200, "a", "b")
	if n := strings.Count(log.String(), "level=ERROR"); n != 4 {
		t.Errorf("%d lines, want one for each kind:\n%s", n, log.String())
	}
	if n := srv.extra("binary_dropped"); n != 6 {
		t.Errorf("%d dropped", n)
	}
	conn.Close(transport.CloseGoingAway)
	if conn.Send(seal(wire.Binary, "")) || conn.Send(seal(wire.Text, "")) || conn.Send(transport.Frame{}) {
		t.Error("a closed session takes frames")
	}
}

// TestOddText has one frame that is no UTF-8 among others.
func TestOddText(t *testing.T) {
	x := &exchange{}
	st := newSite(t, x, nil)
	token := st.open()
	for _, m := range []string{"a", "\xff\xfe", "b\x00\x1f\xc3"} {
		x.last().conn.Send(seal(wire.Text, m))
	}
	st.poll(token).want(t, 200, "a", "\ufffd\ufffd", "b\x00\x1f\ufffd")
}
