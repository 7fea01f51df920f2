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
