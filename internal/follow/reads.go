package follow

import (
	"context"
	"slices"
)

// mostGone bounds the offsets that a follower remembers as no places of the log.
const mostGone = 64

// reads are what a follower wants from the store. The lock of the follower guards them. One goroutine
// reads at a time, so what many want at once is read once. Most followers want nothing most of the time,
// and have none.
type reads struct {
	busy     bool // a reader has the follower, or will have it
	failures int  // reads without an answer, one after the other
	repair   bool // what follows the head
	repaired []repairWait
	fills    []fillWant
	back     int // number of the newest that Back wants, or 0
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
	case len(r.gone) == 0: // otherwise find still looks into gone
		f.reads = nil
	}
}

// await calls begin, which says under f.mu what is wanted from the store, and waits until the reader that
// has done it closes done. The error is the cause of ctx, or of the followers if they end.
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
		return // the follower has ended
	}
	if err != nil {
		// busy stays set until the alarm, so that no new wish is read before.
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

// nextRead says what to read. A repair comes first, since it finds out whether the log has broken. Back is
// one read and comes before the fills, which may be many.
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
