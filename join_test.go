package bennu_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/transport"
)

// slowRooms are rooms whose join of "slow" waits for the test.
func slowRooms(g *gates) *bennu.Definition[*gatedRoom] {
	d := bennu.Define(func(ctx context.Context, ch *bennu.Channel, _ bennu.Empty) (*gatedRoom, bennu.Empty, error) {
		switch ch.Topic() {
		case "slow":
			g.entered <- ch.Topic()
			<-g.open
		case "minds":
			g.entered <- ch.Topic()
			select {
			case <-ctx.Done():
				g.causes <- context.Cause(ctx)
				return nil, bennu.Empty{}, ctx.Err()
			case <-g.open:
			}
		}
		return &gatedRoom{ch, g}, bennu.Empty{}, nil
	})
	bennu.On(d, "echo", func(_ *gatedRoom, _ context.Context, p bennu.Payload) (bennu.Payload, error) { return p, nil })
	return d
}

// TestJoinDeadline lets a join take too long: it is answered, and what waited behind it
// is handled in order. What the join then returns is ended at once.
func TestJoinDeadline(t *testing.T) {
	for range 10 {
		if testJoinDeadline(t) {
			return
		}
	}
	t.Error("the join behind the slow one is never in time")
}

// testJoinDeadline reports false if the machine was so slow that another join took too long.
func testJoinDeadline(t *testing.T) bool {
	g := newGates()
	users := one("*", slowRooms(g))
	users.Limits.JoinTimeout = time.Second / 2 // which the join of "a" must not take, too
	s := g.serve(t, users)
	c := wstest.Dial(t, s.url)
	slow, slowRef := c.Frame("slow", "phx_join", "{}")
	late, lateRef := c.Frame("slow", "echo", "{}")
	join, joinRef := c.Frame("a", "phx_join", "{}")
	echo, echoRef := c.Frame("a", "echo", `{"n":1}`)
	beat, beatRef := c.Frame("phoenix", "heartbeat", "{}")
	c.Send(slow, late, join, echo, beat)
	c.Expect(
		wstest.Refused(slowRef, slowRef, "slow", "join crashed"),
		wstest.Refused("null", lateRef, "slow", "unmatched topic"),
	)
	if m := c.Message(); m.String() == wstest.Refused(joinRef, joinRef, "a", "join crashed") {
		return false
	} else if m.String() != wstest.OK(joinRef, joinRef, "a") {
		t.Fatalf("the join behind it: %v", m)
	}
	// The reply of a channel and that of the socket may come either way round.
	if m := c.ReplyTo(echoRef); m.Response != `{"n":1}` {
		t.Errorf("echo: %v", m)
	}
	c.ReplyTo(beatRef)

	g.open <- struct{}{}
	if err := waittest.Next(t, "Terminate of the late instance", g.ends); err != bennu.ErrJoinTimeout {
		t.Errorf("Terminate was told %v", err)
	}
	c.Fence()
	if n := s.Stats().JoinCrashes; n != 1 {
		t.Errorf("%d joins counted as crashed", n)
	}

	ref := c.Push("minds", "phx_join", "{}")
	c.Expect(wstest.Refused(ref, ref, "minds", "join crashed"))
	if err := waittest.Next(t, "the end of the join's context", g.causes); err != bennu.ErrJoinTimeout {
		t.Errorf("the join's context ended with %v", err)
	}
	c.Fence()
	return true
}

// TestJoinDeadlineAtOnce has a deadline that passes before the join begins.
func TestJoinDeadlineAtOnce(t *testing.T) {
	g := newGates()
	users := one("*", slowRooms(g))
	users.Limits.JoinTimeout = 1
	s := g.serve(t, users)
	c := wstest.Dial(t, s.url)
	for i := range 500 {
		topic := fmt.Sprint("t", i)
		status, response := c.Ask(topic, "phx_join", "{}")
		if status != "ok" && response != `{"reason":"join crashed"}` {
			t.Fatalf("join: %s %s", status, response)
		}
		if status, _ := c.Ask(topic, "phx_leave", "{}"); status != "ok" {
			t.Fatal("leave was refused")
		}
	}
	eventually(t, "every instance ended", func() bool { return s.Stats().Callbacks == 0 })
}

// TestPingWhileJoining answers pings of the transport while a join holds everything
// else back.
func TestPingWhileJoining(t *testing.T) {
	g := newGates()
	s := g.serve(t, one("*", slowRooms(g)))
	c := wstest.Dial(t, s.url)
	join, joinRef := c.Frame("slow", "phx_join", "{}")
	beat, beatRef := c.Frame("phoenix", "heartbeat", "{}")
	c.Send(join, beat)
	waittest.Next(t, "the join", g.entered)
	c.Send(wstest.Ping("one"))
	c.ExpectFrame(wstest.Frame{Op: wstest.OpPong, Payload: []byte("one")})
	c.Send(wstest.Ping("two"))
	c.ExpectFrame(wstest.Frame{Op: wstest.OpPong, Payload: []byte("two")})
	g.open <- struct{}{}
	c.Expect(wstest.OK(joinRef, joinRef, "slow"), wstest.OK("null", beatRef, "phoenix"))
}

// TestJoinHoldsFrames sends more behind a slow join than the server will hold: it
// stops reading, and handles all of it in the end, in order.
func TestJoinHoldsFrames(t *testing.T) {
	g := newGates()
	s := g.serve(t, one("*", slowRooms(g)))
	c := wstest.Dial(t, s.url)
	join, joinRef := c.Frame("slow", "phx_join", "{}")
	frames := []wstest.Frame{join}
	var want []string
	for i := range 2000 {
		response := fmt.Sprintf(`{"n":%d}`, i)
		f, ref := c.Frame("slow", "echo", response)
		frames = append(frames, f)
		want = append(want, wstest.Reply(joinRef, ref, "slow", "ok", response))
	}
	c.Send(frames...)
	waittest.Next(t, "the join", g.entered)
	g.open <- struct{}{}
	c.Expect(wstest.OK(joinRef, joinRef, "slow"))
	c.Expect(want...)
}

// TestConnectionLostWhileJoining ends the connection under a join.
func TestConnectionLostWhileJoining(t *testing.T) {
	g := newGates()
	s := g.serve(t, one("*", slowRooms(g)))
	c := wstest.Dial(t, s.url)
	c.Push("minds", "phx_join", "{}")
	c.Push("minds", "phx_join", "{}")
	waittest.Next(t, "the join", g.entered)
	c.Abort()
	if err := waittest.Next(t, "the end of the join's context", g.causes); !errors.Is(err, transport.ErrLost) {
		t.Errorf("the join's context ended with %v", err)
	}

	// One that does not mind its context finds the connection gone.
	c = wstest.Dial(t, s.url)
	c.Push("slow", "phx_join", "{}")
	waittest.Next(t, "the join", g.entered)
	c.Abort()
	eventually(t, "the socket is gone", func() bool { return s.Stats().Sockets == 0 })
	g.open <- struct{}{}
	if err := waittest.Next(t, "Terminate of the late instance", g.ends); !errors.Is(err, transport.ErrLost) {
		t.Errorf("Terminate was told %v", err)
	}
}
