package redispubsub

import (
	"context"
	"math/rand/v2"
	"time"
)

// shard is a server that has channels: the only one, or a master of the cluster.
type shard struct {
	link  *link
	addr  string // with Sentinel "": it is looked up each time
	reset chan error
	stop  context.CancelFunc

	// Under the lock of link.
	session *session // nil while there is none
	known   bool     // it had a session, or a failure to get one
}

const (
	firstPause = 100 * time.Millisecond // between tries to connect
	lastPause  = time.Second
	// steady is how long a session must last for the next pause to be short again.
	steady = 5 * time.Second
)

// keep has a session at all times, as far as that is possible, until ctx ends.
// The first may be there already.
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
		// Many nodes lose a server at the same moment.
		if x != nil || s.familiar() {
			if pause := p.next(); !sleep(ctx, pause/2+rand.N(pause/2)) {
				return
			}
		}
		select {
		case <-s.reset: // meant the session that is gone
		default:
		}
		var err error
		if x, err = s.connect(ctx); err == nil {
			continue
		}
		x = nil
		if ctx.Err() != nil {
			return
		}
		s.link.failed(s, err)
	}
}

// pauses are those between tries to connect. They grow while no session lasts, whether it
// cannot be had or ends soon each time.
type pauses struct{ last time.Duration }

func (p *pauses) next() time.Duration {
	p.last = min(max(2*p.last, firstPause), lastPause)
	return p.last
}

// ended notes how long a session was.
func (p *pauses) ended(after time.Duration) {
	if after > steady {
		p.last = 0
	}
}

func (s *shard) familiar() bool {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	return s.known
}

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
