package follow

import "context"

// Reason says why a position is not a place of the log.
type Reason string

// The reasons. They go to clients.
const (
	ReasonEpoch   Reason = "epoch"   // of another epoch
	ReasonExpired Reason = "expired" // older than what is kept
	ReasonUnknown Reason = "unknown" // no entry there
)

// Find looks for a position. It returns how many entries follow it, up to limit+1, or the reason why
// the position is not a place of the log. It reads the store if need be, at most once for all callers
// of a topic, and waits for an answer until ctx ends; then err is its cause. The position may be ahead
// of the head, if this node has not taken its entry yet.
func (s *Subscription) Find(ctx context.Context, p Position, limit int) (after int, reason Reason, err error) {
	f := s.follower
	if err := s.begun(ctx); err != nil {
		return 0, "", err
	}
	// Each round answers, or waits for a read that changes what look sees.
	repaired := false
	for epoch := ""; ; {
		v := f.look(p, limit)
		switch {
		case v.missing:
			err = f.await(ctx, func(done chan struct{}) {
				f.want(func(r *reads) { r.fills = append(r.fills, fillWant{v.place, func() { close(done) }, done}) })
			})
		case v.doubtful && !(repaired && v.epoch == epoch):
			// The store may have begun another log, or have entries of which this node has not heard. A
			// repair that finds another log goes to its beginning, so another one has to read what is in it.
			repaired, epoch = true, v.epoch
			err = f.await(ctx, func(done chan struct{}) { f.repairNow(done) })
		default:
			return v.after, v.reason, nil
		}
		if err != nil {
			return 0, "", err
		}
	}
}

// Known is Find for a position about which nothing has to be read, which is that of most clients. ok is
// false if Find may have to wait.
func (s *Subscription) Known(p Position, limit int) (after int, reason Reason, ok bool) {
	if !s.follower.begun.Load() || s.Closed() {
		return 0, "", false
	}
	v := s.follower.look(p, limit)
	return v.after, v.reason, !v.missing && !v.doubtful
}

// verdict is what a follower knows of a position.
type verdict struct {
	after    int    // entries follow it
	reason   Reason // it is not a place of the log
	doubtful bool   // but the store may say that it is
	epoch    string // of this node, if it is doubtful
	missing  bool   // what follows place must be read before more can be said
	place    Position
}

// look says what is known of a position. It counts at most limit+1 entries after it.
func (f *follower) look(p Position, limit int) verdict {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case p.Epoch != f.epoch:
		return verdict{reason: ReasonEpoch, doubtful: true, epoch: f.epoch}
	case p.Offset > f.head:
		if f.chain != nil && f.chain.has(f.head, p.Offset) {
			return verdict{} // another goroutine is about to take it
		}
		return verdict{reason: ReasonUnknown, doubtful: true, epoch: f.epoch}
	}
	for n := 0; ; {
		list, state := f.find(p)
		switch state {
		case AtHead:
			return verdict{after: n}
		case Missing:
			return verdict{missing: true, place: p}
		case Gone:
			if p.Offset < f.oldest {
				return verdict{reason: ReasonExpired}
			}
			return verdict{reason: ReasonUnknown}
		}
		if n += len(list); n > limit {
			return verdict{after: limit + 1}
		}
		p.Offset = list[len(list)-1].Place.Offset
	}
}
