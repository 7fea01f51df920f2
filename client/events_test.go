package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bennu-go/bennu/client"
	"github.com/bennu-go/bennu/wire"
)

// joined makes a joined channel with a peer.
func joined(t *testing.T, opts *client.Options, prepare func(*client.Channel)) (*client.Channel, *peerConn, *peer) {
	t.Helper()
	p := newPeer(t)
	s, c := p.dial(opts)
	ch := s.Channel("a", nil)
	if prepare != nil {
		prepare(ch)
	}
	go c.acceptJoin("a")
	if _, err := ch.Join(t.Context()); err != nil {
		t.Fatal(err)
	}
	return ch, c, p
}

func TestOutdatedMessagesAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan string, 10)
		ch, c, _ := joined(t, nil, func(ch *client.Channel) {
			ch.On("e", func(m client.Message) { got <- string(m.Payload.Data) })
		})
		join := c.join(ch)
		old := wire.Message{JoinRef: `"999"`}
		c.push(old, "a", "e", `{"n":1}`)
		c.push(join, "a", "e", `{"n":2}`)
		c.push(wire.Message{}, "a", "e", `{"n":3}`)
		c.push(join, "b", "e", `{"n":4}`)
		c.push(join, "a", "f", `{"n":5}`)
		synctest.Wait()
		close(got)
		var all []string
		for m := range got {
			all = append(all, m)
		}
		if fmt.Sprint(all) != `[{"n":2} {"n":3}]` {
			t.Errorf("got %v", all)
		}
	})
}

func TestCallbacksInOrderAndOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		add := func(name string) func(client.Message) {
			return func(m client.Message) { got = append(got, name+string(m.Payload.Data)) }
		}
		var off func()
		ch, c, _ := joined(t, nil, func(ch *client.Channel) {
			ch.On("e", add("first"))
			off = ch.On("e", add("second"))
		})
		for i := range 3 {
			c.push(c.join(ch), "a", "e", fmt.Sprint(i))
			synctest.Wait()
			if i == 1 {
				off()
				off()
			}
		}
		if want := "[first0 second0 first1 second1 first2]"; fmt.Sprint(got) != want {
			t.Errorf("got %v, want %s", got, want)
		}
	})
}

// A callback may push to its own channel and wait for the reply.
func TestCallbackMayPushAndWait(t *testing.T) {
	run(t, allModes, func(t *testing.T, m mode, url string) {
		s := m.dial(t, url, nil)
		ch := s.Channel("room:cb", nil)
		done := make(chan error, 1)
		client.On(ch, "bc", func(object) {
			_, err := ch.Push(t.Context(), "echo", object{"from": "callback"})
			if err == nil {
				err = ch.Leave(t.Context())
			}
			done <- err
		})
		if _, err := ch.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := ch.Push(t.Context(), "bc", object{}); err != nil {
			t.Fatal(err)
		}
		if err := next(t, "the callback", done); err != nil {
			t.Error(err)
		}
	})
}

// A channel whose callbacks are too slow joins again; others go on.
func TestSlowCallbacksMakeTheChannelRejoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		errs := make(chan error, 10)
		handled := 0
		ch, c, _ := joined(t, &client.Options{MaxQueued: 10, HeartbeatInterval: time.Hour, RejoinAfter: tableOf(1000)}, func(ch *client.Channel) {
			ch.On("e", func(client.Message) { <-release; handled++ })
			ch.OnError(func(err error) { errs <- err })
		})
		go c.acceptJoin("b")
		s := ch.Socket()
		b := s.Channel("b", nil)
		if _, err := b.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		join := c.join(ch)
		for i := range 20 {
			go c.push(join, "a", "e", fmt.Sprint(i))
			synctest.Wait()
		}
		if m := c.expect("a", "phx_leave"); m.JoinRef != join.JoinRef {
			t.Errorf("leave %+v", m)
		}
		if ch.State() != client.StateErrored {
			t.Errorf("state %v", ch.State())
		}
		go func() { c.reply(c.expect("b", "x"), "ok", "{}") }()
		if _, err := b.Push(t.Context(), "x", nil); err != nil {
			t.Errorf("the other channel: %v", err)
		}
		time.Sleep(time.Minute) // it does not join again while events wait to be handled
		if ch.State() != client.StateErrored {
			t.Errorf("state %v", ch.State())
		}
		close(release)
		if err := <-errs; !errors.Is(err, client.ErrSlow) || handled != 11 {
			t.Errorf("error %v after %d", err, handled)
		}
		c.acceptJoin("a")
	})
}

func TestPanicInACallback(t *testing.T) {
	for _, how := range []string{"panic", "Goexit"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				errs := make(chan error, 10)
				got := make(chan string, 10)
				ch, c, _ := joined(t, &client.Options{RejoinAfter: tableOf(1000), Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(ch *client.Channel) {
					ch.On("bad", func(client.Message) {
						if how == "Goexit" {
							runtime.Goexit()
						}
						panic("oh no")
					})
					ch.On("good", func(m client.Message) { got <- m.Event })
					ch.OnError(func(err error) { errs <- err })
				})
				join := c.join(ch)
				c.push(join, "a", "bad", "{}")
				if err := <-errs; !errors.Is(err, client.ErrPanic) || (how == "panic") != strings.Contains(err.Error(), "oh no") {
					t.Errorf("error %v", err)
				}
				if m := c.expect("a", "phx_leave"); m.JoinRef != join.JoinRef {
					t.Errorf("leave %+v", m)
				}
				m := c.acceptJoin("a")
				c.push(m, "a", "good", "{}")
				<-got
				if text := log.String(); !strings.Contains(text, "TestPanicInACallback") {
					t.Errorf("no stack in the log: %s", text)
				}
			})
		})
	}
}

func TestEvents(t *testing.T) {
	run(t, allModes, func(t *testing.T, m mode, url string) {
		s := m.dial(t, url, nil)
		ch := s.Channel("room:after", nil)
		events := ch.Events(t.Context(), "hello", "bc")
		if _, err := ch.Join(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []string
		for m, err := range events {
			if err != nil {
				if !errors.Is(err, client.ErrLeft) {
					t.Errorf("error %v", err)
				}
				break
			}
			got = append(got, m.Event+string(m.Payload.Data))
			if len(got) == 2 {
				_ = ch.Leave(t.Context())
			}
		}
		if len(got) != 2 || got[0] != `hello{"a":1}` || got[1] != `bc{"b":1}` {
			t.Errorf("got %v", got)
		}
	})
}

func TestEventsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ch, c, _ := joined(t, &client.Options{MaxQueued: 3}, nil)
		slow, canceled, all := ch.Events(t.Context()), ch.Events(ctx, "e"), ch.Events(t.Context())
		broken := 0
		for i := range 3 {
			c.push(c.join(ch), "a", "e", fmt.Sprint(i))
		}
		for range all {
			if broken++; broken == 2 {
				break
			}
		}
		for m, err := range all {
			t.Errorf("after the break: %v, %v", m, err)
		}
		synctest.Wait()
		c.push(c.join(ch), "a", "e", "3")
		synctest.Wait()
		var got []string
		for m, err := range slow {
			got = append(got, fmt.Sprint(string(m.Payload.Data), err))
		}
		if want := []string{"0<nil>", "1<nil>", "2<nil>", client.ErrSlow.Error()}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
		cancel()
		for _, err := range canceled {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		}
		if ch.State() != client.StateJoined {
			t.Errorf("state %v", ch.State())
		}
		go func() { c.push(c.expect("a", "phx_leave"), "a", "phx_close", "{}") }()
		if err := ch.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, err := range ch.Events(t.Context()) {
			if !errors.Is(err, client.ErrLeft) {
				t.Errorf("events of a channel that was left: %v", err)
			}
		}
	})
}

// Events and state callbacks of a channel end with the socket, whether it is joined or not.
func TestEventsOfAChannelThatWasNeverJoinedEnd(t *testing.T) {
	for _, how := range []string{"not joined", "joined late"} {
		t.Run(how, func(t *testing.T) {
			s, err := client.New(peerURL, nil)
			if err != nil {
				t.Fatal(err)
			}
			ch := s.Channel("a", nil)
			closed := make(chan error, 1)
			ch.OnClose(func(err error) { closed <- err })
			events := ch.Events(t.Context())
			ended := make(chan error, 1)
			go func() {
				for _, err := range events {
					ended <- err
				}
			}()
			closeSocket(t, s)
			if how == "joined late" {
				if _, err := ch.Join(t.Context()); !errors.Is(err, client.ErrClosed) {
					t.Errorf("Join: %v", err)
				}
				if err := next(t, "OnClose", closed); !errors.Is(err, client.ErrClosed) {
					t.Errorf("OnClose: %v", err)
				}
			}
			if err := next(t, "the last step", ended); !errors.Is(err, client.ErrClosed) {
				t.Errorf("the iterator ended with %v", err)
			}
			for _, err := range ch.Events(t.Context()) { // begun after the end
				ended <- err
			}
			if err := next(t, "the last step", ended); !errors.Is(err, client.ErrClosed) {
				t.Errorf("an iterator begun late ended with %v", err)
			}
		})
	}
}

func TestTypedCallbackLogsWhatDoesNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		got := make(chan int, 10)
		ch, c, _ := joined(t, &client.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}, func(ch *client.Channel) {
			client.On(ch, "n", func(n int) { got <- n })
		})
		c.push(c.join(ch), "a", "n", `"xyzzy"`)
		c.push(c.join(ch), "a", "n", `7`)
		if n := <-got; n != 7 {
			t.Errorf("got %d", n)
		}
		if text := log.String(); !strings.Contains(text, "does not fit") || strings.Contains(text, "xyzzy") {
			t.Errorf("log %q", text)
		}
	})
}

func TestTrace(t *testing.T) {
	run(t, []mode{wsV2, lpV2}, func(t *testing.T, m mode, url string) {
		st := newStates()
		var log []string // on one goroutine at a time, except Sent
		sent := make(chan string, 100)
		s := m.dial(t, url+"?password=xyzzy", &client.Options{Params: object{"token": "xyzzy"}, Trace: &client.Trace{
			Connecting: func(a client.Attempt) { log = append(log, fmt.Sprintf("connecting %d %s", a.Try, a.URL)) },
			Open:       func(a client.Attempt) { log = append(log, "open "+a.Transport); panic("ignored") },
			Closed:     func(c client.Closed) { log = append(log, fmt.Sprint("closed ", c.Err, c.Retry)) },
			Received:   func(f client.Frame) { log = append(log, "received "+f.Message.Event+f.Status) },
			Sent:       func(f client.Frame) { sent <- f.Message.Event },
			State:      st.trace,
		}})
		ch := join(t, s, "room:a", nil)
		if err := ch.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		closeSocket(t, s)
		text := fmt.Sprint(log)
		for _, want := range []string{"connecting 1 ", "/socket/" + m.transport, "open " + m.transport, "received phx_replyok", "closed client: socket is closed"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in %s", want, text)
			}
		}
		if strings.Contains(text, "xyzzy") {
			t.Errorf("a secret is in %s", text)
		}
		if a, b := next(t, "sent", sent), next(t, "sent", sent); a != "phx_join" || b != "phx_leave" {
			t.Errorf("sent %s, %s", a, b)
		}
		for _, want := range []string{"joining", "joined", "closed"} {
			if got := next(t, want, st.ch); got != "room:a "+want {
				t.Errorf("state %s, want %s", got, want)
			}
		}
	})
}
