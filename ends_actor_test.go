package bennu_test

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/waittest"
)

// A ledger knows of each instance whether Join returned it, and how often its Terminate ran.
type ledger struct {
	mu       sync.Mutex
	returned []bool
	ended    []int
}

func (l *ledger) begin() (id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.returned = append(l.returned, false)
	l.ended = append(l.ended, 0)
	return len(l.ended) - 1
}

func (l *ledger) markReturned(id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.returned[id] = true
}

func (l *ledger) markEnded(id int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended[id]++
}

// even waits until each instance that Join returned has had one Terminate, and wants none
// for the others.
func (l *ledger) even(t *testing.T) {
	t.Helper()
	waittest.Until(t, "every instance has its Terminate", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		for id, returned := range l.returned {
			if returned && l.ended[id] == 0 {
				return false
			}
		}
		return true
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, n := range l.ended {
		if n > 1 || n == 1 && !l.returned[id] {
			t.Errorf("instance %d has %d Terminates; Join returned it: %v", id, n, l.returned[id])
		}
	}
	t.Logf("%d instances", len(l.ended))
}

// An actor is a channel that does at once what its client asks for, and ends in each way
// that there is.
type actor struct {
	*bennu.Channel
	book *ledger
	id   int
	n    int // broadcasts
}

func (a *actor) Terminate(error) { a.book.markEnded(a.id) }

// numberedNote is a broadcast: the nth of its publisher on its topic.
type numberedNote struct {
	P string `json:"p"`
	N int    `json:"n"`
}

// boom is a response whose encoding panics.
type boom struct{}

func (boom) MarshalJSON() ([]byte, error) { panic("as asked") }

// The ways in which a join and an event of an actor may go. An empty one is a success, and
// stands more than once so that most go well.
var (
	joinModes = []string{"", "", "", "", "", "", "", "", "refuse", "panic", "goexit", "leave", "boom"}
	actions   = []string{
		"echo", "echo", "echo", "echo", "publish", "publish", "push", "push", "later", "later", "send", "send",
		"refuse", "stop", "stop reply", "crash", "panic", "goexit", "leave", "boom", "no such event", "disconnect",
	}
)

func actors(book *ledger, publish func(*actor) error) *bennu.Definition[*actor] {
	type mode struct {
		Mode string `json:"mode"`
	}
	type later struct{ ref *bennu.Ref }
	ok := bennu.Reply{Status: "ok"}
	d := bennu.Define(func(_ context.Context, ch *bennu.Channel, in mode) (*actor, bennu.Reply, error) {
		a := &actor{Channel: ch, book: book, id: book.begin()}
		switch in.Mode {
		case "refuse":
			return nil, ok, bennu.Errorf("no")
		case "panic":
			panic("as asked")
		case "goexit":
			runtime.Goexit()
		case "leave":
			ch.Leave()
		case "boom":
			book.markReturned(a.id)
			return a, bennu.Reply{Status: "ok", Response: boom{}}, nil
		}
		book.markReturned(a.id)
		return a, ok, nil
	})
	on := func(event string, f func(*actor, context.Context) (bennu.Reply, error)) {
		bennu.On(d, event, func(a *actor, ctx context.Context, _ bennu.Empty) (bennu.Reply, error) { return f(a, ctx) })
	}
	on("echo", func(*actor, context.Context) (bennu.Reply, error) { return ok, nil })
	on("publish", func(a *actor, _ context.Context) (bennu.Reply, error) { return ok, publish(a) })
	on("push", func(a *actor, _ context.Context) (bennu.Reply, error) { return ok, a.Push("pushed", nil) })
	bennu.On(d, "later", func(a *actor, ctx context.Context, _ bennu.Empty) (bennu.NoReply, error) {
		ref := bennu.ReplyRef(ctx)
		a.Go(func(context.Context) error {
			runtime.Gosched()
			_ = ref.Reply(nil) // the channel may be over
			return nil
		})
		return bennu.NoReply{}, nil
	})
	bennu.On(d, "send", func(a *actor, ctx context.Context, _ bennu.Empty) (bennu.NoReply, error) {
		return bennu.NoReply{}, a.Send(later{bennu.ReplyRef(ctx)})
	})
	bennu.OnInfo(d, func(_ *actor, _ context.Context, l later) error { return l.ref.Reply(nil) })
	on("refuse", func(*actor, context.Context) (bennu.Reply, error) { return ok, bennu.Errorf("no") })
	on("stop", func(*actor, context.Context) (bennu.Reply, error) { return bennu.Reply{}, bennu.Stop })
	on("stop reply", func(*actor, context.Context) (bennu.Reply, error) { return ok, bennu.Stop })
	on("crash", func(*actor, context.Context) (bennu.Reply, error) { return ok, bennu.Crash })
	on("panic", func(*actor, context.Context) (bennu.Reply, error) { panic("as asked") })
	on("goexit", func(*actor, context.Context) (bennu.Reply, error) { runtime.Goexit(); return ok, nil })
	on("leave", func(a *actor, _ context.Context) (bennu.Reply, error) { a.Leave(); return ok, nil })
	on("boom", func(*actor, context.Context) (bennu.Reply, error) {
		return bennu.Reply{Status: "ok", Response: boom{}}, nil
	})
	on("disconnect", func(*actor, context.Context) (bennu.Reply, error) { return ok, bennu.Disconnect{} })
	return d
}
