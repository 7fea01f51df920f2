package presence

import (
	"strings"
	"time"
	"weak"

	"github.com/bennu-go/bennu"
	"github.com/bennu-go/bennu/internal/rate"
)

// allowances are how many changes connections may still make. One lasts for as long as
// its connection has channels that track, and after that until it would be full again: a
// client that leaves and joins gets no new one, nor does one that connects again under its
// socket id. It is guarded by the owners' lock.
type allowances struct {
	now              func() time.Duration
	burst, perSecond int

	used map[*bennu.Socket]*allowance
	// rested are those of connections without channels, by connection and by socket id.
	rested map[any]*allowance
	swept  int // how many of rested the last sweep left
}

type allowance struct {
	bucket   rate.Bucket
	channels int
	full     time.Duration // when a rested one is full again, which is as good as a new one
}

// maxRested bounds rested. Above it any of them is forgotten.
const maxRested = 1 << 14

func newAllowances(now func() time.Duration, burst, perSecond int) allowances {
	return allowances{
		now: now, burst: burst, perSecond: perSecond,
		used: make(map[*bennu.Socket]*allowance), rested: make(map[any]*allowance),
	}
}

// open counts one more channel of a connection.
func (a *allowances) open(s *bennu.Socket) {
	one := a.used[s]
	if one == nil {
		one = a.before(s)
		a.used[s] = one
	}
	one.channels++
}

// before is what a connection has left from before, or a new allowance.
func (a *allowances) before(s *bennu.Socket) *allowance {
	now := a.now()
	if own := a.rested[weak.Make(s)]; own != nil && own.full > now {
		return own
	}
	// Several connections may have the id, so each takes a copy.
	if s.ID() != "" {
		if of := a.rested[s.ID()]; of != nil && of.full > now {
			return &allowance{bucket: of.bucket}
		}
	}
	return &allowance{}
}

// take takes one change from what a connection may make.
func (a *allowances) take(s *bennu.Socket) bool {
	one := a.used[s]
	return one == nil || one.bucket.Take(a.now(), a.burst, a.perSecond)
}

// close counts one channel of a connection less.
func (a *allowances) close(s *bennu.Socket) {
	one := a.used[s]
	if one == nil {
		return
	}
	if one.channels--; one.channels > 0 {
		return
	}
	delete(a.used, s)
	now := a.now()
	if one.full = now + one.bucket.Full(now, a.burst, a.perSecond); one.full <= now {
		return
	}
	// The weak pointer is a key that does not keep the connection in memory.
	a.rest(weak.Make(s), one, now)
	if s.ID() != "" {
		a.rest(strings.Clone(s.ID()), &allowance{bucket: one.bucket, full: one.full}, now)
	}
}

func (a *allowances) rest(key any, one *allowance, now time.Duration) {
	// Of the connections with one id the one with the least left counts.
	if old := a.rested[key]; old != nil && old.full > one.full {
		return
	}
	if len(a.rested) > 2*a.swept+64 || len(a.rested) >= maxRested {
		for k, old := range a.rested {
			if old.full <= now {
				delete(a.rested, k)
			}
		}
		a.swept = len(a.rested)
	}
	if len(a.rested) >= maxRested {
		for k := range a.rested {
			delete(a.rested, k)
			break
		}
	}
	a.rested[key] = one
}
