package longpoll

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// TestManyPolls has more polls of one session wait than may: the oldest is answered at once, those
// after it at the end of their window, and messages go to the latest.
func TestManyPolls(t *testing.T) {
	x := &exchange{}
	inBubble(t, x, nil, func(b *bubble) {
		token := b.do(ask{}).want(b, 410).Token
		began := time.Now()
		var polls []<-chan *reply
		for range maxPolls + 2 {
			polls = append(polls, b.background(ask{token: token}))
		}
		for _, early := range polls[:2] {
			r := (<-early).want(b, 204)
			if d := time.Since(began); d != 0 || r.Token != token {
				b.Errorf("%v after %v", r, d)
			}
			if r.header.Get("Connection") != "close" {
				b.Error("the connection stays open")
			}
		}
		x.last().conn.Send(seal(wire.Text, "a"))
		(<-polls[len(polls)-1]).want(b, 200, "a")
		if d := time.Since(began); d != 0 {
			b.Errorf("the latest waits for %v", d)
		}
		for _, late := range polls[2 : len(polls)-1] {
			if r := (<-late).want(b, 204); time.Since(began) != defaultWindow || r.header.Get("Connection") != "" {
				b.Errorf("%v after %v", r, time.Since(began))
			}
		}
	})
}

// TestManyOldPolls has polls with an old token in numbers: who waits for messages goes on to.
func TestManyOldPolls(t *testing.T) {
	x := &exchange{}
	inBubble(t, x, nil, func(b *bubble) {
		old := b.do(ask{header: []string{ackHeader, "1"}}).want(b, 410).Token
		token := old
		for range 2 {
			x.last().conn.Send(seal(wire.Text, "a"))
			token = b.do(ask{token: token}).want(b, 200, "a").Token
		}
		waits := b.background(ask{token: token})
		var early []<-chan *reply
		for range 3 * maxPolls {
			early = append(early, b.background(ask{token: old}))
		}
		began := time.Now()
		for _, c := range early[:2*maxPolls+1] {
			if (<-c).want(b, 204); time.Since(began) != 0 {
				b.Fatalf("a poll with an old token waits for %v", time.Since(began))
			}
		}
		x.last().conn.Send(seal(wire.Text, "b"))
		(<-waits).want(b, 200, "b")
	})
}

// TestGivenUpPollIsReadLate has a poll that its client gave up come after the one that followed
// it. When it is over, the live one gets what comes, and what has come meanwhile.
func TestGivenUpPollIsReadLate(t *testing.T) {
	inClusterBubbles(t, nil, nil, func(t *testing.T, c *cluster) {
		token := c.a.open(ackHeader, "1")
		s := c.a.session(token)
		next := func(w waiter) waiter {
			eventually(t, "another poll waits", func() bool { return c.a.polling(token) != w })
			return c.a.polling(token)
		}
		nowhere := &remotePoll{peer: peer{c.a.srv, "nowhere", newID(), newID()}, ses: s, until: forever}
		for name, late := range map[string]func(w waiter){
			"to this node": func(w waiter) { giveUp(t, c.a, token, func() { next(w) }) },
			"to another":   func(w waiter) { giveUp(t, c.b, token, func() { next(w) }) },
			"two": func(w waiter) {
				giveUp(t, c.a, token, func() {
					w = next(w)
					giveUp(t, c.b, token, func() { next(w) })
				})
			},
			"with a message": func(waiter) {
				opened, _ := c.a.srv.keys.open(token)
				s.poll(opened.number, nowhere)
				s.Send(seal(wire.Text, "a")) // which cannot be sent on
				synctest.Wait()
			},
		} {
			live := c.a.background(ask{token: token})
			began, w := time.Now(), c.a.polling(token)
			late(w)
			if name != "with a message" {
				if now := c.a.polling(token); now != w {
					t.Fatalf("%s: the live poll does not wait again", name)
				}
				s.Send(seal(wire.Text, "a"))
			}
			token = (<-live).want(t, 200, "a").Token
			if d := time.Since(began); d > defaultWindow/2 {
				t.Errorf("%s: after %v", name, d)
			}
		}
	})
}

// giveUp begins a poll, and gives it up when it waits. It returns when nothing is left of it.
func giveUp(t *testing.T, st *site, token string, whenItWaits func()) {
	ctx, cancel := context.WithCancel(t.Context())
	poll := st.background(ask{token: token, ctx: ctx})
	whenItWaits()
	cancel()
	<-poll
	synctest.Wait()
}

// TestNobodyWaitsAgain gives up the latest poll when an earlier one must not take its place: a
// client that does not ask again would lose what is given to a poll without a client, and who
// waited for a batch that another poll has got may not be given the next.
func TestNobodyWaitsAgain(t *testing.T) {
	for name, header := range map[string][]string{"does not ask again": nil, "another got it": {ackHeader, "1"}} {
		t.Run(name, func(t *testing.T) {
			x := &exchange{}
			inBubble(t, x, nil, func(b *bubble) {
				token := b.do(ask{header: header}).want(b, 410).Token
				early := b.background(ask{token: token})
				if header != nil {
					other := b.background(ask{token: token})
					x.last().conn.Send(seal(wire.Text, "a"))
					token = (<-other).want(b, 200, "a").Token
				}
				ctx, cancel := context.WithCancel(b.Context())
				late := b.background(ask{token: token, ctx: ctx})
				cancel()
				<-late
				x.last().conn.Send(seal(wire.Text, "b"))
				(<-early).want(b, 204)
				b.do(ask{token: token}).want(b, 200, "b")
				if n := b.srv.extra("redelivered"); n != 0 {
					b.Errorf("%d batches were given again", n)
				}
			})
		})
	}
}

// A lazySite serves a mount over connections without buffers.
type lazySite struct {
	*bubble
	conns chan net.Conn
	done  chan struct{}
}

func (l *lazySite) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *lazySite) Close() error   { close(l.done); return nil }
func (l *lazySite) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func inLazyBubble(t *testing.T, x *exchange, opts *Options, test func(l *lazySite)) {
	inBubble(t, x, opts, func(b *bubble) {
		l := &lazySite{b, make(chan net.Conn), make(chan struct{})}
		hs := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { b.h.Serve(w, r, nil) })}
		var served sync.WaitGroup
		served.Go(func() { _ = hs.Serve(l) })
		defer func() {
			b.srv.Close(transport.CloseRestart)
			_ = hs.Close()
			served.Wait()
		}()
		test(l)
	})
}

// poll makes a request, and reads the token of the answer and nothing that follows it.
func (l *lazySite) poll(token string) (next string, rest *bufio.Reader) {
	l.Helper()
	next, rest, err := l.tryPoll(token)
	if err != nil {
		l.Fatal(err)
	}
	return next, rest
}

// tryPoll is poll for other goroutines than that of the test.
func (l *lazySite) tryPoll(token string) (next string, rest *bufio.Reader, err error) {
	client, server := net.Pipe()
	l.Cleanup(func() { _ = client.Close() })
	select {
	case l.conns <- server:
	case <-l.done:
		return "", nil, net.ErrClosed
	}
	if _, err := io.WriteString(client, "GET /?vsn=2.0.0 HTTP/1.1\r\nHost: x\r\n"+ackHeader+": 1\r\n"+tokenHeader+": "+token+"\r\n\r\n"); err != nil {
		return "", nil, err
	}
	rest = bufio.NewReaderSize(client, 16)
	for next == "" {
		text, err := rest.ReadString(',')
		if err != nil {
			return "", nil, err
		}
		if _, text, ok := strings.Cut(text, `"token":"`); ok {
			next, _, _ = strings.Cut(text, `"`)
		}
	}
	return next, rest, nil
}

// writing is how many answers of the session are being written.
func (l *lazySite) writing(s *session) int {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writing
}

// TestAcknowledgedBeforeRead has a client acknowledge batches that it does not read: they count
// until they are written, and its address keeps its slot as long.
func TestAcknowledgedBeforeRead(t *testing.T) {
	x := &exchange{}
	inLazyBubble(t, x, &Options{MaxBufferBytes: 1 << 20, MaxSessionsPerAddress: 1}, func(l *lazySite) {
		token, _ := l.poll("")
		p := x.last()
		big := strings.Repeat("x", 300<<10)
		for i := range 3 {
			if !p.conn.Send(seal(wire.Text, big)) {
				t.Fatalf("message %d is refused", i)
			}
			token, _ = l.poll(token)
		}
		if p.conn.Send(seal(wire.Text, big)) {
			t.Error("what is being written does not count")
		}
		if err := p.reason(t); err != transport.ErrSlowConsumer {
			t.Errorf("it ended with %v", err)
		}
		synctest.Wait()
		if l.srv.addresses.Len() != 1 {
			t.Error("the address is free before the answers are written")
		}
		time.Sleep(defaultWriteTimeout)
		synctest.Wait()
		if l.srv.addresses.Len() != 0 {
			t.Error("the address is not free when the answers are given up")
		}
	})
}

// TestReadLate has a client acknowledge early and read in the end: it has room again.
func TestReadLate(t *testing.T) {
	x := &exchange{}
	inLazyBubble(t, x, &Options{MaxBufferBytes: 1 << 20}, func(l *lazySite) {
		token, _ := l.poll("")
		s := l.session(token)
		conn, big := x.last().conn, strings.Repeat("x", 300<<10)
		for range 6 {
			conn.Send(seal(wire.Text, big))
			var rest *bufio.Reader
			token, rest = l.poll(token)
			var next string
			early := make(chan error, 1)
			go func() {
				var rest *bufio.Reader
				var err error
				if next, rest, err = l.tryPoll(token); err == nil { // acknowledges, and waits
					_, _ = rest.ReadString('}')
				}
				early <- err
			}()
			synctest.Wait()
			if _, err := io.ReadFull(rest, make([]byte, len(big)+len(`"messages":[""]}`))); err != nil {
				t.Fatal(err)
			}
			conn.Send(seal(wire.Text, "x"))
			if err := <-early; err != nil {
				t.Fatal(err)
			}
			token = next
		}
		if n := l.writing(s); n != 0 {
			t.Errorf("%d answers are being written", n)
		}
	})
}

// TestManyRepeats has a client ask for one batch again and again, and read no answer.
func TestManyRepeats(t *testing.T) {
	x := &exchange{}
	inLazyBubble(t, x, &Options{WriteTimeout: option.Unlimited}, func(l *lazySite) {
		token, _ := l.poll("")
		s := l.session(token)
		x.last().conn.Send(seal(wire.Text, strings.Repeat("x", 100<<10)))
		for range 3 * maxPolls {
			l.poll(token)
		}
		if n := l.writing(s); n != maxPolls {
			t.Errorf("%d answers are being written, want %d", n, maxPolls)
		}
	})
}

// TestEndWhileWriting ends a session whose client reads slowly: it has the write timeout for the
// rest of the answer.
func TestEndWhileWriting(t *testing.T) {
	x := &exchange{}
	inLazyBubble(t, x, &Options{Window: time.Hour}, func(l *lazySite) {
		token, _ := l.poll("")
		s := l.session(token)
		x.last().conn.Send(seal(wire.Text, strings.Repeat("x", 1<<20)))
		_, rest := l.poll(token)
		some := make([]byte, 2*writeChunk)
		for range 5 {
			time.Sleep(defaultWriteTimeout - time.Second)
			if _, err := io.ReadFull(rest, some); err != nil {
				t.Fatal(err)
			}
		}
		if n := l.writing(s); n != 1 {
			t.Fatalf("%d answers are being written", n)
		}
		x.last().conn.Close(transport.CloseGoingAway)
		began := time.Now()
		for l.writing(s) > 0 {
			time.Sleep(defaultWriteTimeout / 4)
			_, _ = io.ReadFull(rest, some[:writeChunk/2])
		}
		if d := time.Since(began); d > 2*defaultWriteTimeout {
			t.Errorf("the answer was cut after %v", d)
		}
	})
}

// session is the session of a token.
func (b *bubble) session(text string) *session {
	t, _ := b.srv.keys.open(text)
	return b.srv.session(t.session)
}
