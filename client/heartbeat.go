package client

import (
	"context"
	"time"

	"github.com/bennu-go/bennu/wire"
)

// beat is the heartbeat of a link. Its timer is for the next one, or while ref is
// set for the answer.
type beat struct {
	ref      string
	timer    *timer
	answered bool // at least once
}

func (b *beat) stopLocked() {
	b.timer.stop()
	b.ref = ""
}

// startBeatLocked begins with the heartbeats of a connection. Long polling has none: each
// poll is one.
func (l *link) startBeatLocked() {
	switch {
	case l.transport == LongPoll:
	case l.probing:
		l.beatLocked(l.socket.opts.FallbackAfter, errNoProbe)
	default:
		l.nextBeatLocked()
	}
}

func (l *link) nextBeatLocked() {
	opts := l.socket.opts
	l.beat.timer = l.socket.afterLocked(opts.HeartbeatInterval, func(t *timer) {
		if l.beat.timer == t && l.cause == nil {
			l.beatLocked(opts.HeartbeatTimeout, ErrHeartbeat)
		}
	})
}

// beatLocked sends a heartbeat whose answer must come in time.
func (l *link) beatLocked(timeout time.Duration, failure error) {
	l.beat.ref = l.sendHeartbeatLocked()
	l.beat.timer = l.socket.afterLocked(timeout, func(t *timer) {
		if l.beat.timer == t && l.beat.ref != "" {
			l.failLocked(failure, closeNormal, "heartbeat timeout")
		}
	})
}

func (l *link) sendHeartbeatLocked() (ref string) {
	ref = l.socket.nextRefLocked()
	l.sendLocked(wire.Message{Ref: wire.StringRef(ref), Topic: wire.TopicPhoenix, Event: wire.EventHeartbeat})
	return ref
}

// answeredLocked takes the answer to a heartbeat.
func (l *link) answeredLocked() {
	l.beat.stopLocked()
	l.beat.answered = true
	l.nextBeatLocked()
}

// Ping sends a heartbeat and returns how long the answer took to come. The error is
// [ErrNotConnected], [*InterruptedError], [ErrTimeout] or the cause of ctx.
func (s *Socket) Ping(ctx context.Context) (time.Duration, error) {
	s.mu.Lock()
	l := s.link
	if l == nil || s.closing {
		s.mu.Unlock()
		return 0, ErrNotConnected
	}
	start := time.Now()
	ref := l.sendHeartbeatLocked()
	w := s.waitLocked(ref, wire.TopicPhoenix, "")
	s.mu.Unlock()
	if err := s.await(ctx, ref, w); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}

// await waits for a waiter, and forgets it.
func (s *Socket) await(ctx context.Context, ref string, w *waiter) error {
	timeout := time.NewTimer(s.opts.Timeout)
	defer timeout.Stop()
	var err error
	select {
	case <-w.done:
		return w.err
	case <-timeout.C:
		err = ErrTimeout
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[ref] == w {
		delete(s.waiting, ref)
	}
	return err
}

// timer is a time.AfterFunc that the socket's tasks wait for.
type timer struct {
	socket *Socket
	timer  *time.Timer
}

// afterLocked calls f with the lock held when d is over, unless the timer is stopped. It may
// be stopped too late, when f waits for the lock: f has to see whether the timer
// is still the one that counts.
func (s *Socket) afterLocked(d time.Duration, f func(*timer)) *timer {
	t := &timer{socket: s}
	s.tasks.Add()
	t.timer = time.AfterFunc(d, func() {
		defer s.tasks.Done()
		s.mu.Lock()
		defer s.mu.Unlock()
		f(t)
	})
	return t
}

// stop is for a nil timer too, and may be called again.
func (t *timer) stop() {
	if t != nil && t.timer.Stop() {
		t.socket.tasks.Done()
	}
}
