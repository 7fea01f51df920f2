package redispubsub

import (
	"context"
	"math/rand/v2"
	"time"
)

// shard is a server with channels: the only one, or a master of a cluster. It exists while the map of
// the cluster has it, over any number of sessions.
type shard struct {
	link  *link
	addr  string             // "" with Sentinels, which are asked each time
	reset chan error         // of capacity 1: a reason to end the session
	stop  context.CancelFunc // ends its goroutine

	// Guarded by link.mu.
	session *session // nil while there is none
	known   bool     // there was a session, or a failed attempt to make one
}

const (
	// firstPause and lastPause are the least and the longest pause between attempts to connect.
	firstPause = 100 * time.Millisecond
	lastPause  = time.Second
	// steady is the time after which a session counts as stable, and pauses are short again.
	steady = 5 * time.Second
)

// keep makes a session whenever there is none, until ctx ends. It begins with x, unless that is
// nil.
func (s *shard) keep(ctx context.Context, x *session) {
	var p pauses
	for {
		if x != nil {
			began := time.Now()
			err := x.watch(ctx)
			s.link.ended(x, err)
			x.close()
			p.ended(time.Since(began))
		}
		// Many nodes lose a server at the same time, so the pause is random: from 50 ms to 1 s.
		if x != nil || s.familiar() {
			if pause := p.next(); !sleep(ctx, pause/2+rand.N(pause/2)) {
				return
			}
		}
		select {
		case <-s.reset: // it was for the old session
		default:
		}
		var err error
		if x, err = s.connect(ctx); err == nil {
			continue
		}
		x = nil // connect has closed it
		if ctx.Err() != nil {
			return
		}
		s.link.failed(s, err)
	}
}

// pauses are the pauses between attempts to connect. They grow while attempts fail or sessions end
// soon.
type pauses struct{ last time.Duration }

// next returns the next pause, twice the last one.
func (p *pauses) next() time.Duration {
	p.last = min(max(2*p.last, firstPause), lastPause)
	return p.last
}

// ended takes the duration of a session that has ended.
func (p *pauses) ended(after time.Duration) {
	if after > steady {
		p.last = 0
	}
}

// familiar reports whether the shard has had a session or a failed attempt. The first attempt, for a
// shard that the map of the cluster has just named, is made without a pause.
func (s *shard) familiar() bool {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	return s.known
}

// sleep waits for d. It returns false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
