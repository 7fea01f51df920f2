package follow

import (
	"math"
	"sync"
	"time"

	"github.com/bennu-go/bennu/pubsub"
)

const (
	// turn is how many entries a goroutine takes at most that has come with one of its own. Then another
	// goroutine goes on, so that no publisher is kept for long by what others publish.
	turn = 64
	// passTime bounds the wait in Deliver. A publisher waits for the goroutine that takes, so that what a
	// handler has broadcast comes before its reply. The wait could be for ever if a subscriber publishes
	// in Deliver, or waits there for a goroutine that publishes: the goroutine that takes would wait for
	// itself. So it ends after this time, and nothing is lost: the entry is in the chain.
	passTime = time.Second
)

// Deliver implements pubsub.Subscriber. A message with a place is offered to the chain, any other goes
// on to all subscribers. If m is of this node and nothing is missing before it, the subscribers have it
// when Deliver returns.
func (f *follower) Deliver(d *pubsub.Dispatch) {
	if d.Place == nil {
		f.pass(d)
		return
	}
	if d.Place.Offset <= d.Place.Prev {
		f.all.sayBroken(f.name, d.Place)
		return
	}
	if done := f.offer(f.entryOf(d), d.Remote); done != nil {
		f.wait(done)
	}
}

// Gap implements pubsub.GapSubscriber. Entries may have been missed: the store knows.
func (f *follower) Gap(string) { f.all.gap(f) }

// wait waits until an entry was passed, but not for long.
func (f *follower) wait(done chan struct{}) {
	late := time.NewTimer(passTime)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.chain != nil {
			f.chain.forget(done)
		}
	}
}

// offer takes an entry if it continues the head, and lets it wait in the chain if it does not. If it is
// of this node and another goroutine takes what is before it, offer returns a channel that is closed
// when that has passed e.
func (f *follower) offer(e *Entry, remote bool) chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch place := e.Place; {
	case f.ended:
		return nil
	case f.started && f.epoch != "" && place.Epoch != f.epoch:
		f.repairSoon()
		return nil
	case f.started && place.Offset <= f.head:
		if remote {
			f.all.late.Add(1)
		}
		if _, state := f.ring.find(place.Offset); state == Gone {
			f.repairSoon() // the store has given the offset to another entry than this node has
		}
	default:
		if remote && place.Epoch == f.epoch {
			place.Epoch = f.epoch // one string for all entries
		}
		f.enter(e)
	}
	if remote || !f.taking || e.Place.Offset <= f.delivered || f.chain == nil || e.Place.Offset > f.chain.reach(f.head) {
		return nil
	}
	return f.passed(e.Place.Offset)
}

// passed returns a channel that is closed when the subscribers have the entry at an offset. The caller
// holds f.mu.
func (f *follower) passed(offset uint64) chan struct{} {
	done := make(chan struct{})
	f.needChain().passing = append(f.chain.passing, passing{offset, done})
	return done
}

// needChain returns the chain, and makes it if there is none. Most followers need none most of the time, since
// entries come in order. The caller holds f.mu.
func (f *follower) needChain() *chain {
	if f.chain == nil {
		f.chain = new(chain)
	}
	return f.chain
}

// put adds an entry to the chain. If there is no room it is dropped, and read from the store later. The
// caller holds f.mu.
func (f *follower) put(e *Entry) {
	if !f.needChain().put(e, f.repairs) {
		f.repairSoon()
	}
}

// enter takes an entry at once or puts it into the chain. The caller holds f.mu.
func (f *follower) enter(e *Entry) {
	if f.started && !f.taking && e.Place.Prev == f.head && f.reset == nil {
		f.epoch = e.Place.Epoch // it had none, or the same
		f.taking = true
		f.takeAll(e, turn)
		return
	}
	f.put(e)
	f.drain()
}

// drain takes what continues the head, unless another goroutine does. The caller holds f.mu, which is
// free while subscribers are called.
func (f *follower) drain() {
	if !f.started || f.taking {
		return
	}
	f.taking = true
	f.takeAll(nil, turn)
}

// Run implements task.Runner. It goes on where another goroutine has had its turn.
func (f *follower) Run() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.takeAll(nil, math.MaxInt)
}

// takeAll takes an entry that continues the head, which may be nil, and those after it. After so many
// entries another goroutine goes on. The caller holds f.mu, which is free while subscribers are called,
// and has set f.taking: one goroutine takes at a time.
func (f *follower) takeAll(e *Entry, most int) {
	handed := false
	defer func() {
		if !handed { // also after a panic of a subscriber
			f.taking = false
		}
	}()
	for n := 0; ; n++ {
		if f.reset != nil {
			f.applyReset()
			continue
		}
		if e == nil {
			e = f.next()
		}
		if e == nil {
			break
		}
		if n == most {
			handed = true
			f.needChain().force(e, f.repairs)
			f.all.tasks.Start(f)
			return
		}
		f.take(e)
		e = nil
	}
	f.settle()
}

// next returns the entry that follows the head, or nil. The caller holds f.mu.
func (f *follower) next() *Entry {
	for f.chain != nil && !f.ended {
		e := f.chain.take(f.head)
		switch {
		case e == nil || e.Place.Epoch == f.epoch:
			return e
		case f.epoch == "": // the first entry of the topic begins its log
			f.epoch = e.Place.Epoch
			return e
		}
		f.repairSoon()
	}
	return nil
}

// take moves the head to an entry and gives it to the subscribers. The caller holds f.mu, which is
// free while they are called.
func (f *follower) take(e *Entry) {
	f.head = e.Place.Offset
	f.keep(e)
	if len(f.subs) > 0 {
		s := f.snapshot()
		s.dispatch = pubsub.Dispatch{Message: e.Message, Memo: e}
		f.unlocked(func() { s.deliver(&s.dispatch) })
	}
	f.delivered = e.Place.Offset
	if f.chain != nil {
		f.chain.release(f.delivered)
	}
}

// unlocked calls do without f.mu, which the caller holds before and after, even if do panics.
func (f *follower) unlocked(do func()) {
	f.mu.Unlock()
	defer f.mu.Lock()
	do()
}

// settle is called when nothing continues the head. Entries that still wait show a hole, so the chain is
// looked at again. The caller holds f.mu.
func (f *follower) settle() {
	switch {
	case f.chain == nil:
	case f.chain.idle():
		f.chain = nil
	case len(f.chain.waiting) > 0:
		f.alarm()
	}
}

// pass gives a message without a place to all subscribers.
func (f *follower) pass(d *pubsub.Dispatch) {
	f.mu.Lock()
	s := f.snapshot()
	f.mu.Unlock()
	s.deliver(d)
}

// snapshot is the list of subscriptions at a moment. It is used again.
type snapshot struct {
	list     []*Subscription
	dispatch pubsub.Dispatch
}

var snapshots = sync.Pool{New: func() any { return new(snapshot) }}

// snapshot copies the list of subscriptions, so that they can be called without the lock. The caller
// holds f.mu, and calls deliver.
func (f *follower) snapshot() *snapshot {
	s := snapshots.Get().(*snapshot)
	s.list = append(s.list[:0], f.subs...)
	return s
}

// deliver gives a message to the subscriptions.
func (s *snapshot) deliver(d *pubsub.Dispatch) {
	for _, sub := range s.list {
		sub.subscriber.Deliver(d)
	}
	s.free()
}

// free clears the snapshot, which must not keep subscriptions in memory, and lets others use it.
func (s *snapshot) free() {
	clear(s.list)
	s.dispatch = pubsub.Dispatch{}
	snapshots.Put(s)
}
