package channeltest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/channeltest"
)

// room is a channel that does what the events of a test ask for.
type room struct {
	*bennu.Channel
	name string
	end  chan<- error
}

type person struct {
	Name string `json:"name"`
}

type said struct {
	Name string `json:"name"`
	Body string `json:"body"`
}

type tick struct{}

// rooms makes channels that send the reason of each Terminate to ends, which may be nil.
func rooms(ends chan<- error) *bennu.SocketHandler {
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in person) (*room, person, error) {
		switch in.Name {
		case "":
			return nil, in, bennu.Errorf("who are you?")
		case "panic":
			panic("in join")
		case "broken":
			return nil, in, errors.New("no database")
		case "clock":
			ch.Go(func(ctx context.Context) error { <-ctx.Done(); return nil })
		}
		return &room{ch, in.Name, ends}, in, nil
	})
	bennu.On(d, "say", func(r *room, _ context.Context, in said) (bennu.Empty, error) {
		return bennu.Empty{}, r.Broadcast("said", said{r.name, in.Body})
	})
	bennu.On(d, "whisper", func(r *room, _ context.Context, in said) (bennu.NoReply, error) {
		return bennu.NoReply{}, r.BroadcastFrom("whispered", said{r.name, in.Body})
	})
	bennu.On(d, "echo", func(_ *room, _ context.Context, p bennu.Payload) (bennu.Payload, error) { return p, nil })
	bennu.On(d, "bytes", func(r *room, _ context.Context, p []byte) (bennu.NoReply, error) {
		return bennu.NoReply{}, errors.Join(r.Push("pushed", p), r.Broadcast("cast", p))
	})
	bennu.On(d, "fail", func(*room, context.Context, bennu.Empty) (bennu.Empty, error) {
		return bennu.Empty{}, errors.New("no database")
	})
	bennu.On(d, "panic", func(*room, context.Context, bennu.Empty) (bennu.NoReply, error) { return bennu.NoReply{}, burst() })
	bennu.On(d, "stop", func(*room, context.Context, bennu.Empty) (bennu.Empty, error) { return bennu.Empty{}, bennu.Stop })
	bennu.On(d, "throw out", func(*room, context.Context, bennu.Empty) (bennu.NoReply, error) {
		return bennu.NoReply{}, bennu.Disconnect{Code: 4001}
	})
	bennu.On(d, "later", func(r *room, ctx context.Context, _ bennu.Empty) (bennu.Reply, error) {
		ref := bennu.ReplyRef(ctx)
		r.Go(func(ctx context.Context) error {
			select {
			case <-time.After(time.Hour):
				return ref.ReplyStatus("late", nil)
			case <-ctx.Done():
				return nil
			}
		})
		return bennu.Reply{}, nil
	})
	bennu.Intercept(d, "whispered", func(r *room, _ context.Context, in said) error {
		if r.name == "deaf" {
			return nil
		}
		return r.Push("whispered", in)
	})
	bennu.On(d, "ticks", func(r *room, _ context.Context, _ bennu.Empty) (bennu.Empty, error) {
		return bennu.Empty{}, r.Send(tick{})
	})
	bennu.OnInfo(d, func(r *room, _ context.Context, _ tick) error { return r.Push("tick", nil) })
	h := &bennu.SocketHandler{Connect: connect, ID: func(s *bennu.Socket) string {
		id, _ := s.Assigned("id").(string)
		return id
	}}
	h.Channel("room:*", d)
	return h
}

// burst panics, so that its name is in the stack.
func burst() error { panic("bubble burst") }

// Terminate sends the reason to the test.
func (r *room) Terminate(reason error) {
	if r.end != nil {
		r.end <- reason
	}
	if r.name == "sloppy" {
		panic("in Terminate")
	}
}

var errBanned = errors.New("banned")

func connect(_ context.Context, s *bennu.Socket, info *bennu.ConnectInfo) error {
	id, _ := info.Params.String("id")
	switch id {
	case "stranger":
		return bennu.ErrRefused
	case "banned":
		return errBanned
	case "panic":
		panic("in connect")
	}
	s.Assign("id", id)
	return nil
}

var quiet = &bennu.EndpointOptions{Logger: slog.New(slog.DiscardHandler)}

func mount(t testing.TB) *channeltest.Endpoint {
	t.Helper()
	return channeltest.Mount(t, rooms(nil), quiet)
}

// recorder is a testing.TB that keeps the failures.
type recorder struct {
	testing.TB
	cleanups []func()
	said     strings.Builder
	failed   bool
}

func (r *recorder) Helper()                   {}
func (r *recorder) Failed() bool              { return r.failed }
func (r *recorder) Cleanup(f func())          { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Logf(f string, a ...any)   { fmt.Fprintf(&r.said, f+"\n", a...) }
func (r *recorder) Errorf(f string, a ...any) { r.Logf(f, a...); r.failed = true }
func (r *recorder) Fatalf(f string, a ...any) { r.Errorf(f, a...); runtime.Goexit() }

// output is a testing.TB that keeps its output.
type output struct {
	testing.TB
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Output() io.Writer { return o }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// failure runs a test that must fail, with its cleanups, and returns its messages.
func failure(t *testing.T, test func(t testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	run := func(f func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			f()
		}()
		<-done
	}
	run(func() { test(r) })
	for len(r.cleanups) > 0 {
		last := len(r.cleanups) - 1
		f := r.cleanups[last]
		r.cleanups = r.cleanups[:last]
		run(f)
	}
	if !r.failed {
		t.Errorf("the test did not fail; it said %q", r.said.String())
	}
	return r.said.String()
}
