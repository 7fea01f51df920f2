package longpoll

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bennu-go/bennu/internal/option"
	"github.com/bennu-go/bennu/internal/seam"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// TestAbortedPolls has many clients that acknowledge, abort polls at random, and poll again at
// once with the token they have. A poll that was aborted may reach the server after those
// that followed it. Nothing is lost, and no session ends.
func TestAbortedPolls(t *testing.T) {
	for _, version := range []int{1, 2} {
		t.Run(fmt.Sprintf("HTTP/%d", version), func(t *testing.T) {
			srv := testServer(t, nil)
			const clients, messages = 30, 50
			x := &exchange{make: func() *phone {
				p := newPhone(nil)
				p.opened = func(p *phone) { go sendSlowly(p.conn, messages) }
				return p
			}}
			h := mustHandler(t, srv, x, &Options{MaxSessionsPerAddress: option.Unlimited, Window: 2 * defaultWindow})
			hs := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.Serve(w, r, nil) }))
			hs.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			hs.EnableHTTP2 = version == 2
			if version == 2 {
				hs.StartTLS()
			} else {
				hs.Start()
			}
			t.Cleanup(hs.Close)
			t.Cleanup(func() { srv.Close(transport.CloseRestart) })
			var aborted atomic.Int64
			var all sync.WaitGroup
			for i := range clients {
				all.Go(func() {
					c := &aborting{url: hs.URL, http: hs.Client(), r: rand.New(rand.NewPCG(uint64(i), 41)), aborted: &aborted}
					if err := c.run(messages); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if s := srv.Stats(); s.Extra["gaps"] != 0 || s.Opened != clients {
				t.Errorf("%d polls were aborted: %+v", aborted.Load(), s)
			}
			if aborted.Load() == 0 {
				t.Error("no poll was aborted")
			}
		})
	}
}

// aborting is a client that aborts polls.
type aborting struct {
	url     string
	http    *http.Client
	r       *rand.Rand
	aborted *atomic.Int64
}

func (c *aborting) poll(ctx context.Context, token string) (*reply, error) {
	res, err := c.http.Do(ask{token: token, ctx: ctx, header: []string{ackHeader, "1"}}.request(c.url))
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return readReply(res)
}

// run opens a session and receives n messages.
func (c *aborting) run(n int) error {
	rep, err := c.poll(context.Background(), "")
	if err != nil || rep.Status != 410 {
		return fmt.Errorf("opened with %v, %v", rep, err)
	}
	token := rep.Token
	for got := 0; got < n; {
		ctx, cancel := context.WithCancel(context.Background())
		patient := time.Hour
		if c.r.IntN(4) > 0 {
			patient = time.Duration(c.r.IntN(3000)) * time.Microsecond
		}
		timer := time.AfterFunc(patient, cancel)
		rep, err := c.poll(ctx, token)
		timer.Stop()
		cancel()
		if err != nil {
			c.aborted.Add(1)
			continue
		}
		if rep.Status != 200 && rep.Status != 204 {
			return fmt.Errorf("after %d messages: %v", got, rep)
		}
		for _, m := range rep.Messages {
			if m != fmt.Sprint(got) {
				return fmt.Errorf("got %s, want %d", m, got)
			}
			got++
		}
		token = rep.Token
	}
	return nil
}

// sendSlowly sends numbers, some at once and some after a moment.
func sendSlowly(conn seam.Conn, n int) {
	r := rand.New(rand.NewPCG(41, 41))
	for i := range n {
		if r.IntN(3) == 0 {
			time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond)
		}
		conn.Send(seal(wire.Text, fmt.Sprint(i)))
	}
}

// TestOldToken decides about polls with a token whose batch was acknowledged.
func TestOldToken(t *testing.T) {
	newBatch := func(b *bubble, x *exchange) (old, token string) {
		old = b.do(ask{header: []string{ackHeader, "1"}}).want(b, 410).Token
		x.last().conn.Send(seal(wire.Text, "a"))
		token = b.do(ask{token: old}).want(b, 200, "a").Token
		x.last().conn.Send(seal(wire.Text, "b"))
		return old, b.do(ask{token: token}).want(b, 200, "b").Token // which has acknowledged the first
	}
	for name, play := range map[string]func(b *bubble, x *exchange, old, token string) (ends bool){
		"nothing else comes": func(b *bubble, _ *exchange, old, _ string) bool {
			if r, d := b.timed(ask{token: old}); r.want(b, 410).Token == "" || d != gapGrace {
				b.Errorf("%v after %v", r, d)
			}
			return true
		},
		"its client is gone": func(b *bubble, _ *exchange, old, _ string) bool {
			ctx, cancel := context.WithCancel(b.Context())
			waiting := b.background(ask{token: old, ctx: ctx})
			cancel()
			<-waiting
			return false
		},
		"another waits": func(b *bubble, x *exchange, old, token string) bool {
			waiting := b.background(ask{token: token})
			overtaken := b.background(ask{token: old})
			x.last().conn.Send(seal(wire.Text, "c"))
			(<-waiting).want(b, 200, "c")
			if r := (<-overtaken).want(b, 204); r.Token != old {
				b.Error("another token")
			}
			return false
		},
		"another comes": func(b *bubble, x *exchange, old, token string) bool {
			overtaken := b.background(ask{token: old})
			time.Sleep(gapGrace / 2)
			x.last().conn.Send(seal(wire.Text, "c"))
			b.do(ask{token: token}).want(b, 200, "c")
			(<-overtaken).want(b, 204)
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := &exchange{}
			inBubble(t, x, nil, func(b *bubble) {
				old, token := newBatch(b, x)
				ends := play(b, x, old, token)
				if s := b.srv.Stats(); s.Extra["gaps"] == 0 == ends {
					b.Errorf("%d gaps", s.Extra["gaps"])
				}
			})
		})
	}
}
