package bennu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/bennu-go/bennu/internal/notice"
)

// Go runs f in a goroutine that belongs to the channel: its context is cancelled when the channel
// ends, a panic in it ends only the channel, and Endpoint.Shutdown waits for it. If Go is called in
// Join, f starts when the join has succeeded; after the end of the channel it does not start.
//
// An error of f acts as that of a handler: Stop, Crash and Disconnect do what they say. Other
// errors are logged, except that of a cancelled context.
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

// startTaskLocked starts a task and counts it in extras.going until it returns.
func (c *Channel) startTaskLocked(t *channelTask) {
	c.extra().going++
	c.socket.node.lasting.Start(t)
}

// channelTask is one goroutine of Channel.Go. It implements task.Runner.
type channelTask struct {
	c    *Channel
	f    func(ctx context.Context) error
	done bool // f has returned and its error is acted on
}

// Run calls f. A panic of f ends the channel, and so does runtime.Goexit.
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
		t.c.obey(t.c.atTask(), err) // may panic: it calls methods of the program's error
	case err != nil && !errors.Is(err, ctx.Err()) && !errors.Is(err, context.Cause(ctx)):
		t.c.atTask().say(notice.LateCallback, slog.String("error", textOf(err)))
	}
	t.done = true
}

// over is called when the goroutine ends. A task that outlived its channel was counted as late.
func (t *channelTask) over() {
	t.c.mu.Lock()
	defer t.c.mu.Unlock()
	t.c.extra().going--
	if t.c.state >= closed {
		t.c.countLate(-1)
	}
}
