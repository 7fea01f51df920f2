package bennu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/transport"
	"github.com/bennu-go/bennu/wire"
)

// renewing is users whose connections expire in an hour and may be renewed.
func renewing(renew func(ctx context.Context, s *Socket, token string) (time.Time, error)) *SocketHandler {
	users := usersOf("*", handlerFunc(joinQuiet), Limits{})
	users.Connect = func(_ context.Context, s *Socket, _ *ConnectInfo) error {
		s.ExpireAt(time.Now().Add(time.Hour))
		return nil
	}
	users.Renew = renew
	return users
}

// forAnHour renews whatever the token.
func forAnHour(context.Context, *Socket, string) (time.Time, error) {
	return time.Now().Add(time.Hour), nil
}

// sees is expect for bubbles: it does not let any time pass.
func (c *memClient) sees(want ...string) {
	c.t.Helper()
	synctest.Wait()
	c.expect(want...)
}

// joins lets a client join topics.
func (c *memClient) joins(topics ...string) {
	c.t.Helper()
	for i, topic := range topics {
		c.send(fmt.Sprintf(`["%d","%d","%s","phx_join",{}]`, i, i, topic))
		c.sees(fmt.Sprintf(`["%d","%d","%s","phx_reply",{"response":{},"status":"ok"}]`, i, i, topic))
	}
}

// warned wants the warnings of a client that has joined a and b.
func (c *memClient) warned(seconds int) {
	c.t.Helper()
	c.sees(
		fmt.Sprintf(`[null,null,"phoenix","token_expired",{"closes_in":%d}]`, seconds),
		fmt.Sprintf(`["0",null,"a","token_expired",{"closes_in":%d}]`, seconds),
		fmt.Sprintf(`["1",null,"b","token_expired",{"closes_in":%d}]`, seconds),
	)
}

// idle waits and wants the connection open and silent.
func (c *memClient) idle(d time.Duration) {
	c.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	if got, code := c.take(), c.closed(); len(got) > 0 || code != 0 {
		c.t.Fatalf("within %v: %q, closed with %d", d, got, code)
	}
}

// expired wants the close, and that the reason is known.
func (c *memClient) expired() {
	c.t.Helper()
	synctest.Wait()
	if code := c.closed(); code != transport.ClosePolicy {
		c.t.Fatalf("closed with %d", code)
	}
	c.hangUp(&transport.ClosedError{Code: transport.ClosePolicy})
	if c.socket.reason != ErrExpired {
		c.t.Errorf("the reason is %v", c.socket.reason)
	}
}

// TestExpiry warns a client, and closes its connection at the end of the grace.
func TestExpiry(t *testing.T) {
	for _, grace := range []time.Duration{0, 1500 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			users := renewing(nil)
			users.ExpiryGrace = grace
			_, m := memEndpoint(t, users, nil)
			c := memDial(t, m)
			c.joins("a", "b")
			c.idle(time.Hour - 1)
			time.Sleep(time.Nanosecond)
			if grace == 0 {
				grace = 25 * time.Second
				c.warned(25)
			} else {
				c.warned(2) // rounded up
			}
			c.idle(grace - 10*time.Millisecond)
			time.Sleep(10 * time.Millisecond)
			c.expired()
		})
	}
}

// TestExpiryWithoutTopics warns on "phoenix" alone; a topic that is left or being joined
// has nobody to warn.
func TestExpiryWithoutTopics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		users := renewing(nil)
		users.routes = nil
		users.Channel("*", handlerFunc(func(_ context.Context, ch *Channel, _ Payload) (Instance, Reply, error) {
			if ch.Topic() == "held" {
				<-gate
			}
			return quiet{}, Reply{}, nil
		}))
		_, m := memEndpoint(t, users, nil)
		c := memDial(t, m)
		c.joins("a")
		c.send(`["0","7","a","phx_leave",{}]`)
		synctest.Wait()
		c.await(2)
		time.Sleep(time.Hour - time.Second)
		c.send(`["1","1","held","phx_join",{}]`)
		time.Sleep(time.Second)
		c.sees(`[null,null,"phoenix","token_expired",{"closes_in":25}]`)
		close(gate)
		c.sees(`["1","1","held","phx_reply",{"response":{},"status":"ok"}]`)
	})
}

// TestNoExpiry is the default, and what the zero time asks for.
func TestNoExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := memEndpoint(t, usersOf("*", handlerFunc(joinQuiet), Limits{}), nil)
		c := memDial(t, m)
		c.joins("a")
		c.idle(1000 * time.Hour)
		c.socket.ExpireAt(time.Now().Add(time.Hour))
		c.socket.ExpireAt(time.Time{})
		c.idle(1000 * time.Hour)
		c.socket.ExpireAt(time.Unix(1<<40, 0))
		c.idle(1000 * time.Hour)
	})
}

// TestExpireAtTwice has the last call win, whichever is later.
func TestExpireAtTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := memEndpoint(t, renewing(nil), nil)
		c := memDial(t, m)
		c.joins("a", "b")
		c.socket.ExpireAt(time.Now().Add(3 * time.Hour))
		c.idle(2 * time.Hour)
		c.socket.ExpireAt(time.Now().Add(time.Minute))
		c.idle(time.Minute - 1)
		time.Sleep(time.Nanosecond)
		c.warned(25)
		// Past already, but by less than the grace.
		c.socket.ExpireAt(time.Now().Add(-5 * time.Second))
		synctest.Wait()
		c.warned(20)
		c.idle(20*time.Second - 1)
		c.socket.ExpireAt(time.Now().Add(-time.Hour))
		c.expired()
	})
}

// TestExpiryTimers fires expire at every moment it could be late for: there is one
// timer at most, one warning, and none of it after the end.
func TestExpiryTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := memEndpoint(t, renewing(nil), nil)
		c := memDial(t, m)
		c.joins("a", "b")
		c.socket.expire() // a timer that fired while ExpireAt changed the time
		c.socket.expire()
		c.idle(time.Hour - 1)
		time.Sleep(time.Nanosecond)
		c.warned(25)
		c.idle(5 * time.Second)
		c.hangUp(transport.ErrClientClosed)
		c.socket.ExpireAt(time.Now().Add(time.Second))
		c.socket.expire()
		if c.socket.expiry.timer != nil {
			t.Error("a timer is left after the end")
		}
		time.Sleep(time.Hour)
		if got := c.take(); len(got) > 0 {
			t.Errorf("after the end: %q", got)
		}
	})
}

// TestExpiryWallClock sets the clock on the wall: a timer that fires too early waits on,
// and one that fires too late closes at once.
func TestExpiryWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := memEndpoint(t, renewing(nil), nil)
		jump := func(c *memClient, d time.Duration) { // is the same as the other way round
			c.socket.mu.Lock()
			c.socket.expiry.at = c.socket.expiry.at.Add(-d)
			c.socket.mu.Unlock()
		}
		back := memDial(t, m)
		back.joins("a", "b")
		jump(back, -time.Minute)
		back.idle(time.Hour + time.Minute - 1)
		time.Sleep(time.Nanosecond)
		back.warned(25)
		jump(back, -30*time.Second) // it is valid again
		time.Sleep(25 * time.Second)
		synctest.Wait()
		if got := back.take(); len(got) > 0 || back.closed() != 0 {
			t.Errorf("after a jump back: %q, %d", got, back.closed())
		}
		time.Sleep(5 * time.Second)
		back.warned(25)
		time.Sleep(25 * time.Second)
		back.expired()

		forth := memDial(t, m)
		forth.joins("a", "b")
		jump(forth, time.Minute)
		forth.idle(time.Hour - 1)
		time.Sleep(time.Nanosecond)
		forth.expired()
		if got := until(time.Now().Add(time.Minute)); got != time.Minute {
			t.Errorf("until a minute from now: %v", got)
		}
	})
}

// TestRenew renews before and after the expiry, on a topic and on "phoenix".
func TestRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tokens []string
		_, m := memEndpoint(t, renewing(func(ctx context.Context, s *Socket, token string) (time.Time, error) {
			tokens = append(tokens, token)
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) != 5*time.Second {
				t.Errorf("the deadline is %v", deadline)
			}
			if token == "endless" {
				return time.Time{}, nil
			}
			return time.Now().Add(time.Hour), nil
		}), nil)
		c := memDial(t, m)
		c.joins("a", "b")
		c.idle(50 * time.Minute)
		c.send(`["0","8","a","access_token",{"access_token":"one","more":1}]`)
		c.sees(`["0","8","a","phx_reply",{"response":{},"status":"ok"}]`)
		c.idle(time.Hour - 1)
		time.Sleep(time.Nanosecond)
		c.warned(25)
		c.idle(24 * time.Second)
		c.send(`[null,"9","phoenix","access_token",{"access_token":"two"}]`)
		c.sees(`[null,"9","phoenix","phx_reply",{"response":{},"status":"ok"}]`)
		c.idle(59 * time.Minute)
		c.send(`[null,"10","b","access_token",{"access_token":"endless"}]`) // a null join_ref is current
		c.sees(`["1","10","b","phx_reply",{"response":{},"status":"ok"}]`)
		c.idle(1000 * time.Hour)
		if got := strings.Join(tokens, " "); got != "one two endless" {
			t.Errorf("tokens: %s", got)
		}
	})
}

// TestRenewNext sends the next token upon the reply to the last: that is never busy.
func TestRenewNext(t *testing.T) {
	_, m := memEndpoint(t, renewing(forAnHour), nil)
	c := memDial(t, m)
	for i := range 200 {
		c.send(fmt.Sprintf(`[null,"%d","phoenix","access_token",{"access_token":"t"}]`, i))
		c.expect(fmt.Sprintf(`[null,"%d","phoenix","phx_reply",{"response":{},"status":"ok"}]`, i))
	}
}

// angry is an error of which everything panics.
type angry struct{}

func (angry) Error() string                { panic("Error") }
func (angry) As(any) bool                  { panic("As") }
func (angry) MarshalJSON() ([]byte, error) { panic("MarshalJSON") }

// TestRenewFails has Renew end in every other way. The client is told no more than
// it should know, the expiry stays as it was, and the next renewal works.
func TestRenewFails(t *testing.T) {
	internal := `{"response":{"reason":"internal"},"status":"error"}`
	for _, tc := range []struct {
		name   string
		renew  func(ctx context.Context) (time.Time, error)
		want   string
		logged string
	}{
		{"refuses", func(context.Context) (time.Time, error) { return forEver, Errorf("revoked") },
			`{"response":{"reason":"revoked"},"status":"error"}`, ""},
		{"refuses with a response", func(context.Context) (time.Time, error) {
			return forEver, fmt.Errorf("wrapped: %w", &Error{Response: map[string]int{"code": 7}})
		}, `{"response":{"code":7},"status":"error"}`, ""},
		{"fails", func(context.Context) (time.Time, error) { return forEver, errors.New("no database") }, internal, "handler failed"},
		{"stops", func(context.Context) (time.Time, error) { return forEver, Stop }, internal, "handler failed"},
		{"panics", func(context.Context) (time.Time, error) { panic("renew") }, internal, "renewal crashed"},
		{"exits", func(context.Context) (time.Time, error) { runtime.Goexit(); return forEver, nil }, internal, "renewal crashed"},
		{"returns what panics", func(context.Context) (time.Time, error) { return forEver, angry{} }, internal, "renewal crashed"},
		{"returns a response that panics", func(context.Context) (time.Time, error) { return forEver, &Error{Response: angry{}} }, internal, "renewal crashed"},
		{"returns a response that does not encode", func(context.Context) (time.Time, error) { return forEver, &Error{Response: func() {}} }, internal, "response of a renewal"},
		{"hangs", func(ctx context.Context) (time.Time, error) { <-ctx.Done(); return forEver, ctx.Err() }, internal, "handler failed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				book := &lines{}
				_, m := memEndpoint(t, renewing(func(ctx context.Context, _ *Socket, token string) (time.Time, error) {
					if token == "good" {
						return forAnHour(ctx, nil, token)
					}
					return tc.renew(ctx)
				}), &EndpointOptions{Logger: book.logger()})
				c := memDial(t, m)
				c.joins("a", "b")
				c.send(`["0","9","a","access_token",{"access_token":"hush"}]`)
				if tc.name == "hangs" {
					c.idle(5*time.Second - 1)
					time.Sleep(time.Nanosecond)
				}
				c.sees(`["0","9","a","phx_reply",` + tc.want + `]`)
				text := book.String()
				if !strings.Contains(text, tc.logged) || tc.logged == "" && strings.Contains(text, "ERROR") {
					t.Errorf("logged: %s", text)
				}
				if strings.Contains(text, "hush") {
					t.Errorf("the token is in the log: %s", text)
				}
				passed := time.Duration(0)
				if tc.name == "hangs" {
					passed = 5 * time.Second
				}
				c.idle(time.Hour - passed - 1)
				time.Sleep(time.Nanosecond)
				c.warned(25)
				c.send(`["1","10","b","access_token",{"access_token":"good"}]`)
				c.sees(`["1","10","b","phx_reply",{"response":{},"status":"ok"}]`)
				c.idle(time.Hour - 1)
			})
		})
	}
}

var forEver = time.Unix(1<<40, 0)

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// TestRenewDisconnects throws a client out.
func TestRenewDisconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := memEndpoint(t, renewing(func(context.Context, *Socket, string) (time.Time, error) {
			return time.Time{}, Disconnect{Code: 4001}
		}), nil)
		c := memDial(t, m)
		c.send(`[null,"9","phoenix","access_token",{"access_token":"t"}]`)
		synctest.Wait()
		if got, code := c.take(), c.closed(); len(got) > 0 || code != 4001 {
			t.Errorf("sent %q, closed with %d", got, code)
		}
	})
}

// TestRenewBusy sends tokens while one is looked at, which goes on beside everything
// else.
func TestRenewBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		_, m := memEndpoint(t, renewing(func(ctx context.Context, s *Socket, token string) (time.Time, error) {
			<-gate // and does not mind its context
			return forAnHour(ctx, s, token)
		}), nil)
		c, other := memDial(t, m), memDial(t, m)
		c.joins("a", "b")
		c.send(`["0","9","a","access_token",{"access_token":"t"}]`)
		synctest.Wait()
		c.send(`["1","10","b","access_token",{"access_token":"t"}]`)
		c.send(`["0","11","a","phx_leave",{}]`)
		c.sees(`["1","10","b","phx_reply",`+busyReply+`]`,
			`["0","11","a","phx_reply",{"response":{},"status":"ok"}]`, `["0","0","a","phx_close",{}]`)
		other.send(`[null,"1","phoenix","access_token",{"access_token":"t"}]`)
		c.idle(time.Minute)
		gate <- struct{}{}
		gate <- struct{}{}
		c.sees(`["0","9","a","phx_reply",{"response":{},"status":"ok"}]`)
		other.sees(`[null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}]`)
		c.send(`["1","12","b","access_token",{"access_token":"t"}]`)
		gate <- struct{}{}
		c.sees(`["1","12","b","phx_reply",{"response":{},"status":"ok"}]`)
	})
}

// TestRenewAfterEnd ends the connection while its token is looked at: the callback's
// context ends at once, and nothing comes of what it returns.
func TestRenewAfterEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		over := make(chan time.Duration, 1)
		e, m := memEndpoint(t, renewing(func(ctx context.Context, s *Socket, token string) (time.Time, error) {
			<-ctx.Done()
			over <- time.Since(began)
			return forAnHour(ctx, s, token)
		}), nil)
		c := memDial(t, m)
		c.send(`[null,"9","phoenix","access_token",{"access_token":"t"}]`)
		time.Sleep(time.Second)
		c.hangUp(transport.ErrLost)
		if after := <-over; after != time.Second {
			t.Errorf("the context ended after %v", after)
		}
		synctest.Wait()
		if e.tasks.Len() != 0 || c.socket.expiry.timer != nil || c.socket.expiry.renewing != nil || c.socket.active.Load() != 0 {
			t.Errorf("%d goroutines, timer %v, %d in work", e.tasks.Len(), c.socket.expiry.timer, c.socket.active.Load())
		}
		if got := c.take(); len(got) > 0 {
			t.Errorf("sent %q", got)
		}
	})
}

// TestRenewOutlivesConnections has renewals that hang, of clients that go: only so many run on,
// they are named and counted, and keep nothing of their messages.
func TestRenewOutlivesConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		e, m := memEndpoint(t, renewing(func(context.Context, *Socket, string) (time.Time, error) {
			<-gate
			return time.Time{}, nil
		}), &EndpointOptions{Limits: NodeLimits{LateCallbacks: 3}})
		const push = `[null,"1","phoenix","access_token",{"access_token":"x"}]`
		for i := range 10 {
			c := memDial(t, m)
			c.send(push)
			synctest.Wait()
			if i < 3 {
				if r := c.socket.expiry.renewing; len(r.m.Payload.Data) > 0 {
					t.Errorf("keeps %s", r.m.Payload.Data)
				}
			} else {
				c.sees(`[null,"1","phoenix","phx_reply",` + busyReply + `]`)
			}
			c.hangUp(transport.ErrLost)
		}
		if s := e.Stats(); s.Callbacks != 3 || s.Reasons["late_renews"] != 7 {
			t.Errorf("%d callbacks, reasons %v", s.Callbacks, s.Reasons)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := e.Stats().Stuck; n != 3 {
			t.Errorf("%d are stuck", n)
		}
		if names := e.lingering.topics(10); len(names) != 3 || names[0] != `"phoenix"` {
			t.Errorf("lingering: %q", names)
		}
		close(gate)
		synctest.Wait()
		if n := e.lingering.len(); n != 0 || m.lateRenews.Load() != 0 {
			t.Errorf("%d are lingering, %d late", n, m.lateRenews.Load())
		}
		c := memDial(t, m)
		c.send(push)
		c.sees(`[null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}]`)
	})
}

// TestAccessTokenMessages sends access_token where it means nothing, or wrongly.
func TestAccessTokenMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := memEndpoint(t, renewing(forAnHour), nil)
		c := memDial(t, m)
		c.joins("a", "b")
		for _, tc := range []struct{ message, want string }{
			{`["7","9","c","access_token",{"access_token":"t"}]`, `[null,"9","c","phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]`},
			{`["0","9","a","access_token",{}]`, `["0","9","a","phx_reply",{"response":{"reason":"invalid payload","field":"access_token"},"status":"error"}]`},
			{`["0","9","a","access_token",{"access_token":null}]`, `["0","9","a","phx_reply",{"response":{"reason":"invalid payload","field":"access_token"},"status":"error"}]`},
			{`["0","9","a","access_token",{"access_token":1}]`, `["0","9","a","phx_reply",{"response":{"reason":"invalid payload","field":"access_token"},"status":"error"}]`},
			{`["0","9","a","access_token",[]]`, `["0","9","a","phx_reply",{"response":{"reason":"invalid payload"},"status":"error"}]`},
			{`["0",null,"a","access_token",{"access_token":"t"}]`, `["0",null,"a","phx_reply",{"response":{},"status":"ok"}]`},
		} {
			c.send(tc.message)
			c.sees(tc.want)
		}
		binary := append([]byte{0, 1, 1, 1, 12}, "09aaccess_token\x00\x01"...)
		(*receiver)(c.socket).Receive(wire.Binary, binary)
		c.sees(`["0","9","a","phx_reply",{"response":{"reason":"invalid payload"},"status":"error"}]`)
		// Of a join that is over: dropped, as anything else of it.
		c.send(`["99","9","a","access_token",{"access_token":"t"}]`)
		c.send(`[null,"10","phoenix","heartbeat",{}]`)
		c.sees(`[null,"10","phoenix","phx_reply",{"response":{},"status":"ok"}]`)
	})
}

// parrot is quiet, but answers events with their names.
type parrot struct{ quiet }

func (parrot) HandleIn(_ context.Context, event string, p Payload) (Reply, error) {
	return Reply{Status: protocol.StatusOK, Response: map[string]any{event: Raw(p.Data)}}, nil
}

// TestAccessTokenWithoutRenew is an event like any other.
func TestAccessTokenWithoutRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := memEndpoint(t, usersOf("*", handlerFunc(func(context.Context, *Channel, Payload) (Instance, Reply, error) {
			return parrot{}, Reply{}, nil
		}), Limits{}), nil)
		c := memDial(t, m)
		c.joins("a")
		c.send(`["0","9","a","access_token",{"access_token":"t"}]`)
		c.sees(`["0","9","a","phx_reply",{"response":{"access_token":{"access_token":"t"}},"status":"ok"}]`)
		c.send(`[null,"10","phoenix","access_token",{"access_token":"t"}]`)
		c.sees(`[null,"10","phoenix","phx_reply",{"response":{"reason":"unmatched topic"},"status":"error"}]`)
	})
}

// TestExpireAtAnywhere calls ExpireAt from many goroutines, from before the connection is
// open until after its end.
func TestExpireAtAnywhere(t *testing.T) {
	for range 10 {
		stop := make(chan struct{})
		var wg sync.WaitGroup
		users := usersOf("*", handlerFunc(joinQuiet), Limits{})
		users.ExpiryGrace = time.Microsecond
		users.Connect = func(_ context.Context, s *Socket, _ *ConnectInfo) error {
			for i := range 3 {
				wg.Go(func() {
					for n := 0; ; n++ {
						select {
						case <-stop:
							return
						default:
							s.ExpireAt(time.Now().Add(time.Duration(i*n) * time.Microsecond))
						}
					}
				})
			}
			return nil
		}
		_, m := memEndpoint(t, users, nil)
		c := memDial(t, m)
		c.send(`["1","1","a","phx_join",{}]`)
		for end := time.Now().Add(waittest.Patience); c.closed() == 0; {
			if time.Now().After(end) {
				t.Fatal("is never closed")
			}
			runtime.Gosched()
		}
		c.hangUp(transport.ErrLost)
		close(stop)
		wg.Wait()
		if c.socket.expiry.timer != nil {
			t.Fatal("a timer is left after the end")
		}
	}
}
