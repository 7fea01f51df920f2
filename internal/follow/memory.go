package follow

import "slices"

// keepTime is how long, in milliseconds, entries stay in memory that nobody uses.
const keepTime = 30_000

// keep puts an entry that was taken into the ring. The caller holds f.mu.
func (f *follower) keep(e *Entry) {
	if f.topic.NoResume || f.all.cache.full() {
		// Nobody resumes from a topic with NoResume. A full cache is about to remove entries, and has not yet.
		f.forget()
		return
	}
	entries, size := len(f.ring.entries), f.ring.size()
	f.ring.add(e)
	f.ring.bound(f.topic.Entries, f.topic.Bytes)
	f.ring.used = f.all.watch.now()
	f.all.cache.add(len(f.ring.entries)-entries, f.ring.size()-size)
}

// forget removes the ring, also for an entry that has no room: with a hole in it, it would be none. The caller
// holds f.mu.
func (f *follower) forget() {
	f.all.cache.add(-len(f.ring.entries), -f.ring.size())
	f.ring = run{base: f.head}
}

// find returns the entries after a place that are in memory in one piece. The caller holds f.mu.
func (f *follower) find(p Position) ([]*Entry, State) {
	switch {
	case !f.started:
		return nil, Missing
	// The zero position is the place before the first entry of any log.
	case p != Position{} && p.Epoch != f.epoch:
		return nil, Gone
	case p.Offset >= f.head:
		return nil, AtHead
	}
	if list, state := f.ring.find(p.Offset); state != Missing {
		f.ring.used = f.all.watch.now()
		return list, state
	}
	for _, r := range f.old {
		if list, state := r.find(p.Offset); state != Missing {
			r.used = f.all.watch.now()
			return list, state
		}
	}
	// Only what the store has said counts as gone: what was evicted here may be there.
	if p.Offset < f.oldest || f.reads != nil && slices.Contains(f.reads.gone, p.Offset) {
		return nil, Gone
	}
	return nil, Missing
}

// insert puts a page that was read from the store into memory, at the front of the ring if it ends there and
// fits into its bounds, and otherwise beside it. What is in memory already is left out. It reports whether the
// page fits to that: a page of the same log has an entry, or its end, where the next piece begins. The caller
// holds f.mu.
func (f *follower) insert(after uint64, list []*Entry) bool {
	n := &run{base: after, used: f.all.watch.now()}
	// Pieces must not overlap, or the memory would be counted twice.
	next := f.following(after)
	for _, e := range list {
		if e.Place.Offset > next {
			break
		}
		n.add(e)
	}
	if n.end() != next && len(n.entries) < len(list) {
		return false
	}
	entries, size := f.entries(), f.size()
	switch {
	case n.end() == f.ring.base && len(n.entries)+len(f.ring.entries) <= f.topic.Entries && n.payload+f.ring.payload <= f.topic.Bytes:
		f.ring.entries = append(n.entries, f.ring.entries...)
		f.ring.payload += n.payload
		f.ring.base, f.ring.used = after, n.used
	case len(n.entries) > 0: // the ring would grow beyond its bounds, or there is a hole between
		f.old = append(f.old, n)
	}
	f.all.cache.add(f.entries()-entries, f.size()-size)
	return true
}

// following returns where the next piece in memory begins after a place.
func (f *follower) following(place uint64) uint64 {
	next := f.ring.base
	for _, r := range f.old {
		if r.base > place && r.base < next {
			next = r.base
		}
	}
	return next
}

// tidy removes what was not used for a while, but not the newest entries. It reports whether the
// follower goes on.
func (f *follower) tidy(now int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	entries, size := f.entries(), f.size()
	f.old = slices.DeleteFunc(f.old, func(r *run) bool { return now-r.used >= keepTime })
	if len(f.old) == 0 {
		f.old = nil
	}
	if now-f.ring.used >= keepTime {
		f.ring.drop(max(0, len(f.ring.entries)-f.newest()))
	}
	f.all.cache.add(f.entries()-entries, f.size()-size)
	return !f.ended
}

// uses appends what the follower has in memory. The ring is there twice, since its newest entries go
// last.
func (f *follower) uses(list []use) []use {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.old {
		list = append(list, use{f, r, r.used, 0})
	}
	if len(f.ring.entries) > 0 {
		list = append(list, use{f, nil, f.ring.used, 0}, use{f, nil, f.ring.used, 1})
	}
	return list
}

// newest is how many entries of a ring stay in memory as long as there is room: for clients without
// a position, and for those that were away for a moment.
func (f *follower) newest() int { return max(f.topic.Rewind, 1) }

// evict removes a piece, or so much of a ring that some bytes are free.
func (f *follower) evict(u use, bytes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	entries, size := f.entries(), f.size()
	if u.run != nil {
		f.old = slices.DeleteFunc(f.old, func(r *run) bool { return r == u.run })
	} else {
		most := len(f.ring.entries)
		if u.rank == 0 {
			most -= f.newest()
		}
		f.ring.drop(f.ring.oldest(bytes, most))
	}
	f.all.cache.add(f.entries()-entries, f.size()-size)
}

// entries is how many entries are in memory. The caller holds f.mu.
func (f *follower) entries() int {
	n := len(f.ring.entries)
	for _, r := range f.old {
		n += len(r.entries)
	}
	return n
}

// size is their memory, about. The caller holds f.mu.
func (f *follower) size() int {
	n := f.ring.size()
	for _, r := range f.old {
		n += r.size()
	}
	return n
}
