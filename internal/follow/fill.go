package follow

// fill reads the page after the oldest place that is wanted and not in memory, and calls those who wait
// for what is there now. Those with later places find theirs in that page or in one of the next, so that
// each page is read once for all.
func (f *follower) fill() error {
	place, done, ok := f.oldestFill()
	callAll(done)
	if !ok {
		return nil
	}
	p, err := f.page(place.Offset)
	if err != nil {
		return err
	}
	done, err = f.takeFill(place, &p)
	callAll(done)
	return err
}

// oldestFill returns the oldest place that is wanted, and functions to call for those that are in memory
// by now.
func (f *follower) oldestFill() (place Position, done []func(), ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	done = f.answered()
	if f.reads == nil {
		return Position{}, done, false
	}
	// From the oldest place on, one page after the other serves all the later ones.
	for i, w := range f.reads.fills {
		if i == 0 || w.place.Offset < place.Offset {
			place = w.place
		}
	}
	return place, done, len(f.reads.fills) > 0
}

// takeFill puts a page into memory, and returns the functions to call.
func (f *follower) takeFill(place Position, p *Page) (done []func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.reads == nil || place != Position{} && place.Epoch != f.epoch:
	case p.Epoch != f.epoch:
		f.repairNow(nil) // it goes on with the other log, where the place is gone
	case !p.Known:
		f.goneAt(place.Offset, p.Oldest)
	case len(p.Entries) == 0 || !f.insert(place.Offset, p.Entries):
		// The store does not have what this node has taken, or it does not agree with itself.
		f.old = nil
		f.repairNow(nil)
		err = errAnswer
	default:
		f.oldest = max(f.oldest, p.Oldest)
	}
	return f.answered(), err
}

// goneAt notes that a place is none of the log. The caller holds f.mu.
func (f *follower) goneAt(offset, oldest uint64) {
	f.oldest = max(f.oldest, oldest)
	if offset < f.oldest {
		return // all such places are gone
	}
	r := f.reads
	if r.gone = append(r.gone, offset); len(r.gone) > mostGone {
		r.gone = r.gone[1:]
	}
}
