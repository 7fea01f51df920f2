package presence

import (
	"strings"
	"time"
	"weak"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/rate"
)

// allowances count the changes that connections may still make. An allowance is kept while its
// connection has channels that track, and afterwards until its bucket is full and equal to a new one.
// So a client does not get a new allowance by joining again, or by connecting again with the same
// socket id. owners.mu guards it.
type allowances struct {
	now              func() time.Duration
	burst, perSecond int

	active map[*bennu.Socket]*allowance // of connections with channels
	idle   map[any]*allowance           // of others, by weak pointer to the connection, and by socket id
	swept  int                          // length of idle after the last sweep
}

// allowance is that of one connection.
type allowance struct {
	bucket   rate.Bucket
	channels int           // that track
	full     time.Duration // if idle: the time at which its bucket is full
}

// maxIdle bounds the length of idle. At the bound an entry is removed at random.
const maxIdle = 1 << 14

func newAllowances(now func() time.Duration, burst, perSecond int) allowances {
	return allowances{
		now: now, burst: burst, perSecond: perSecond,
		active: make(map[*bennu.Socket]*allowance), idle: make(map[any]*allowance),
	}
}

// open counts one more channel of a connection.
func (a *allowances) open(s *bennu.Socket) {
	one := a.active[s]
	if one == nil {
		one = a.before(s)
		a.active[s] = one
	}
	one.channels++
}

// before returns the idle allowance of a connection, a copy of that of its socket id, or a new one.
func (a *allowances) before(s *bennu.Socket) *allowance {
	now := a.now()
	if own := a.idle[weak.Make(s)]; own != nil && own.full > now {
		return own
	}
	// Several connections may have the id, so each gets a copy.
	if s.ID() != "" {
		if of := a.idle[s.ID()]; of != nil && of.full > now {
			return &allowance{bucket: of.bucket}
		}
	}
	return &allowance{}
}

// take counts one change of a connection, and reports whether it is allowed.
func (a *allowances) take(s *bennu.Socket) bool {
	one := a.active[s]
	return one == nil || one.bucket.Take(a.now(), a.burst, a.perSecond)
}

// close subtracts one channel of a connection. With the last one the allowance becomes idle, under a
// weak pointer to the connection and under its socket id.
func (a *allowances) close(s *bennu.Socket) {
	one := a.active[s]
	if one == nil {
		return
	}
	if one.channels--; one.channels > 0 {
		return
	}
	delete(a.active, s)
	now := a.now()
	if one.full = now + one.bucket.Full(now, a.burst, a.perSecond); one.full <= now {
		return
	}
	// A weak pointer does not keep the connection in memory.
	a.keep(weak.Make(s), one, now)
	if s.ID() != "" {
		a.keep(strings.Clone(s.ID()), &allowance{bucket: one.bucket, full: one.full}, now)
	}
}

// keep adds an idle allowance. When the number of them has doubled since the last sweep, it removes those
// that are full by now.
func (a *allowances) keep(key any, one *allowance, now time.Duration) {
	// Of several connections with one id, the emptiest bucket counts.
	if old := a.idle[key]; old != nil && old.full > one.full {
		return
	}
	if len(a.idle) > 2*a.swept+64 || len(a.idle) >= maxIdle {
		for k, old := range a.idle {
			if old.full <= now {
				delete(a.idle, k)
			}
		}
		a.swept = len(a.idle)
	}
	if len(a.idle) >= maxIdle {
		for k := range a.idle {
			delete(a.idle, k)
			break
		}
	}
	a.idle[key] = one
}
