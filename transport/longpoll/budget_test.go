package longpoll

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/wire"
)

// stuck is an exchange whose receivers handle nothing.
func stuck() *exchange {
	return answering(func(*phone, wire.Opcode, []byte) <-chan struct{} { return make(chan struct{}) })
}

// held is what a server holds of posts beyond their first bytes.
func (b *bubble) held() int {
	b.srv.rests.mu.Lock()
	defer b.srv.rests.mu.Unlock()
	return b.srv.rests.bytes
}

// TestPostBytes has sessions of one address that handle nothing and get far more than
// may wait.
func TestPostBytes(t *testing.T) {
	for _, tt := range []struct {
		name           string
		opts           Options
		sessions, most int
	}{
		{"session", Options{}, 1, 2 * defaultMaxBody},
		{"address", Options{}, 8, defaultMaxPostBytesPerAddress},
		{"small address", Options{MaxPostBytesPerAddress: 3 << 20}, 8, 3 << 20},
		{"large body", Options{MaxBody: 6 << 20}, 4, 12 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, stuck(), &tt.opts, func(b *bubble) {
				body := strings.Repeat("x", b.h.lim.maxBody)
				var all []<-chan *reply
				for range tt.sessions {
					token := b.open()
					for range 5 {
						all = append(all, b.background(ask{method: "POST", token: token, body: body}))
						if n := b.held(); n > tt.most {
							b.Fatalf("%d bytes are held, of %d", n, tt.most)
						}
					}
				}
				if n, size := b.held(), b.h.lim.maxBody-earnest; n < tt.most-2*size {
					b.Errorf("%d bytes are held of %d, so one more post of %d had room", n, tt.most, size)
				}
				for _, c := range all { // within a window or two, or when its session ends
					if r := <-c; r.Status != 408 && r.Status != 410 {
						b.Error(r)
					}
				}
				if b.srv.book.Count(notice.PostBytes) == 0 {
					b.Error("no line about bytes")
				}
			})
		})
	}
}

// TestNodePostBytes has more addresses than the server has room for.
func TestNodePostBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := newServer(&serverConfig{MaxPostBytes: 3 << 20})
		n := 0
		another := func(*http.Request) string { n++; return fmt.Sprint("10.0.0.", n) }
		b := &bubble{t, srv, mustHandler(t, srv, stuck(), nil)}
		b.h.host.ClientAddress = another
		var all []<-chan *reply
		for range 6 {
			all = append(all, b.background(ask{method: "POST", token: b.open(), body: strings.Repeat("x", defaultMaxBody)}))
		}
		if n := b.held(); n > 3<<20 || n < 2<<20 {
			t.Errorf("%d bytes are held", n)
		}
		// A small post passes by the large ones that wait.
		free := answering(echo)
		small := &bubble{t, srv, mustHandler(t, srv, free, nil)}
		small.h.host.ClientAddress = another
		if r, d := small.timed(ask{method: "POST", token: small.open(), body: "1"}); r.want(t, 200) == nil || d != 0 {
			t.Errorf("a small post took %v", d)
		}
		for _, c := range all {
			<-c
		}
		shut(t, srv)
	})
}

// TestPostsWaitForRoom has more posts of one address than have room at once: all are handled.
func TestPostsWaitForRoom(t *testing.T) {
	x := answering(func(*phone, wire.Opcode, []byte) <-chan struct{} {
		c := make(chan struct{})
		time.AfterFunc(50*time.Millisecond, func() { close(c) })
		return c
	})
	inBubble(t, x, nil, func(b *bubble) {
		var all []<-chan *reply
		for range 60 {
			all = append(all, b.background(ask{method: "POST", token: b.open(), body: strings.Repeat("x", defaultMaxBody)}))
		}
		for _, c := range all {
			(<-c).want(b, 200)
		}
	})
}

// TestWithdrawnPosts drops posts at once whose clients go away, the one that is being handled
// too.
func TestWithdrawnPosts(t *testing.T) {
	inBubble(t, stuck(), nil, func(b *bubble) {
		token := b.open()
		tok, _ := b.srv.keys.open(token)
		s := b.srv.session(tok.session)
		ctx, cancel := context.WithCancel(context.Background())
		body := strings.Repeat("[1]\n", 100_000)
		for range 4 {
			b.background(ask{method: "POST", token: token, body: body, ctx: ctx, header: []string{"Content-Type", "application/x-ndjson"}})
		}
		if b.held() < 4*len(body)-4*earnest || len(s.posts) != 3 {
			b.Fatalf("%d bytes, %d posts", b.held(), len(s.posts))
		}
		began := time.Now()
		cancel()
		synctest.Wait()
		if n := b.held(); n != 0 || len(s.posts) != 0 {
			b.Errorf("%d bytes are held, %d posts", n, len(s.posts))
		}
		if n := b.srv.book.Count(notice.PostWithdrawn); n != 4 {
			b.Errorf("%d lines", n)
		}
		b.do(ask{method: "POST", token: token, body: "1", ctx: ctx}).want(b, 408)
		if time.Since(began) != 0 {
			b.Error("it took time")
		}
	})
}

// TestWaitingPostEnds ends the wait for room with the client, the session or the server.
func TestWaitingPostEnds(t *testing.T) {
	for name, end := range map[string]func(b *bubble, x *exchange, cancel func()){
		"client":  func(_ *bubble, _ *exchange, cancel func()) { cancel() },
		"session": func(_ *bubble, x *exchange, _ func()) { x.last().conn.Close(1001) },
		"server":  func(b *bubble, _ *exchange, _ func()) { b.srv.Close(1012) },
	} {
		t.Run(name, func(t *testing.T) {
			x := stuck()
			inBubble(t, x, nil, func(b *bubble) {
				token := b.open()
				body := strings.Repeat("x", defaultMaxBody)
				b.background(ask{method: "POST", token: token, body: body})
				b.background(ask{method: "POST", token: token, body: body})
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				last := b.background(ask{method: "POST", token: token, body: body, ctx: ctx})
				began := time.Now()
				end(b, x, cancel)
				r := <-last
				if d := time.Since(began); d != 0 {
					b.Errorf("it waited for %v", d)
				}
				if want := map[string]string{"client": `{"status":408}`, "session": `{"status":410}`, "server": ""}[name]; r.body != want {
					b.Errorf("got %v, want %s", r, want)
				}
			})
		})
	}
}

// TestBodySizes reads bodies of all sizes, declared and not, in pieces of any length.
func TestBodySizes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	const limit = 20_000
	inBubble(t, &exchange{}, &Options{MaxBody: limit}, func(b *bubble) {
		for _, size := range []int{0, 1, 511, 512, 513, earnest - 1, earnest, earnest + 1, 3 * earnest, limit - 1, limit, limit + 1, 2 * limit} {
			for _, declared := range []bool{true, false} {
				whole := bytes.Repeat([]byte("x"), size)
				req := httptest.NewRequest("POST", "/", &pieces{whole, r})
				if req.ContentLength = -1; declared {
					req.ContentLength = int64(size)
				}
				has := b.h.sharesFor(id{1}, "a")
				got, err := b.h.readBody(httptest.NewRecorder(), req, &has, nil)
				if size > limit {
					if err != errTooLarge || has.first.bytes+has.rest.bytes != 0 {
						b.Errorf("%d bytes: %v, %d held", size, err, has.first.bytes+has.rest.bytes)
					}
					continue
				}
				n := has.first.bytes + has.rest.bytes
				if err != nil || !bytes.Equal(got, whole) || n < cap(got) || n > max(earnest, size+size/4) {
					b.Errorf("%d bytes, declared %v: %d came, %v; %d held", size, declared, len(got), err, n)
				}
				has.release()
			}
		}
	})
}

// pieces is a body that comes in pieces.
type pieces struct {
	rest []byte
	r    *rand.Rand
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest[:min(len(p.rest), 1+p.r.IntN(3000))])
	p.rest = p.rest[n:]
	return n, nil
}

// TestBudgetModel plays random histories of a budget.
func TestBudgetModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &budget{most: 100}
		r := rand.New(rand.NewPCG(3, 1))
		for range 500 {
			s := share{budget: b, session: id{byte(r.IntN(20))}, addr: fmt.Sprint(r.IntN(5)), sessionMost: 30, addrMost: 50}
			begin, n, wait, work := time.Duration(r.IntN(10_000)), r.IntN(40), time.Duration(r.IntN(1000)), time.Duration(r.IntN(1000))
			go func() {
				time.Sleep(begin)
				if s.take(t.Context(), nil, n, wait) == "" {
					time.Sleep(work)
					s.release(s.bytes / 2)
					s.releaseAll()
				}
				b.mu.Lock()
				defer b.mu.Unlock()
				if b.bytes < 0 || b.bytes > b.most {
					t.Errorf("%d bytes", b.bytes)
				}
				for _, n := range b.addresses {
					if n <= 0 || n > 50 {
						t.Errorf("an address has %d", n)
					}
				}
			}()
		}
		time.Sleep(time.Second)
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.bytes != 0 || len(b.addresses)+len(b.sessions)+b.waiting.Len() != 0 {
			t.Errorf("at the end: %+v", b)
		}
	})
}

func TestPostByteOptions(t *testing.T) {
	small := testServer(t, &serverConfig{MaxPostBytes: 1 << 19})
	if h, err := small.Handler(&exchange{}, nil, nil); err == nil || h != nil || !strings.Contains(err.Error(), "MaxBody") {
		t.Errorf("a body larger than the server's bound: %v", err)
	}
	large := testServer(t, &serverConfig{MaxPostBytes: 1<<30 + 1})
	if h, err := large.Handler(&exchange{}, nil, nil); err == nil || h != nil || !strings.Contains(err.Error(), "MaxPostBytes") {
		t.Errorf("a bound beyond the largest: %v", err)
	}
	s := testServer(t, nil)
	if _, err := s.Handler(&exchange{}, nil, &Options{MaxPostBytesPerAddress: 1 << 19}); err == nil {
		t.Error("a body larger than the bound of an address")
	}
	h := mustHandler(t, s, &exchange{}, &Options{MaxBody: 100 << 20})
	if l := h.lim; l.bytesPerAddress != 200<<20 || l.sessionBytes != 200<<20 || s.rests.most != 200<<20 {
		t.Errorf("bounds of %d, %d, %d", l.sessionBytes, l.bytesPerAddress, s.rests.most)
	}
	h = mustHandler(t, small, &exchange{}, &Options{MaxBody: option.Unlimited})
	if h.lim.maxBody != 1<<19 {
		t.Errorf("a body may have %d bytes", h.lim.maxBody)
	}
}
