package redispubsub

import (
	"errors"
	"fmt"
	"slices"

	"github.com/bennu-go/bennu/internal/redisconn"
	"github.com/bennu-go/bennu/pubsub/internal/cluster"
)

// ended records that a session has ended, for tell to report.
func (l *link) ended(x *session, cause error) {
	l.mu.Lock()
	if x.shard.session == x {
		x.shard.session = nil
	}
	l.lossLocked(x.shard, cause)
	l.mu.Unlock()
	l.wake()
}

// failed records that an attempt to connect has failed, for tell to report. In a cluster the reason may be
// an old map, so it also asks for a new one.
func (l *link) failed(s *shard, cause error) {
	l.mu.Lock()
	// After the first failure, only a cause that says what to do replaces the one before.
	var p *redisconn.Problem
	if !s.known || errors.As(cause, &p) && (l.cause == nil || cause.Error() != l.cause.Error()) {
		s.known = true
		l.lossLocked(s, cause)
	}
	l.mu.Unlock()
	l.wake()
	l.stale("")
}

// lossLocked counts the loss of a session, unless the shard is no longer a part of the cluster.
func (l *link) lossLocked(s *shard, cause error) {
	if slices.Contains(l.shards, s) {
		l.downs++
		l.cause = cause
	}
}

// wake wakes tell. Several calls may wake it once.
func (l *link) wake() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// tell is the goroutine that reports events to the node, one after the other and without a lock. It
// reports Down for a loss even if the session was replaced at once, since messages may have been missed,
// and Up when all shards have a session.
func (l *link) tell() {
	up, told := true, 0 // the last reported state, and the number of reported losses
	for {
		select {
		case <-l.news:
		case <-l.ctx.Done():
			return
		}
		l.mu.Lock()
		downs, cause := l.downs, l.cause
		// A node that reaches only some shards is not up, since it misses messages of the others.
		whole := !slices.ContainsFunc(l.shards, func(s *shard) bool { return s.session == nil })
		shift, denials := l.shift, l.denials
		l.denials = nil
		// A Dropped before an Up is not needed: Up makes the node report gaps for all topics.
		if whole || up && downs == told {
			l.shift = nil
		}
		l.mu.Unlock()
		if downs != told {
			up, told = false, downs
			// The node reports a Refusal as such, and not only that the broker is away.
			if redisconn.IsBarred(cause) {
				cause = &cluster.Refusal{Cause: fmt.Errorf("redispubsub: %w", cause)}
			}
			l.events.Down(cause)
		}
		for _, r := range denials {
			l.events.Refused(r)
		}
		switch {
		case !up && whole:
			up = true
			l.events.Up()
		case up && shift != nil:
			l.events.Dropped(shift)
		}
	}
}
