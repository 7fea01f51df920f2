package bennu

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/transport"
)

// TestJoinRate joins more often than a connection may. The refusal has the join's own
// refs, so that a client knows which join it was, and leaves what is joined alone.
func TestJoinRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := memEndpoint(t, usersOf("a*", handlerFunc(joinQuiet), Limits{JoinBurst: 3, JoinRate: 2}), nil)
		c := memDial(t, m)
		join := func(n int, topic, response string) {
			t.Helper()
			c.send(fmt.Sprintf(`["%d","%d","%s","phx_join",{}]`, n, n, topic))
			joinRef := fmt.Sprintf("%q", fmt.Sprint(n))
			if topic[0] != 'a' {
				joinRef = "null"
			}
			c.expect(fmt.Sprintf(`[%s,"%d","%s","phx_reply",%s]`, joinRef, n, topic, response))
		}
		const ok, refused = `{"response":{},"status":"ok"}`, `{"response":{"reason":"too many joins"},"status":"error"}`
		join(1, "a", ok)
		join(2, "a:b", ok)
		join(3, "unknown", `{"response":{"reason":"unmatched topic"},"status":"error"}`) // costs no callback
		join(4, "a:c", ok)
		join(5, "a:d", refused)
		join(6, "a", refused)
		c.send(`["1","6","a","event",{}]`) // it is joined as before
		c.send(`["1","7","a","phx_leave",{}]`)
		c.expect(`["1","7","a","phx_reply",{"response":{},"status":"ok"}]`, `["1","1","a","phx_close",{}]`)
		c.send(`[null,"8","a","phx_join",{}]`)
		c.expect(`[null,"8","a","phx_reply",` + refused + `]`)
		time.Sleep(time.Second)
		join(9, "a", ok)
		join(10, "a:d", ok)
		join(11, "a:e", refused)
	})
}

// TestFullRejoin has a client come back with all its topics, and again.
func TestFullRejoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := memEndpoint(t, usersOf("*", handlerFunc(joinQuiet), Limits{}), nil)
		for range 3 {
			c := memDial(t, m)
			for i := range 100 {
				c.send(fmt.Sprintf(`["%d","%d","room:%d","phx_join",{}]`, i, i, i))
			}
			for i, got := range c.await(100) {
				if want := fmt.Sprintf(`["%d","%d","room:%d","phx_reply",{"response":{},"status":"ok"}]`, i, i, i); got != want {
					t.Fatalf("got  %s\nwant %s", got, want)
				}
			}
			c.hangUp(transport.ErrLost)
		}
	})
}

// stream sends heartbeats as a client that has one ready every interval would, through
// a transport that minds what Receive asks for. It returns how many were taken, and when
// the connection was closed, or 0.
func stream(c *memClient, interval, length time.Duration) (taken int, closedAfter time.Duration) {
	began := time.Now()
	for i := 0; ; i++ {
		if early := time.Duration(i)*interval - time.Since(began); early > 0 {
			time.Sleep(early)
		}
		if time.Since(began) >= length {
			return taken, 0
		}
		resume := c.send(`[null,"1","phoenix","heartbeat",{}]`)
		if c.closed() != 0 {
			return taken, time.Since(began)
		}
		taken++
		if resume != nil {
			<-resume
		}
	}
}

// TestMessageRate sends at different speeds on connections that may send 10 or 1 a
// second.
func TestMessageRate(t *testing.T) {
	for _, tc := range []struct {
		name     string
		rate     int
		interval time.Duration
		closed   bool
		taken    int // in 30 s, or until it is closed
	}{
		{"unlimited", 0, time.Millisecond, false, 30_000},
		{"far below", 10, time.Second, false, 30},
		{"just below", 10, 105 * time.Millisecond, false, 286},
		{"a little above", 10, 70 * time.Millisecond, true, 0}, // first the burst is used up
		{"far above", 10, time.Millisecond, true, 110},
		{"without a pause", 10, 0, true, 110},
		{"one a second, below", 1, 1500 * time.Millisecond, false, 20},
		{"one a second, above", 1, 500 * time.Millisecond, true, 11},
		{"many", 1000, 10 * time.Microsecond, true, 11_000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, m := memEndpoint(t, usersOf("*", handlerFunc(joinQuiet), Limits{MessageRate: tc.rate}), nil)
				c := memDial(t, m)
				taken, after := stream(c, tc.interval, 30*time.Second)
				if tc.closed != (after > 0) || after > 0 && after < throttlePatience {
					t.Errorf("closed after %v", after)
				}
				if tc.taken > 0 && (taken < tc.taken-tc.rate/10-1 || taken > tc.taken+tc.rate/10+1) {
					t.Errorf("%d messages were taken, want about %d", taken, tc.taken)
				}
				if tc.closed {
					if code := c.closed(); code != transport.ClosePolicy {
						t.Errorf("closed with %d", code)
					}
					c.hangUp(&transport.ClosedError{Code: transport.ClosePolicy})
					if c.socket.reason != ErrTooFast {
						t.Errorf("the reason is %v", c.socket.reason)
					}
				}
			})
		})
	}
}

// TestMessageRateForgives lets a client press for less than the patience, rest, and press
// again.
func TestMessageRateForgives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, m := memEndpoint(t, usersOf("*", handlerFunc(joinQuiet), Limits{MessageRate: 10}), nil)
		c := memDial(t, m)
		for range 5 {
			if _, after := stream(c, 0, 9*time.Second); after != 0 {
				t.Fatalf("closed after %v", after)
			}
			time.Sleep(2 * throttleBreath)
		}
	})
}
