package follow

import (
	"context"
	"errors"
	"slices"
)

// mostGone bounds the offsets that a follower remembers as no places of the log.
const mostGone = 64

var errAnswer = errors.New("history: the answer of the store is not a piece of a log")

// reads are what a follower wants from the store. The lock of the follower guards them. One goroutine
// reads at a time.
type reads struct {
	busy     bool // a reader has the follower, or will have it
	failures int  // reads without an answer, one after the other
	repair   bool // what follows the head
	repaired []repairWait
	fills    []fillWant
	back     int // so many of the newest
	backs    []chan struct{}
	gone     []uint64 // offsets that are no places of the log, the latest
}

// fillWant is a place after which somebody wants to read.
type fillWant struct {
	place Position
	done  func()
	wait  chan struct{} // closed by done, if that is what done does
}

// repairWait is closed when a repair has ended that began later than so many others.
type repairWait struct {
	done    chan struct{}
	repairs uint32
}

// unwant removes the wants of somebody who does not wait any more, so that they do not pile up while the
// store is away.
func (f *follower) unwant(done chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.reads
	if r == nil {
		return
	}
	r.fills = slices.DeleteFunc(r.fills, func(w fillWant) bool { return w.wait == done })
	r.backs = slices.DeleteFunc(r.backs, func(d chan struct{}) bool { return d == done })
	r.repaired = slices.DeleteFunc(r.repaired, func(w repairWait) bool { return w.done == done })
}

// want lets a reader serve the follower after change has said what is wanted. The caller holds f.mu.
func (f *follower) want(change func(r *reads)) {
	if f.ended {
		return
	}
	if f.reads == nil {
		f.reads = new(reads)
	}
	change(f.reads)
	f.kick()
}

// kick gives the follower to a reader if something is wanted. The caller holds f.mu.
func (f *follower) kick() {
	r := f.reads
	if r == nil || r.busy || !f.started {
		return
	}
	switch {
	case r.repair || len(r.fills) > 0 || r.back > 0:
		r.busy = true
		f.all.readers.add(f)
	case len(r.gone) == 0:
		f.reads = nil
	}
}

// read reads one thing that is wanted, in the goroutine of a reader. Then the follower goes to the
// end of the queue, so that all topics have their turn.
func (f *follower) read() {
	f.mu.Lock()
	r := f.reads
	f.mu.Unlock()
	if r == nil { // it has ended
		return
	}
	var err error
	switch next := f.nextRead(); next {
	case readRepair:
		err = f.repair()
	case readFill:
		err = f.fill()
	case readBack:
		err = f.readBack()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.reads != r {
		return
	}
	if err != nil {
		pause := min(leastPause<<min(r.failures, 8), mostPause)
		r.failures++
		f.all.alarms.add(pause, alarm{follower: f, kind: alarmRetry})
		return
	}
	r.failures, r.busy = 0, false
	f.kick()
}

// readKind is what a reader does for a follower.
type readKind uint8

const (
	readNothing readKind = iota
	readRepair
	readBack
	readFill
)

// nextRead says what to read. A repair comes first, since it finds out whether the log has broken.
func (f *follower) nextRead() readKind {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r := f.reads; {
	case r == nil:
	case r.repair:
		return readRepair
	case r.back > 0:
		return readBack
	case len(r.fills) > 0:
		return readFill
	}
	return readNothing
}

// The bounds of a page. It is large, since a channel that was away for long needs several, and small enough
// that a store answers others meanwhile. Followers.pageBytes may lower the second.
const (
	pageEntries = 1000
	pageBytes   = 1 << 20
)

// page reads one page after a place, and checks that it is a contiguous piece of a log.
func (f *follower) page(after uint64) (Page, error) {
	return f.call(func(ctx context.Context) (Page, error) {
		p, err := f.all.o.Source.Read(ctx, f.name, after, pageEntries, f.all.pageBytes())
		if err == nil && len(p.Entries) > 0 && (!p.Known || p.Entries[0].Place.Prev != after) {
			err = errAnswer
		}
		return p, err
	})
}

// call counts and bounds a read of the store.
func (f *follower) call(read func(ctx context.Context) (Page, error)) (Page, error) {
	ctx, cancel := context.WithTimeout(f.all.ctx, sourceTime)
	defer cancel()
	f.all.reads.Add(1)
	p, err := read(ctx)
	if err == nil {
		err = f.check(&p)
	}
	if err != nil {
		f.all.sayRead(f.name, 1, err)
	}
	return p, err
}

// check reports whether the entries of a page follow each other, and puts others in the place of those
// that are not sound.
func (f *follower) check(p *Page) error {
	for i, e := range p.Entries {
		if e.Message == nil || e.Place == nil || e.Place.Epoch != p.Epoch || e.Place.Offset <= e.Place.Prev ||
			e.Place.Offset > p.Head || i > 0 && e.Place.Prev != p.Entries[i-1].Place.Offset {
			return errAnswer
		}
	}
	for i, e := range p.Entries {
		p.Entries[i] = f.checked(e)
	}
	return nil
}

// answered removes the fills for which an answer is there, and returns their functions. The caller holds
// f.mu, and calls them without it.
func (f *follower) answered() (done []func()) {
	r := f.reads
	if r == nil {
		return nil
	}
	r.fills = slices.DeleteFunc(r.fills, func(w fillWant) bool {
		_, state := f.find(w.place)
		if state == Missing {
			return false
		}
		done = append(done, w.done)
		return true
	})
	return done
}

// callAll calls functions, such as those that Fill was given. The caller holds no lock.
func callAll(list []func()) {
	for _, f := range list {
		f()
	}
}
