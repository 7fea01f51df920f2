package bennu_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/wstest"
	"github.com/bennu-go/bennu/pubsub"
)

// TestJoinAfterLogClose joins after the history was closed under a running endpoint: each join fails at
// once and not by its timeout, channels that are joined end, and publishes fail with an error.
func TestJoinAfterLogClose(t *testing.T) {
	users := one("*", rooms())
	users.Limits.JoinTimeout = time.Hour
	s := serveKept(t, users, nil, history.Topic{Pattern: "a*"}, history.Topic{Pattern: "quiet", NoResume: true})
	c := wstest.Dial(t, s.url)
	joinRef, resume := joinSince(c, "a", since(""))
	other := c.Join("unkept")
	at := strings.Trim(resume.Ref, `"`)
	if err := s.log.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Expect(wstest.Crashed(joinRef, "a")) // it would hear nothing any more
	for _, tc := range []struct{ topic, payload string }{
		{"a", since("")}, {"a", since(at)}, {"a", `{}`}, {"a new one", since("")}, {"a new one", since(at)}, {"quiet", `{}`},
	} {
		ref := c.Push(tc.topic, "phx_join", tc.payload)
		c.Expect(wstest.Refused(ref, ref, tc.topic, "join crashed"))
	}
	if n := s.Stats().Reasons["history_closed"]; n != 6 {
		t.Errorf("counted %d", n)
	}
	if lines := s.server.log.about("join crashed: the history of its topic was closed"); len(lines) == 0 || !strings.Contains(lines[0], "topic=a") {
		t.Errorf("lines %q", lines)
	}
	for what, err := range map[string]error{
		"Broadcast": s.Broadcast("a", "said", nil),
		"Erase":     s.log.Erase(t.Context(), "a"),
	} {
		if !errors.Is(err, history.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := s.Publish(t.Context(), "a", "said", nil, bennu.Key("k")); !errors.Is(err, history.ErrUnavailable) {
		t.Errorf("Publish: %v", err)
	}
	if _, err := s.History(t.Context(), "a", nil); !errors.Is(err, history.ErrUnavailable) {
		t.Errorf("History: %v", err)
	}
	ref := c.Push("unkept", "echo", `{"a":1}`)
	c.Expect(wstest.Reply(other, ref, "unkept", "ok", `{"a":1}`))
}

// TestLogClosesDuringJoin has a join wait for the store when the history is closed.
func TestLogClosesDuringJoin(t *testing.T) {
	store := new(keptStore)
	users := one("*", rooms())
	users.Limits.JoinTimeout = time.Hour
	s := serveStore(t, users, pubsub.NewLocal(), &history.Options{Store: store, Topics: []history.Topic{{Pattern: "*"}}})
	store.setFail(func() error { return history.ErrUnavailable })
	c := wstest.Dial(t, s.url)
	joinRef := c.Push("a", "phx_join", since(""))
	eventually(t, "the follower", func() bool { return s.Stats().History.Topics == 1 })
	if err := s.log.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Expect(wstest.Refused(joinRef, joinRef, "a", "join crashed"))
}

// TestShutdownWithHangingStore shuts an endpoint down whose store has stopped to answer, and does not mind
// contexts. The error names the store.
func TestShutdownWithHangingStore(t *testing.T) {
	store, release := new(keptStore), make(chan struct{})
	ps := pubsub.NewLocal()
	book := newLogbook()
	log, err := history.New(t.Context(), ps, &history.Options{Store: store, Topics: []history.Topic{{Pattern: "*"}}, PublishTimeout: 100 * time.Millisecond, Logger: book.logger()})
	if err != nil {
		t.Fatal(err)
	}
	e := bennu.NewEndpoint(&bennu.EndpointOptions{PubSub: ps, History: log, Logger: book.logger()})
	e.OnShutdown(log.Close)
	store.setFail(func() error { <-release; return history.ErrUnavailable })
	began := time.Now()
	if _, err := e.Publish(t.Context(), "a", "said", nil); !errors.Is(err, history.ErrUnknown) || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	began = time.Now()
	if err := e.Shutdown(ctx); err == nil || !strings.Contains(err.Error(), "*bennu_test.keptStore") || time.Since(began) > 10*time.Second {
		t.Errorf("Shutdown: %v after %v", err, time.Since(began))
	}
	if lines := book.about("a call of the store of a history runs on after its time is over, and is not waited for"); len(lines) == 0 ||
		!strings.Contains(lines[0], "store=*bennu_test.keptStore method=Append topic=a") {
		t.Errorf("lines %q", lines)
	}
	close(release)
}
