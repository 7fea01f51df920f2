package client

import (
	"context"
	"time"
)

// waiter waits for the reply to a heartbeat or a leave.
type waiter struct {
	topic   string
	joinRef string // of the join that a leave ends; empty for a heartbeat
	done    chan struct{}
	err     error
}

func (w *waiter) finish(err error) {
	w.err = err
	close(w.done)
}

// waitLocked registers a waiter for the reply to ref.
func (s *Socket) waitLocked(ref, topic, joinRef string) *waiter {
	w := &waiter{topic: topic, joinRef: joinRef, done: make(chan struct{})}
	if s.waiting == nil {
		s.waiting = map[string]*waiter{}
	}
	s.waiting[ref] = w
	return w
}

// await waits for the reply to a heartbeat or a leave, and forgets the waiter if none comes in time.
func (s *Socket) await(ctx context.Context, ref string, w *waiter) error {
	err := s.inTime(ctx, w.done)
	if err == nil {
		return w.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[ref] == w {
		delete(s.waiting, ref)
	}
	return err
}

// inTime waits until done is closed, up to Options.Timeout. The error is ErrTimeout or the cause of ctx.
func (s *Socket) inTime(ctx context.Context, done <-chan struct{}) error {
	timeout := time.NewTimer(s.opts.Timeout)
	defer timeout.Stop()
	select {
	case <-done:
		return nil
	case <-timeout.C:
		return ErrTimeout
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
