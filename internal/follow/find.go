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
			return verdict{}
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

// Back returns the position n entries before the head, or that of the oldest place if there are fewer.
// It reads the store if need be, until ctx ends; then err is its cause.
func (s *Subscription) Back(ctx context.Context, n int) (Position, error) {
	f := s.follower
	if err := s.begun(ctx); err != nil {
		return Position{}, err
	}
	n = min(n, f.topic.Entries)
	for tries := 0; ; tries++ {
		// Entries that were taken during a read may have moved others out of the ring.
		p, ok := f.back(n)
		if ok || tries == 3 {
			return p, nil
		}
		err := f.await(ctx, func(done chan struct{}) {
			f.want(func(r *reads) {
				r.back = max(r.back, n)
				r.backs = append(r.backs, done)
			})
		})
		if err != nil {
			return Position{}, err
		}
	}
}

// back returns the position n entries before the head, as far as they are in memory. It reports whether
// all are, or no others are kept.
func (f *follower) back(n int) (Position, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n <= 0 {
		return f.position(), true
	}
	for r := &f.ring; ; {
		if n <= len(r.entries) {
			return Position{f.epoch, r.entries[len(r.entries)-n].Place.Prev}, true
		}
		n -= len(r.entries)
		before := f.endingAt(r.base)
		if before == nil {
			return Position{f.epoch, r.base}, r.base <= f.oldest
		}
		r = before
	}
}

// endingAt returns the page that ends at a place, or nil. The caller holds f.mu.
func (f *follower) endingAt(place uint64) *run {
	for _, r := range f.old {
		if r.end() == place {
			return r
		}
	}
	return nil
}

// await waits for something that begin wants from the store, until ctx or the followers end. f.mu is held
// while begin is called. Whoever serves the wish closes done.
func (f *follower) await(ctx context.Context, begin func(done chan struct{})) error {
	done := make(chan struct{})
	f.mu.Lock()
	ended := f.ended
	begin(done)
	f.mu.Unlock()
	if ended {
		return errClosed
	}
	err := f.all.wait(ctx, done)
	if err != nil {
		f.unwant(done)
	}
	return err
}
