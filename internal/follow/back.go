package follow

import "context"

// Back returns the position n entries before the head, or that of the oldest place if there are fewer.
// It reads the store if need be, until ctx ends; then err is its cause.
func (s *Subscription) Back(ctx context.Context, n int) (Position, error) {
	f := s.follower
	if err := s.begun(ctx); err != nil {
		return Position{}, err
	}
	n = min(n, f.topic.Entries)
	for tries := 0; ; tries++ {
		// Entries that were taken during a read may have moved others out of the ring. If that happens again
		// and again, the client gets fewer: Rewind promises no number.
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
		// The pages in memory are in no order, and there may be a hole between them.
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

// readBack reads the newest entries, as many as the one who wants most of them. Those who ask while it
// reads are answered with the others: if they want more, they find out and ask again.
func (f *follower) readBack() error {
	f.mu.Lock()
	var n int
	if f.reads != nil {
		n = f.reads.back
	}
	f.mu.Unlock()
	p, err := f.call(func(ctx context.Context) (Page, error) {
		return f.all.o.Source.Newest(ctx, f.name, n, f.topic.Bytes)
	})
	if err != nil {
		return err
	}
	f.takeBack(n, &p)
	return nil
}

// takeBack puts the newest entries into memory, as far as they come before the ring, and wakes those who
// wait. If the page does not fit what this node has, a repair finds out why, and they look again.
func (f *follower) takeBack(n int, p *Page) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.reads
	switch {
	case r == nil:
		return
	case p.Epoch != f.epoch || p.Head < f.head:
		f.repairNow(nil)
	case len(p.Entries) == 0:
		f.oldest = max(f.oldest, p.Head) // nothing is kept
	default:
		first := p.Entries[0].Place.Prev
		if !p.More {
			f.oldest = max(f.oldest, first)
		}
		if first < f.ring.base && !f.insert(first, p.Entries) {
			f.repairNow(nil)
		}
	}
	for _, done := range r.backs {
		close(done)
	}
	r.back, r.backs = 0, nil
}
