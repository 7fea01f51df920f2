package follow

import (
	"context"
	"slices"
	"time"
)

// holeTime is how long a hole in the chain is left alone: what is missing may be on its way.
// Entries of two nodes often overtake each other by less than this, and a read of the store costs more.
const holeTime = 20 * time.Millisecond

// repairSoon begins a repair in a while, whatever the chain looks like then. The caller holds f.mu.
func (f *follower) repairSoon() {
	f.doubt = true
	f.alarm()
}

// alarm looks at the chain again in a while. A follower sets one alarm at a time, so a hole that opens just
// before it fires is left alone for less than holeTime: it costs one read more. The caller holds f.mu.
func (f *follower) alarm() {
	if !f.alarmed && !f.ended {
		f.alarmed = true
		f.all.alarms.add(holeTime, alarm{follower: f, kind: alarmHole})
	}
}

// hole begins a repair if the chain has had a hole for a while.
func (f *follower) hole() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.alarmed = false
	switch {
	case !f.started && f.doubt:
		f.alarm() // there is no head yet from which to read
	case f.doubt, f.started && !f.taking && f.chain != nil && len(f.chain.waiting) > 0:
		f.repairNow(nil)
	}
}

// repairNow wants a read of what follows the head, that begins after this call. done, if not nil, is
// closed when it has ended. The caller holds f.mu.
func (f *follower) repairNow(done chan struct{}) {
	f.want(func(r *reads) {
		r.repair = true
		if done != nil {
			r.repaired = append(r.repaired, repairWait{done, f.repairs})
		}
	})
}

// repair reads what follows the head and takes it. A reader calls it, and no other repair of the follower
// runs. If it fails, the wish for it and those who wait stay, and the reader tries again.
func (f *follower) repair() error {
	f.mu.Lock()
	r := f.reads
	if r == nil {
		f.mu.Unlock()
		return nil
	}
	after, epoch := f.head, f.epoch
	// What is wanted from now on needs another repair: this one may read before it is in the store.
	r.repair, f.doubt = false, false
	f.repairs++
	number := f.repairs
	f.mu.Unlock()

	f.all.repairs.Add(1)
	err := f.repairFrom(after, epoch)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		r.repair = true
		return err
	}
	if f.chain != nil {
		// What came before the read began is in the store, or in no log.
		f.chain.clean(f.head, number)
		if !f.taking {
			f.settle()
		}
	}
	r.repaired = slices.DeleteFunc(r.repaired, func(w repairWait) bool {
		over := w.repairs < number
		if over {
			close(w.done)
		}
		return over
	})
	return nil
}

// repairFrom reads and takes page after page, until the store has no more. It waits for the subscribers after
// each, so that the pages of a topic whose subscribers are slow do not pile up in the chain.
func (f *follower) repairFrom(after uint64, epoch string) error {
	for {
		p, err := f.page(after)
		if err != nil {
			return err
		}
		next, passed, err := f.takePage(&p, after, epoch)
		if err != nil {
			return err
		}
		if next == overtaken { // others were taken meanwhile; the head itself must be known
			after = f.headNow()
			continue
		}
		if passed != nil {
			select {
			case <-passed:
			case <-f.all.ctx.Done():
				return context.Cause(f.all.ctx)
			}
		}
		if next == done {
			return nil
		}
		after = p.Entries[len(p.Entries)-1].Place.Offset
	}
}

// nextPage says what a repair does after a page.
type nextPage uint8

const (
	done      nextPage = iota
	following          // the page after it is read
	overtaken          // the head has moved on, and the store does not keep the old one any more
)

// headNow returns the offset of the head.
func (f *follower) headNow() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.head
}

// takePage takes the entries of a page that was read after a place at or below the head. passed, if not
// nil, is closed when all have been taken.
func (f *follower) takePage(p *Page, after uint64, epoch string) (next nextPage, passed chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.ended || f.epoch != epoch && f.epoch != p.Epoch:
		return done, nil, nil // the log has begun or broken meanwhile
	case f.epoch == "" && p.Epoch == "":
		return done, nil, nil // it has not begun
	case p.Epoch == "": // the log was forgotten
		passed, err = f.rotate("")
		return done, passed, err
	case f.epoch != "" && p.Epoch != f.epoch:
		// All of the new log is new to the subscribers.
		return done, f.resetTo(Position{p.Epoch, p.Oldest}), nil
	case !p.Known && after != f.head:
		return overtaken, nil, nil // the page says nothing about the head
	case !p.Known && after < p.Oldest:
		// The log goes on without a break, but what this node has missed is not kept any more.
		return done, f.resetTo(Position{p.Epoch, p.Head}), nil
	case !p.Known:
		passed, err = f.rotate(f.epoch)
		return done, passed, err
	}
	f.oldest = max(f.oldest, p.Oldest)
	if len(p.Entries) == 0 {
		if f.epoch == "" && p.Head == 0 {
			f.epoch = p.Epoch
		}
		return done, nil, nil
	}
	f.putPage(p.Entries)
	f.drain()
	last := p.Entries[len(p.Entries)-1].Place.Offset
	if f.taking && f.delivered < last {
		passed = f.passed(last)
	}
	if p.More {
		next = following
	}
	return next, passed, nil
}

// putPage puts the entries of a page into the chain, beyond its bounds. The caller holds f.mu.
func (f *follower) putPage(list []*Entry) {
	for _, e := range list {
		if e.Place.Offset <= f.head {
			continue
		}
		if _, ok := f.needChain().waiting[e.Place.Prev]; !ok { // nobody has told this node
			f.all.filled.Add(1)
		}
		f.chain.force(e, f.repairs)
	}
}
