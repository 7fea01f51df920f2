package bennu

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/transport"
)

// gated is an instance whose handlers wait to be let through, one by one.
type gated struct {
	ch   *Channel
	gate chan struct{}
	seen []string
}

func (g *gated) HandleIn(ctx context.Context, event string, _ Payload) (Reply, error) {
	select {
	case <-g.gate:
	case <-ctx.Done():
		return Reply{}, nil
	}
	g.seen = append(g.seen, event)
	return Reply{Status: protocol.StatusOK}, nil
}

func (g *gated) HandleOut(_ context.Context, event string, p Payload) error {
	return g.ch.Push(event, p)
}

func (g *gated) HandleInfo(ctx context.Context, msg any) error {
	select {
	case <-g.gate:
	case <-ctx.Done():
		return nil
	}
	return g.ch.Push("info", map[string]any{"msg": msg})
}

func (g *gated) Intercepts() []string { return []string{"out"} }

func (g *gated) Terminate(error) {}

// gatedHandler makes gated channels and keeps the last.
type gatedHandler struct{ last *gated }

func (h *gatedHandler) Join(_ context.Context, ch *Channel, _ Payload) (Instance, Reply, error) {
	h.last = &gated{ch: ch, gate: make(chan struct{})}
	return h.last, Reply{}, nil
}

func usersOf(pattern string, h ChannelHandler, l Limits) *SocketHandler {
	users := &SocketHandler{Limits: l}
	users.Channel(pattern, h)
	return users
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// TestMailboxModel compares the mailbox with a plain list.
func TestMailboxModel(t *testing.T) {
	var b mailbox
	var model []string
	next := 0
	for round := range 1000 {
		for range round % 7 {
			e := fmt.Sprint(next)
			next++
			b.push(item{event: e})
			model = append(model, e)
		}
		for range (round * 5) % 8 {
			if b.empty() != (len(model) == 0) {
				t.Fatalf("empty is %v with %d in it", b.empty(), len(model))
			}
			if len(model) == 0 {
				break
			}
			if got := b.pop(&Limits{}).event; got != model[0] {
				t.Fatalf("popped %s, want %s", got, model[0])
			}
			model = model[1:]
		}
		bytes := 0
		for _, e := range model {
			bytes += len(e)
		}
		if b.empty() {
			if len(model) > 0 {
				t.Fatalf("is empty, want %d items", len(model))
			}
		} else if b.q.in != len(model) || b.q.inBytes != bytes {
			t.Fatalf("counts %d and %d bytes, want %d and %d", b.q.in, b.q.inBytes, len(model), bytes)
		}
	}
	b.clear()
	if !b.empty() {
		t.Fatalf("after clear: %+v", b)
	}
}

// TestMailboxNeverEmpty keeps a mailbox busy: what it holds must not grow with
// what has gone through it.
func TestMailboxNeverEmpty(t *testing.T) {
	var b mailbox
	b.push(item{})
	for range 100_000 {
		b.push(item{})
		b.pop(&Limits{})
	}
	if n := cap(b.q.list); n > maxPooled {
		t.Errorf("a mailbox with never more than 2 items holds room for %d", n)
	}
}

// TestMailboxFullStopsReading fills a channel with its client's messages: that
// client is asked to wait until half is handled, and nobody else.
func TestMailboxFullStopsReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &gatedHandler{}
		_, m := memEndpoint(t, usersOf("*", h, Limits{MailboxMessages: 8}), nil)
		a, b := memDial(t, m), memDial(t, m)
		a.send(`["1","1","a","phx_join",{}]`)
		synctest.Wait()
		a.take()

		var resume <-chan struct{}
		sent := 0
		for ; resume == nil; sent++ {
			if sent > 100 {
				t.Fatal("never asked to wait")
			}
			resume = a.send(fmt.Sprintf(`["1","%d","a","e%d",{}]`, sent, sent))
			synctest.Wait()
		}
		if sent != 9 { // one is being handled, eight wait
			t.Errorf("asked to wait after %d messages, want 9", sent)
		}
		if b.send(`[null,"1","phoenix","heartbeat",{}]`) != nil {
			t.Error("another client was asked to wait")
		}
		b.expect(`[null,"1","phoenix","phx_reply",{"response":{},"status":"ok"}]`)
		for i := range 4 {
			if isClosed(resume) {
				t.Fatalf("reading goes on after %d of 9", i)
			}
			h.last.gate <- struct{}{}
			synctest.Wait()
		}
		if !isClosed(resume) {
			t.Error("reading does not go on with 4 of 8 left")
		}
		close(h.last.gate)
		synctest.Wait()
		for i, e := range h.last.seen {
			if e != fmt.Sprintf("e%d", i) {
				t.Fatalf("handled %q", h.last.seen)
			}
		}
	})
}

// TestMailboxFullByBytes stops reading by size, too.
func TestMailboxFullByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &gatedHandler{}
		_, m := memEndpoint(t, usersOf("*", h, Limits{MailboxBytes: 100}), nil)
		c := memDial(t, m)
		c.send(`["1","1","a","phx_join",{}]`)
		synctest.Wait()
		c.send(`["1","2","a","e",{}]`)
		synctest.Wait()
		resume := c.send(`["1","3","a","e","` + string(make200()) + `"]`)
		if resume == nil {
			t.Fatal("not asked to wait with 200 bytes of 100")
		}
		c.hangUp(transport.ErrLost)
		if !isClosed(resume) {
			t.Error("the end of the connection does not wake who waits")
		}
		close(h.last.gate)
	})
}

func make200() []byte {
	b := make([]byte, 200)
	for i := range b {
		b[i] = 'x'
	}
	return b
}

// TestMailboxOthersFull fills a channel from elsewhere: Send says so, Leave still
// gets through, and an intercepted broadcast ends the channel with phx_error.
func TestMailboxOthersFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &gatedHandler{}
		e, m := memEndpoint(t, usersOf("*", h, Limits{MailboxMessages: 4}), nil)
		a := memDial(t, m)
		a.send(`["1","1","a","phx_join",{}]`)
		a.send(`["1","1","b","phx_join",{}]`)
		synctest.Wait()
		onB := h.last
		a.send(`["1","2","b","phx_leave",{}]`)
		synctest.Wait()
		a.take()
		if err := onB.ch.Send(1); !errors.Is(err, ErrClosed) {
			t.Errorf("Send on a channel that was left: %v", err)
		}

		a.send(`["2","2","a","phx_join",{}]`)
		synctest.Wait()
		a.take()
		ch := h.last.ch
		for i := range 5 {
			if err := ch.Send(i); err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
			synctest.Wait() // the first is with the handler
		}
		if err := ch.Send(5); !errors.Is(err, ErrMailboxFull) {
			t.Errorf("Send to a full mailbox: %v", err)
		}
		if a.send(`["2","3","a","in",{}]`) != nil {
			t.Error("the client is made to wait for what others have sent")
		}
		if err := e.Broadcast("a", "plain", nil); err != nil {
			t.Error(err)
		}
		a.expect(`[null,null,"a","plain",{}]`)
		if err := e.Broadcast("a", "out", nil); err != nil {
			t.Error(err)
		}
		a.expect(`["2","2","a","phx_error",{"reason":"channel_crash"}]`)
		if s := e.Stats(); s.Overflows != 1 || s.Crashes != 1 {
			t.Errorf("counted %d overflows and %d crashes", s.Overflows, s.Crashes)
		}
		close(h.last.gate)

		a.send(`["3","4","a","phx_join",{}]`)
		synctest.Wait()
		a.take()
		for i := range 5 {
			h.last.ch.Send(i)
			synctest.Wait()
		}
		h.last.ch.Leave()
		h.last.ch.Leave()
		close(h.last.gate)
		synctest.Wait()
		got := a.take()
		if n := len(got); n != 6 || got[n-1] != `["3","3","a","phx_close",{}]` {
			t.Errorf("after Leave on a full mailbox: %q", got)
		}
	})
}

// TestOverflowWhileJoining fills the mailbox of a channel whose join is not
// answered yet. The client must get an answer, and the topic stay free.
func TestOverflowWhileJoining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &gatedHandler{}
		adapter := newGate()
		e, m := memEndpoint(t, usersOf("*", h, Limits{MailboxMessages: 2, Topics: 1}), &EndpointOptions{PubSub: adapter.pubsub(t)})
		c := memDial(t, m)
		c.send(`["1","1","a","phx_join",{}]`)
		synctest.Wait()
		for range 3 {
			e.LocalBroadcast("a", "out", nil)
		}
		adapter.open("a")
		synctest.Wait()
		if got := c.take(); len(got) != 1 || got[0] != `["1","1","a","phx_reply",{"response":{"reason":"join crashed"},"status":"error"}]` {
			t.Errorf("got %q", got)
		}
		if n := len(c.socket.channels); n != 0 {
			t.Errorf("%d channels in the table after a join that crashed", n)
		}
		c.send(`["2","2","b","phx_join",{}]`)
		adapter.open("b")
		synctest.Wait()
		if got := c.take(); len(got) != 1 || got[0] != `["2","2","b","phx_reply",{"response":{},"status":"ok"}]` {
			t.Errorf("another topic afterwards: %q", got)
		}
		if names := e.lingering.topics(10); len(names) != 0 {
			t.Errorf("lingering: %q", names)
		}
	})
}
