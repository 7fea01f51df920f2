package client

import (
	"context"
	"time"

	"github.com/bennu-go/bennu/internal/protocol"
	"github.com/bennu-go/bennu/wire"
)

// beat is the heartbeat of a link. At most one waits for its answer, apart from those of Ping.
type beat struct {
	ref      string // of the heartbeat that waits for its answer; empty if none does
	timer    *timer // for the answer, or for the next heartbeat
	answered bool   // at least once
}

func (b *beat) stopLocked() {
	b.timer.stop()
	b.ref = ""
}

// startBeatLocked starts the heartbeats of a connection. Long polling needs none: its polls show that
// both sides are there.
func (l *link) startBeatLocked() {
	switch {
	case l.transport == longPoll:
	case l.probing:
		l.beatLocked(l.socket.opts.FallbackAfter, errNoProbe)
	default:
		l.nextBeatLocked()
	}
}

// nextBeatLocked sets the timer for the next heartbeat.
func (l *link) nextBeatLocked() {
	opts := l.socket.opts
	l.beat.timer = l.socket.afterLocked(opts.HeartbeatInterval, func(t *timer) {
		if l.beat.timer == t && l.cause == nil {
			l.beatLocked(opts.HeartbeatTimeout, ErrHeartbeat)
		}
	})
}

// beatLocked sends a heartbeat. If no answer comes within timeout, the connection fails with failure.
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
	l.sendLocked(wire.Message{Ref: wire.StringRef(ref), Topic: protocol.TopicPhoenix, Event: protocol.EventHeartbeat})
	return ref
}

// answeredLocked handles the answer to a heartbeat and schedules the next.
func (l *link) answeredLocked() {
	l.beat.stopLocked()
	l.beat.answered = true
	l.nextBeatLocked()
}

// Ping sends a heartbeat and returns the time until its answer, measured with the time in the send
// queue. It waits up to Options.Timeout. The error is [ErrInterrupted], [ErrTimeout], the cause of ctx,
// or says that the socket is not connected.
func (s *Socket) Ping(ctx context.Context) (time.Duration, error) {
	s.mu.Lock()
	l := s.link
	if l == nil || s.closing {
		s.mu.Unlock()
		return 0, errNotConnected
	}
	start := time.Now()
	ref := l.sendHeartbeatLocked()
	w := s.waitLocked(ref, protocol.TopicPhoenix, "")
	s.mu.Unlock()
	if err := s.await(ctx, ref, w); err != nil {
		return 0, err
	}
	return time.Since(start), nil
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

// timer is a time.AfterFunc for which Close waits. It counts as a task until it is stopped or its
// function has returned.
type timer struct {
	socket *Socket
	timer  *time.Timer
}

// afterLocked calls f after d, with the lock held, unless the timer is stopped before. A timer that
// fires while stop is called may call f afterwards, so f must check that the timer is the current one.
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

// stop stops a timer, which may be nil or stopped already.
func (t *timer) stop() {
	if t != nil && t.timer.Stop() {
		t.socket.tasks.Done()
	}
}
