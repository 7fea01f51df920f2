package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bennu-go/bennu/internal/follow"
	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/pubsub"
)

// attempt is the append of one message to a store that may be slow, away, or lose its answers. It
// runs in a goroutine of its own, and the publisher waits for it.
type attempt struct {
	p       *publisher
	l       *line
	m       pubsub.Message     // a copy, since the caller may use its own again
	ctx     context.Context    // for the store; it does not end with that of the publisher
	cancel  context.CancelFunc // of ctx
	done    chan struct{}      // closed when stored and err are set, unless abandoned
	stopped chan struct{}      // closed by stop

	place  Place
	stored *pubsub.Message // what to tell
	from   string          // the channel that does not get it
	err    error

	mu        sync.Mutex
	asking    bool // a call of the store runs
	stopping  bool // no other call may begin
	abandoned bool // nobody waits for done
}

// The pauses between two calls of the store.
const (
	leastPause = 5 * time.Millisecond
	mostPause  = 500 * time.Millisecond
)

// grace is the part of PublishTimeout that is left to a store which ends its call late, so that its
// answer is known.
func (p *publisher) grace() time.Duration { return min(p.timeout/8, 500*time.Millisecond) }

// publishApart is the part of publish from the append on. The caller has the turn to append.
func (p *publisher) publishApart(ctx context.Context, l *line, m *pubsub.Message, began time.Time) (Place, error) {
	a := &attempt{p: p, l: l, m: *m, done: make(chan struct{}), stopped: make(chan struct{})}
	a.ctx, a.cancel = context.WithDeadline(context.WithoutCancel(ctx), began.Add(p.timeout-p.grace()))
	p.tasks.Start(a)
	// The context of the store ends before this timer, so a store that heeds it still gives the answer
	// that decides between ErrUnavailable and ErrUnknown.
	late := time.NewTimer(time.Until(began.Add(p.timeout)))
	defer late.Stop()
	select {
	case <-a.done:
	case <-ctx.Done():
		a.stop()
		if a.abandon() {
			return Place{}, fmt.Errorf("%w: %w", ErrUnknown, context.Cause(ctx))
		}
	case <-late.C:
		a.stop()
		if a.abandon() {
			sayLate(p.book, p.store, "Append", a.m.Topic)
			return Place{}, fmt.Errorf("%w: it does not answer: %w", ErrUnknown, errLate)
		}
	}
	if a.err != nil {
		l.failed()
		return Place{}, a.err
	}
	p.tell(l, a.stored, a.place, a.from)
	return a.place, nil
}

// stop lets no other call of the store begin. A pause ends at once. Only one caller may call it, once.
func (a *attempt) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopping = true
	close(a.stopped)
}

// abandon leaves the attempt alone if a call of the store runs, and reports true: what that call does is
// not known, and it may last. Otherwise the result is there or comes at once, and abandon waits for it.
// The caller has called stop.
func (a *attempt) abandon() bool {
	a.mu.Lock()
	a.abandoned = a.asking
	a.mu.Unlock()
	if !a.abandoned {
		<-a.done
	}
	return a.abandoned
}

// Run implements task.Runner.
func (a *attempt) Run() {
	returned := false
	defer func() {
		a.cancel()
		if !returned { // the store has ended this goroutine with runtime.Goexit
			sayPanic(a.p.book, a.p.store, "Append", a.m.Topic, nil)
			a.err = fmt.Errorf("%w: %w", ErrUnknown, errPanicked)
		}
		a.end()
	}()
	a.place, a.err = a.append()
	if a.err == nil {
		a.stored, a.from = a.p.asStored(a.ctx, a.l, &a.m, a.place)
	}
	returned = true
}

// end gives the result to the publisher, or tells it if that has gone.
func (a *attempt) end() {
	a.p.end(len(a.m.Payload))
	// Until here the publisher can abandon the attempt. After this either it waits for done, or this
	// goroutine has the turn of the line to itself.
	a.mu.Lock()
	a.asking = false
	abandoned := a.abandoned
	a.mu.Unlock()
	if !abandoned {
		close(a.done)
		return
	}
	a.finish()
}

// finish ends an attempt for which nobody waits. A panic of a subscriber would end the process here, so
// it is logged, as one in the delivery of a message of another node is.
func (a *attempt) finish() {
	if a.err != nil {
		a.l.failed()
		return
	}
	defer func() {
		if v := recover(); v != nil {
			a.p.book.Say(notice.DeliveryCrash, notice.Foreign("topic", a.m.Topic), slog.String("error", redact.Print(v)), redact.StackAttr())
		}
	}()
	a.p.tell(a.l, a.stored, a.place, a.from)
}

// append calls the store until it has taken the entry or refused it, or the time is over. Once an
// answer was lost, only a refusal tells that the entry was not appended: until then it is not known,
// and only the same number may be tried again.
func (a *attempt) append() (Place, error) {
	var unknown, away error
	for pause := leastPause; a.begin(); pause = min(2*pause, mostPause) {
		place, err := a.call()
		switch {
		case err == nil:
			return place, nil // asking stays set, since the result is there at once
		case a.l.isEmpty(err):
			continue
		case errors.Is(err, ErrConflict), errors.Is(err, ErrTooLarge):
			return Place{}, err
		case errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrUnknown):
			away = err
		default:
			// An error that a Store may not return says nothing about what it has done.
			unknown = err
		}
		if !a.pause(pause) {
			break
		}
	}
	switch {
	case unknown != nil && errors.Is(unknown, ErrUnknown):
		return Place{}, unknown
	case unknown != nil:
		return Place{}, fmt.Errorf("%w: %w", ErrUnknown, unknown)
	case away != nil:
		return Place{}, away
	}
	return Place{}, fmt.Errorf("%w: it was not asked in time", ErrUnavailable)
}

// begin reports whether the store may be called.
func (a *attempt) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asking = !a.stopping && a.ctx.Err() == nil
	return a.asking
}

// pause waits for a time. It reports false if the store must not be called again.
func (a *attempt) pause(d time.Duration) bool {
	a.mu.Lock()
	a.asking = false
	a.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-a.stopped:
	case <-a.ctx.Done():
	}
	return false
}

// call calls the store once. It gives one call half of the time, since the store may answer another
// one at once.
func (a *attempt) call() (place Place, err error) {
	defer func() {
		if v := recover(); v != nil {
			sayPanic(a.p.book, a.p.store, "Append", a.m.Topic, v)
			err = fmt.Errorf("%w: the store panicked", ErrUnknown)
		}
	}()
	ctx, cancel := context.WithTimeout(a.ctx, a.p.timeout/2)
	defer cancel()
	place, err = a.p.store.Append(ctx, a.m.Topic, &a.l.entry, &a.l.options)
	// A place that cannot be would break the chain of every follower.
	if err == nil && (!follow.ValidEpoch(place.Epoch) || place.Offset <= place.Prev) {
		err = fmt.Errorf("%w: the place %s:%d after %d that the store returned cannot be", ErrUnknown, redact.Print(place.Epoch), place.Offset, place.Prev)
		a.p.book.Say(notice.HistoryStore, notice.Foreign("topic", a.m.Topic), slog.String("error", err.Error()))
	}
	return place, err
}
