package client_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/wire"
)

func TestJoinRefIsTheFreshRefOfTheJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s, c := p.dial(nil)
		a, b := s.Channel("a", object{"x": 1}), s.Channel("b", nil)
		go func() {
			m := c.acceptJoin("a")
			if m.JoinRef != m.Ref || m.Ref.IsNull() || string(m.Payload.Data) != `{"x":1}` {
				t.Errorf("join %+v", m)
			}
			n := c.acceptJoin("b")
			if n.Ref == m.Ref {
				t.Errorf("two joins with the ref %s", n.Ref)
			}
		}()
		for _, ch := range []*client.Channel{a, b} {
			if _, err := ch.Join(t.Context()); err != nil {
				t.Fatal(err)
			}
			if client.JoinRef(ch) == "" {
				t.Error("no join_ref")
			}
		}
		if _, err := a.Join(t.Context()); err == nil || !strings.Contains(err.Error(), "was called before") {
			t.Errorf("second join: %v", err)
		}
	})
}

func TestJoinBeforeTheSocketIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s := wsV2.connect(t, peerURL, p.options(nil))
		ch := s.Channel("a", nil)
		done := make(chan error, 1)
		go func() {
			_, err := ch.Join(t.Context())
			done <- err
		}()
		time.Sleep(time.Second)
		p.accept().acceptJoin("a")
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestJoinErrorIsToldAndRejoinScheduled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		delays := []time.Duration{1000, 2000, 5000, 10000, 10000}
		s, c := p.dial(&client.Options{RejoinAfter: tableOf(delays...), HeartbeatInterval: time.Hour})
		ch := s.Channel("a", nil)
		errs := make(chan error, 10)
		ch.OnError(func(err error) { errs <- err })
		go func() { c.reply(c.expect("a", "phx_join"), "error", `{"reason":"full"}`) }()
		_, err := ch.Join(t.Context())
		var refused *client.ReplyError
		if !errors.As(err, &refused) || refused.Status != "error" || refused.Reason != "full" || ch.State() != client.StateErrored {
			t.Fatalf("join: %v, state %v", err, ch.State())
		}
		if err := <-errs; !errors.As(err, &refused) {
			t.Errorf("OnError got %v", err)
		}
		last := time.Now()
		for i, want := range delays {
			m := c.expect("a", "phx_join")
			if got := time.Since(last); got != want*time.Millisecond {
				t.Errorf("join %d after %v, want %v", i+2, got, want*time.Millisecond)
			}
			last = time.Now()
			c.reply(m, "error", `{}`)
		}
		c.acceptJoin("a")
		synctest.Wait()
		if ch.State() != client.StateJoined {
			t.Errorf("state %v", ch.State())
		}
		// After a join that succeeds the delays begin anew.
		c.push(c.join(ch), "a", "phx_error", `{"reason":"channel_crash"}`)
		last = time.Now()
		c.expect("a", "phx_join")
		if got := time.Since(last); got != time.Second {
			t.Errorf("rejoined after %v, want 1s", got)
		}
	})
}

// A channel that crashes right after each join is joined less and less often, until a join lasts.
func TestRejoinTriesGoOnWhenJoinsDoNotLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		delays := []time.Duration{1000, 2000, 5000, 10000, 10000}
		s, c := p.dial(&client.Options{RejoinAfter: tableOf(delays...), HeartbeatInterval: time.Hour})
		ch := s.Channel("a", nil)
		go func() { _, _ = ch.Join(t.Context()) }()
		last := time.Now()
		crash := func(after, want time.Duration) {
			t.Helper()
			c.acceptJoin("a")
			if got := time.Since(last); got != want*time.Millisecond {
				t.Errorf("joined after %v, want %v", got, want*time.Millisecond)
			}
			synctest.Wait()
			time.Sleep(after * time.Millisecond)
			c.push(c.join(ch), "a", "phx_error", "{}")
			last = time.Now()
		}
		crash(0, 0)
		crash(0, 1000)
		crash(10, 2000)
		crash(4000, 5000)
		crash(4999, 10000)
		crash(5000, 10000) // it lasts
		crash(0, 1000)
		crash(0, 1000)
		crash(0, 2000)
		closeSocket(t, s)
	})
}

func TestJoinTimeoutSendsLeaveAndRejoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s, c := p.dial(&client.Options{RejoinAfter: tableOf(1000)})
		ch := s.Channel("a", nil)
		start := time.Now()
		done := make(chan error, 1)
		go func() {
			_, err := ch.Join(t.Context())
			done <- err
		}()
		m := c.expect("a", "phx_join")
		if l := c.expect("a", "phx_leave"); l.JoinRef != m.JoinRef || time.Since(start) != 10*time.Second {
			t.Errorf("after %v leave %+v", time.Since(start), l)
		}
		if err := <-done; !errors.Is(err, client.ErrTimeout) {
			t.Errorf("join: %v", err)
		}
		c.reply(m, "ok", "{}") // too late
		synctest.Wait()
		if ch.State() != client.StateErrored {
			t.Errorf("state %v after a late reply", ch.State())
		}
		if n := c.acceptJoin("a"); n.JoinRef == m.JoinRef {
			t.Error("the join_ref was used twice")
		}
		synctest.Wait()
		if ch.State() != client.StateJoined {
			t.Errorf("state %v", ch.State())
		}
	})
}

func TestPhxErrorWhileJoinedOrJoining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s, c := p.dial(nil)
		ch := s.Channel("a", nil)
		go func() { c.push(c.expect("a", "phx_join"), "a", "phx_error", `{"reason":"channel_crash"}`) }()
		_, err := ch.Join(t.Context())
		if !errors.Is(err, client.ErrCrashed) || !strings.Contains(err.Error(), "channel_crash") {
			t.Errorf("join: %v", err)
		}
		m := c.acceptJoin("a")
		synctest.Wait()
		c.push(m, "a", "phx_error", `{}`)
		c.acceptJoin("a")
	})
}

func TestPhxCloseIsFinal(t *testing.T) {
	for _, name := range []string{"with join_ref", "without"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t)
				s, c := p.dial(&client.Options{HeartbeatInterval: time.Minute})
				ch := s.Channel("a", nil)
				closed := make(chan error, 1)
				ch.OnClose(func(err error) { closed <- err })
				go c.acceptJoin("a")
				if _, err := ch.Join(t.Context()); err != nil {
					t.Fatal(err)
				}
				join := c.join(ch)
				old := join
				old.JoinRef = `"999"`
				c.push(old, "a", "phx_close", "{}") // of another join, so it is ignored
				synctest.Wait()
				if ch.State() != client.StateJoined {
					t.Fatalf("state %v", ch.State())
				}
				if name == "without" {
					join.JoinRef = ""
				}
				c.push(join, "a", "phx_close", "{}")
				if err := <-closed; !errors.Is(err, client.ErrEnded) || ch.State() != client.StateClosed {
					t.Errorf("closed with %v, state %v", err, ch.State())
				}
				if _, err := ch.Push(t.Context(), "e", nil); !errors.Is(err, client.ErrEnded) {
					t.Errorf("push: %v", err)
				}
				c.expect("phoenix", "heartbeat") // and no join before
			})
		})
	}
}

func TestLeaveClosesAtOnceAndEndsTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s, c := p.dial(nil)
		ch := s.Channel("a", nil)
		closed := make(chan error, 1)
		ch.OnClose(func(err error) { closed <- err })
		go c.acceptJoin("a")
		if _, err := ch.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		left := make(chan error, 1)
		go func() { left <- ch.Leave(t.Context()) }()
		if err := <-closed; !errors.Is(err, client.ErrLeft) || ch.State() != client.StateClosed {
			t.Errorf("closed with %v, state %v", err, ch.State())
		}
		c.reply(c.expect("a", "phx_leave"), "ok", "{}")
		if err := <-left; err != nil {
			t.Error(err)
		}
		if err := ch.Leave(t.Context()); err != nil {
			t.Errorf("second leave: %v", err)
		}
		if err := ch.Send("e", nil); !errors.Is(err, client.ErrLeft) {
			t.Errorf("send: %v", err)
		}
		if _, err := ch.Join(t.Context()); !errors.Is(err, client.ErrLeft) {
			t.Errorf("join: %v", err)
		}
	})
}

// A server may close the channel and never answer the leave.
func TestLeaveIsAnsweredByPhxCloseToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s, c := p.dial(nil)
		go c.acceptJoin("a")
		ch := join(t, s, "a", nil)
		go func() { c.push(c.expect("a", "phx_leave"), "a", "phx_close", "{}") }()
		if err := ch.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		b := s.Channel("b", nil)
		go c.acceptJoin("b")
		if _, err := b.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		go c.expect("b", "phx_leave")
		if err := b.Leave(t.Context()); !errors.Is(err, client.ErrTimeout) {
			t.Errorf("leave without any answer: %v", err)
		}
	})
}

func TestJoinLeavesOtherChannelsOfTheTopic(t *testing.T) {
	run(t, allModes, func(t *testing.T, m mode, url string) {
		s := m.dial(t, url, nil)
		first := s.Channel("room:x", nil)
		closed := make(chan error, 1)
		first.OnClose(func(err error) { closed <- err })
		if _, err := first.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		second := join(t, s, "room:x", nil)
		if err := next(t, "the end of the first", closed); !errors.Is(err, client.ErrLeft) {
			t.Errorf("the first ended with %v", err)
		}
		for i := range 20 { // and the late phx_close of the first does not close the second
			if _, err := second.Push(t.Context(), "echo", object{"i": i}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestLeaveThenJoinAgain(t *testing.T) {
	run(t, allModes, func(t *testing.T, m mode, url string) {
		s := m.dial(t, url, nil)
		for range 20 {
			ch := join(t, s, "room:y", nil)
			left := make(chan error, 1)
			go func() { left <- ch.Leave(t.Context()) }()
			eventually(t, "the leave", func() bool { return ch.State() == client.StateClosed })
			ch = join(t, s, "room:y", nil)
			if _, err := ch.Push(t.Context(), "echo", nil); err != nil {
				t.Fatal(err)
			}
			if err := next(t, "the leave", left); err != nil {
				t.Fatal(err)
			}
			if err := ch.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestErroredChannelsRejoinWhenTheSocketOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s, c := p.dial(&client.Options{RejoinAfter: tableOf(3_600_000)})
		for i := range 5 {
			go c.acceptJoin(fmt.Sprint(i))
			if _, err := s.Channel(fmt.Sprint(i), nil).Join(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		c.cut()
		c = p.accept()
		topics := map[string]bool{}
		for range 5 {
			m, _ := c.read()
			topics[m.Topic+m.Event] = true
			c.reply(m, "ok", "{}")
		}
		if len(topics) != 5 {
			t.Errorf("joined %v", topics)
		}
	})
}

func TestParamsOfAJoinAreEvaluatedForEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s, c := p.dial(&client.Options{RejoinAfter: tableOf(1000)})
		n := 0
		ch := s.Channel("a", func(context.Context) (any, error) {
			switch n++; n {
			case 2:
				return nil, errors.New("none today")
			case 3:
				panic("oh")
			}
			return object{"n": n}, nil
		})
		errs := make(chan error, 10)
		ch.OnError(func(err error) { errs <- err })
		go c.acceptJoin("a")
		if _, err := ch.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.push(c.join(ch), "a", "phx_error", "{}")
		if m := c.acceptJoin("a"); string(m.Payload.Data) != `{"n":4}` {
			t.Errorf("joined with %s", m.Payload.Data)
		}
		<-errs
		if err := <-errs; err == nil || errors.Is(err, client.ErrPanic) {
			t.Errorf("error %v", err)
		}
		if err := <-errs; !errors.Is(err, client.ErrPanic) {
			t.Errorf("error %v", err)
		}
	})
}

// A function of params that does not return is not called a second time meanwhile. One that ends its
// goroutine fails the join.
func TestParamsOfAJoinAreEvaluatedOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s, c := p.dial(&client.Options{RejoinAfter: tableOf(1000), HeartbeatInterval: time.Hour})
		release := make(chan struct{})
		var calls atomic.Int32
		ch := s.Channel("a", func(context.Context) (any, error) {
			switch n := calls.Add(1); n {
			case 1:
				<-release
			case 2:
				runtime.Goexit()
			}
			return object{"n": calls.Load()}, nil
		})
		errs := make(chan error, 100)
		ch.OnError(func(err error) { errs <- err })
		if _, err := ch.Join(t.Context()); !errors.Is(err, client.ErrTimeout) {
			t.Errorf("Join: %v", err)
		}
		time.Sleep(time.Minute)
		if n := calls.Load(); n != 1 {
			t.Errorf("%d calls at a time", n)
		}
		for len(errs) > 0 {
			if err := <-errs; !errors.Is(err, client.ErrTimeout) {
				t.Errorf("error %v", err)
			}
		}
		close(release)
		if m := c.acceptJoin("a"); string(m.Payload.Data) != `{"n":3}` {
			t.Errorf("joined with %s", m.Payload.Data)
		}
		if err := <-errs; !strings.Contains(err.Error(), "Goexit") {
			t.Errorf("error %v", err)
		}
	})
}

func TestChannelErrorsOfTheFixture(t *testing.T) {
	run(t, allModes, func(t *testing.T, m mode, url string) {
		s := m.dial(t, url, &client.Options{RejoinAfter: func(int) time.Duration { return time.Millisecond }})
		var refused *client.ReplyError
		for topic, reason := range map[string]string{"room:err": "unauthorized", "room:crash": "join crashed", "nowhere": "unmatched topic"} {
			ch := s.Channel(topic, nil)
			if _, err := ch.Join(t.Context()); !errors.As(err, &refused) || refused.Reason != reason {
				t.Errorf("join of %s: %v, want %s", topic, err, reason)
			}
			if err := ch.Leave(t.Context()); err != nil {
				t.Error(err)
			}
		}
		ch := s.Channel("room:boom", nil)
		errs, closed := make(chan error, 10), make(chan error, 1)
		ch.OnError(func(err error) { errs <- err })
		ch.OnClose(func(err error) { closed <- err })
		if _, err := ch.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := ch.Push(t.Context(), "boom", nil)
		if !errors.Is(err, client.ErrInterrupted) || !errors.Is(err, client.ErrCrashed) || !strings.Contains(err.Error(), "channel_crash") {
			t.Errorf("push: %v", err)
		}
		if err := next(t, "OnError", errs); !errors.Is(err, client.ErrCrashed) {
			t.Errorf("OnError: %v", err)
		}
		if got, err := client.Push[object](t.Context(), ch, "echo", object{"again": true}); err != nil || got["again"] != true {
			t.Errorf("after the rejoin: %v, %v", got, err)
		}
		if got, err := client.Push[object](t.Context(), ch, "stop_reply", nil); err != nil || got["bye"] != 1.0 {
			t.Errorf("stop_reply: %v, %v", got, err)
		}
		if err := next(t, "OnClose", closed); !errors.Is(err, client.ErrEnded) {
			t.Errorf("OnClose: %v", err)
		}
	})
}

// When a connection opens, the delays of rejoins begin anew. Events of a channel that has
// crashed are dropped, since their join has ended.
func TestRejoinTriesAreResetWhenTheSocketOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan string, 10)
		ch, c, p := joined(t, &client.Options{RejoinAfter: tableOf(1000, 2000, 5000), HeartbeatInterval: time.Hour}, func(ch *client.Channel) {
			ch.On("e", func(m client.Message) { got <- string(m.Payload.Data) })
		})
		c.push(c.join(ch), "a", "phx_error", "{}")
		for range 2 {
			c.push(wire.Message{}, "a", "e", "1")
			c.reply(c.expect("a", "phx_join"), "error", "{}")
		}
		synctest.Wait()
		c.cut()
		c = p.accept()
		c.reply(c.expect("a", "phx_join"), "error", "{}")
		start := time.Now()
		m := c.acceptJoin("a")
		if took := time.Since(start); took != time.Second {
			t.Errorf("joined again after %v, want 1s", took)
		}
		c.push(m, "a", "e", "2")
		if data := <-got; data != "2" {
			t.Errorf("got event %s", data)
		}
	})
}

// The context of a function of params ends when its result is not needed any more.
func TestParamsOfAJoinHaveAContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t)
		s, _ := p.dial(&client.Options{RejoinAfter: tableOf(1000), HeartbeatInterval: time.Hour})
		ended := make(chan error, 10)
		ch := s.Channel("a", func(ctx context.Context) (any, error) {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			return nil, ctx.Err()
		})
		if _, err := ch.Join(t.Context()); err == nil {
			t.Error("joined")
		}
		if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the first ended with %v", err)
		}
		time.Sleep(2 * time.Second) // another is called
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, client.ErrClosed) {
			t.Errorf("the second ended with %v", err)
		}
	})
}
