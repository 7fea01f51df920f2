package bennu_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
)

// gates lets the test say when handlers go on. A handler waits at the gate its
// payload names.
type gates struct {
	entered chan string // what the payload named
	open    chan struct{}
	causes  chan error // of handlers whose context ended at the gate
	ends    chan error // what Terminate was told
}

func newGates() *gates {
	return &gates{entered: make(chan string, 10_000), open: make(chan struct{}, 10_000), causes: make(chan error, 10_000), ends: make(chan error, 10_000)}
}

// serve is serve with all gates open at the end of the test, before the shutdown.
func (g *gates) serve(t testing.TB, users *bennu.SocketHandler) *server {
	t.Helper()
	s := serve(t, users, nil, nil)
	t.Cleanup(func() { close(g.open) })
	return s
}

type gatedRoom struct {
	*bennu.Channel
	g *gates
}

func (r *gatedRoom) Terminate(reason error) { r.g.ends <- reason }

// channel is a room with gates: "wait" minds its context, "hang" does not.
func (g *gates) channel() *bennu.Definition[*gatedRoom] {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, _ bennu.Empty) (*gatedRoom, bennu.Empty, error) {
		return &gatedRoom{ch, g}, bennu.Empty{}, nil
	})
	bennu.On(d, "echo", func(_ *gatedRoom, _ context.Context, p bennu.Payload) (bennu.Payload, error) { return p, nil })
	bennu.On(d, "wait", func(r *gatedRoom, ctx context.Context, _ bennu.Empty) (bennu.Empty, error) {
		g.entered <- r.Topic()
		select {
		case <-g.open:
		case <-ctx.Done():
			g.causes <- context.Cause(ctx)
			_ = r.Push("too late", nil)
		}
		return bennu.Empty{}, nil
	})
	bennu.On(d, "hang", func(r *gatedRoom, _ context.Context, _ bennu.Empty) (bennu.Empty, error) {
		g.entered <- r.Topic()
		<-g.open
		_ = r.Push("too late", nil)
		return bennu.Empty{}, nil
	})
	return d
}

// rejoin sends a leave and a join at once, and wants the answers to the leave
// first, whatever the server is at.
func rejoin(t *testing.T, c *wstest.Client, topic string, before ...wstest.Frame) {
	t.Helper()
	old := c.JoinRef(topic)
	leave, leaveRef := c.Frame(topic, "phx_leave", "{}")
	join, joinRef := c.Frame(topic, "phx_join", "{}")
	c.Send(append(before, leave, join)...)
	c.Expect(wstest.OK(old, leaveRef, topic), wstest.Closed(old, topic), wstest.OK(joinRef, joinRef, topic))
}

func TestLeaveAndRejoinAtOnce(t *testing.T) {
	// With a limit of one the old instance must be out of the way in time, too.
	users := one("a", rooms())
	users.Limits.Topics = 1
	s := serve(t, users, nil, nil)
	c := wstest.Dial(t, s.url)
	c.Join("a")
	for range 1000 {
		rejoin(t, c, "a")
	}
	c.Want("a", "echo", `{"still":"here"}`, "ok", `{"still":"here"}`)
	c.Fence()
}

// TestLeaveThenOther joins another topic as soon as the leave is answered: the
// topic that was left no longer counts.
func TestLeaveThenOther(t *testing.T) {
	users := one("*", rooms())
	users.Limits.Topics = 1
	s := serve(t, users, nil, nil)
	c := wstest.Dial(t, s.url)
	for i := range 500 {
		topic := fmt.Sprint("t", i)
		c.Join(topic)
		c.Want(topic, "phx_leave", "{}", "ok", "{}")
	}
}

// TestLeaveBehindHandler leaves and joins again while a handler works and others
// wait: all that came before the leave is answered before it.
func TestLeaveBehindHandler(t *testing.T) {
	g := newGates()
	s := g.serve(t, one("*", g.channel()))
	c := wstest.Dial(t, s.url)
	c.Join("b")
	for range 50 {
		old := c.Join("a")
		wait, waitRef := c.Frame("a", "wait", "{}")
		echo, echoRef := c.Frame("a", "echo", "{}")
		leave, leaveRef := c.Frame("a", "phx_leave", "{}")
		join, joinRef := c.Frame("a", "phx_join", "{}")
		other, otherRef := c.Frame("b", "echo", "{}")
		began := time.Now()
		c.Send(wait, echo, leave, join, other)
		waittest.Next(t, "the handler", g.entered)
		g.open <- struct{}{}
		for _, ref := range []string{waitRef, echoRef, leaveRef} {
			m := c.Message()
			if m.Ref == leaveRef && time.Since(began) >= time.Second {
				break // the join waits no longer than that for what came before it
			}
			if m.String() != wstest.OK(old, ref, "a") {
				t.Fatalf("got %v, want the reply to %s", m, ref)
			}
		}
		c.Expect(wstest.Closed(old, "a"), wstest.OK(joinRef, joinRef, "a"), wstest.OK(c.JoinRef("b"), otherRef, "b"))
		if err := waittest.Next(t, "Terminate", g.ends); err != bennu.ErrLeft {
			t.Fatalf("Terminate was told %v", err)
		}
		c.Want("a", "phx_leave", "{}", "ok", "{}")
		c.Event("a", "phx_close")
		waittest.Next(t, "Terminate", g.ends)
	}
	c.Fence()
}

// TestLeaveTwice sends two leaves at once. The second may go unanswered, as
// what a client sends to a topic that it is leaving may.
func TestLeaveTwice(t *testing.T) {
	g := newGates()
	s := g.serve(t, one("*", g.channel()))
	c := wstest.Dial(t, s.url)
	for range 100 {
		joinRef := c.Join("a")
		first, firstRef := c.Frame("a", "phx_leave", "{}")
		second, secondRef := c.Frame("a", "phx_leave", "{}")
		c.Send(first, second)
		c.Expect(wstest.OK(joinRef, firstRef, "a"), wstest.Closed(joinRef, "a"))
		end := c.Push("phoenix", "heartbeat", "{}")
		m := c.Message()
		if m.Ref == secondRef && m.Status == "ok" {
			m = c.Message()
		}
		if m.Ref != end {
			t.Fatalf("after two leaves: %v", m)
		}
		waittest.Next(t, "Terminate", g.ends)
	}
	if len(g.ends) > 0 {
		t.Error("Terminate was called twice")
	}
}

// TestLimitCountsLeaving holds a channel in the middle of being left.
func TestLimitCountsLeaving(t *testing.T) {
	g := newGates()
	users := one("*", g.channel())
	users.Limits.Topics = 2
	s := g.serve(t, users)
	c := wstest.Dial(t, s.url)
	a := c.Join("a")
	c.Join("b")
	c.Push("a", "hang", "{}")
	waittest.Next(t, "the handler", g.entered)
	left := c.Push("a", "phx_leave", "{}")
	ref := c.Push("c", "phx_join", "{}")
	c.Expect(wstest.Refused(ref, ref, "c", "too many channels joined"))
	g.open <- struct{}{}
	c.Event("a", "too late") // the leave came after it
	c.ReplyTo(left)
	if m := c.Event("a", "phx_close"); m.Ref != a {
		t.Errorf("closed %v", m)
	}
	c.Join("c")
}

// TestLeaveOfHangingHandler leaves a channel whose handler never returns, and joins
// again: after a second the server answers for it.
func TestLeaveOfHangingHandler(t *testing.T) {
	g := newGates()
	s := g.serve(t, one("*", g.channel()))
	c := wstest.Dial(t, s.url)
	c.Join("a")
	hang, _ := c.Frame("a", "hang", "{}")
	echo, _ := c.Frame("a", "echo", "{}") // is not handled any more
	rejoin(t, c, "a", hang, echo)
	c.Want("a", "echo", "{}", "ok", "{}")
	g.open <- struct{}{}
	if err := waittest.Next(t, "Terminate", g.ends); err != bennu.ErrLeft {
		t.Errorf("Terminate was told %v", err)
	}
	c.Fence() // and neither the reply nor the push of the old handler is seen
}

// TestDuplicateJoinOfRunningHandler joins again while a handler works. The connection
// does not wait for it, and nothing of it is seen.
func TestDuplicateJoinOfRunningHandler(t *testing.T) {
	g := newGates()
	s := g.serve(t, one("*", g.channel()))
	c := wstest.Dial(t, s.url)
	for range 50 {
		old := c.Join("a")
		c.Push("a", "wait", "{}")
		c.Push("a", "echo", "{}") // behind it in the mailbox
		waittest.Next(t, "the handler", g.entered)
		ref := c.Push("a", "phx_join", "{}")
		c.Expect(wstest.OK(ref, ref, "a"), wstest.Closed(old, "a"))
		if err := waittest.Next(t, "the end of the handler's context", g.causes); err != bennu.ErrDuplicateJoin {
			t.Fatalf("the handler's context ended with %v", err)
		}
		if err := waittest.Next(t, "Terminate", g.ends); err != bennu.ErrDuplicateJoin {
			t.Fatalf("Terminate was told %v", err)
		}
		echoed := c.Push("a", "echo", "{}")
		c.Expect(wstest.OK(ref, echoed, "a"))
		c.Want("a", "phx_leave", "{}", "ok", "{}")
		c.Event("a", "phx_close")
		waittest.Next(t, "Terminate", g.ends)
	}
	c.Fence()
}

// TestDuplicateJoinOfHangingHandler does the same with one that never returns.
func TestDuplicateJoinOfHangingHandler(t *testing.T) {
	g := newGates()
	s := g.serve(t, one("*", g.channel()))
	c := wstest.Dial(t, s.url)
	old := c.Join("a")
	c.Push("a", "hang", "{}")
	waittest.Next(t, "the handler", g.entered)
	for range 3 {
		ref := c.Push("a", "phx_join", "{}")
		c.Expect(wstest.OK(ref, ref, "a"), wstest.Closed(old, "a"))
		c.Push("a", "hang", "{}")
		waittest.Next(t, "the handler", g.entered)
		old = ref
	}
	c.Fence()
	for range 3 {
		g.open <- struct{}{}
	}
	for range 3 {
		waittest.Next(t, "Terminate", g.ends)
	}
	c.Fence()
}

// TestDuplicateJoinStream sends many joins of one topic at once: each closes the one
// before, after its own reply.
func TestDuplicateJoinStream(t *testing.T) {
	s := serve(t, one("*", rooms()), nil, nil)
	c := wstest.Dial(t, s.url)
	var frames []wstest.Frame
	var want []string
	old := ""
	for range 500 {
		f, ref := c.Frame("a", "phx_join", "{}")
		frames = append(frames, f)
		want = append(want, wstest.OK(ref, ref, "a"))
		if old != "" {
			want = append(want, wstest.Closed(old, "a"))
		}
		old = ref
	}
	c.Send(frames...)
	c.Expect(want...)
	c.Fence()
}
