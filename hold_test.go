package bennu

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/transport"
)

// TestReplyBeforeBroadcasts publishes on a topic between a channel's subscription
// and the reply to its join: the reply waits for the adapter, comes first, and nothing is
// missed. A join that replaces another closes that one in between.
func TestReplyBeforeBroadcasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		adapter := newGate()
		h := &gatedHandler{}
		e, m := memEndpoint(t, usersOf("*", h, Limits{}), &EndpointOptions{PubSub: adapter.pubsub(t)})
		c := memDial(t, m)
		c.send(`["1","1","a","phx_join",{}]`)
		synctest.Wait()
		if err := e.Broadcast("a", "held", nil); err != nil {
			t.Error(err)
		}
		if err := e.Broadcast("a", "out", nil); err != nil { // is intercepted
			t.Error(err)
		}
		if err := e.Broadcast("a", "held", map[string]int{"n": 2}); err != nil {
			t.Error(err)
		}
		if err := h.last.ch.Push("early", nil); err != ErrNotJoined {
			t.Errorf("Push before the reply: %v", err)
		}
		synctest.Wait()
		if got := c.take(); len(got) != 0 {
			t.Errorf("before the adapter is ready: %q", got)
		}
		adapter.open("a")
		synctest.Wait()
		c.expect(
			`["1","1","a","phx_reply",{"response":{},"status":"ok"}]`,
			`[null,null,"a","held",{}]`,
			`[null,null,"a","held",{"n":2}]`,
			`["1",null,"a","out",{}]`,
		)
	})
}

// TestJoinEndsWhileWaitingForAdapter waits for an adapter that never confirms.
func TestJoinEndsWhileWaitingForAdapter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		adapter := newGate()
		e, m := memEndpoint(t, usersOf("*", handlerFunc(joinQuiet), Limits{}), &EndpointOptions{PubSub: adapter.pubsub(t)})
		c, lost := memDial(t, m), memDial(t, m)
		began := time.Now()
		c.send(`["1","1","a","phx_join",{}]`)
		c.send(`["1","2","phoenix","heartbeat",{}]`)
		lost.send(`["1","1","b","phx_join",{}]`)
		synctest.Wait()
		lost.hangUp(transport.ErrLost)
		time.Sleep(11 * time.Second) // of the bubble's clock
		c.expect(`["1","1","a","phx_reply",{"response":{"reason":"join crashed"},"status":"error"}]`,
			`[null,"2","phoenix","phx_reply",{"response":{},"status":"ok"}]`)
		if n := e.PubSub().Topics(); n != 0 {
			t.Errorf("%d topics left after %v", n, time.Since(began))
		}
	})
}

// TestHeldBroadcastsAreBounded publishes more than may wait for a join reply.
func TestHeldBroadcastsAreBounded(t *testing.T) {
	for _, size := range []int{2, 600 << 10} {
		synctest.Test(t, func(t *testing.T) {
			adapter := newGate()
			e, m := memEndpoint(t, usersOf("*", handlerFunc(joinQuiet), Limits{}), &EndpointOptions{PubSub: adapter.pubsub(t)})
			c := memDial(t, m)
			c.send(`["1","1","a","phx_join",{}]`)
			synctest.Wait()
			for i := 0; e.Stats().Reasons["join_backlog"] == 0; i++ {
				if i > maxHeldFrames {
					t.Fatal("broadcasts are held without bound")
				}
				if err := e.Broadcast("a", "e", Raw(`{"x":"`+string(make200()[:min(200, size)])+fmt.Sprintf("%0*d", size, i)+`"}`)); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			c.expect(`["1","1","a","phx_reply",{"response":{"reason":"join crashed"},"status":"error"}]`)
			if code := c.closed(); code != 0 {
				t.Errorf("closed with %d", code)
			}
		})
	}
}

// TestGraceForLeave has a handler that does not come to an end hold up a leave with a join
// behind it: for a second, and not longer.
func TestGraceForLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hangingHandler{gate: make(chan struct{})}
		_, m := memEndpoint(t, usersOf("*", h, Limits{}), nil)
		c := memDial(t, m)
		c.send(`["1","1","a","phx_join",{}]`)
		synctest.Wait()
		c.send(`["1","2","a","hang",{}]`)
		c.send(`["1","3","a","phx_leave",{}]`)
		c.send(`["4","4","a","phx_join",{}]`)
		c.send(`["4","5","phoenix","heartbeat",{}]`)
		time.Sleep(leaveGrace - time.Nanosecond)
		synctest.Wait()
		c.expect(`["1","1","a","phx_reply",{"response":{},"status":"ok"}]`)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		c.expect(`["1","3","a","phx_reply",{"response":{},"status":"ok"}]`, `["1","1","a","phx_close",{}]`,
			`["4","4","a","phx_reply",{"response":{},"status":"ok"}]`, `[null,"5","phoenix","phx_reply",{"response":{},"status":"ok"}]`)
		close(h.gate)
		synctest.Wait()
		if got := c.take(); len(got) != 0 {
			t.Errorf("from the old instance: %q", got)
		}
	})
}

// hangingHandler has handlers that do not mind their context.
type hangingHandler struct {
	quiet
	gate chan struct{}
}

func (h *hangingHandler) Join(context.Context, *Channel, Payload) (Instance, Reply, error) {
	return h, Reply{}, nil
}

func (h *hangingHandler) HandleIn(context.Context, string, Payload) (Reply, error) {
	<-h.gate
	return Reply{Status: "ok"}, nil
}
