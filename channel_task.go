package bennu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/bennu-go/bennu/internal/notice"
)

// Go runs f in a goroutine that belongs to the channel: its context ends with the
// channel, a panic in it ends only the channel, and Endpoint.Shutdown waits for
// it. Called in Join, it starts when the join has succeeded, or never; after the end of
// the channel it does not start.
//
// What f returns acts as it would from a handler: Stop, Crash and Disconnect do
// what they say, other errors are logged, unless they come from the context's end.
func (c *Channel) Go(f func(ctx context.Context) error) {
	if c.isNil() {
		panic(fmt.Errorf("%w (in the call of Go at %s)", errNilChannel, caller()))
	}
	if f == nil {
		c.fail(c.atLast(), fmt.Errorf("bennu: %s: Channel.Go needs a function", caller()))
		return
	}
	t := &channelTask{c: c, f: f}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.state {
	case joining:
		x := c.extra()
		x.tasks = append(x.tasks, t)
	case joined, leaving:
		c.startTaskLocked(t)
	default:
		c.socket.node.book.Tally(notice.LateTask)
	}
}

func (c *Channel) startTaskLocked(t *channelTask) {
	c.extra().going++
	c.socket.node.lasting.Start(t)
}

// channelTask is one goroutine of Channel.Go.
type channelTask struct {
	c    *Channel
	f    func(ctx context.Context) error
	done bool
}

// Run is called by the task group.
func (t *channelTask) Run() {
	defer t.over()
	defer func() {
		if !t.done {
			t.c.fail(t.c.atTask(), newPanicError(recover()))
		}
	}()
	ctx := t.c.context()
	switch err := t.f(ctx); {
	case ctx.Err() == nil:
		t.c.obey(t.c.atTask(), err) // in which the error's own methods may panic
	case err != nil && !errors.Is(err, ctx.Err()) && !errors.Is(err, context.Cause(ctx)):
		t.c.atTask().say(notice.LateCallback, slog.String("error", textOf(err)))
	}
	t.done = true
}

// over is the end of the goroutine.
func (t *channelTask) over() {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.c.extra().going--
	if t.c.state >= closed {
		t.c.countLate(-1)
	}
}
