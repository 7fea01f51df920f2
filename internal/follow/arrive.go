package follow

import (
	"time"

	"github.com/bennu-go/bennu/pubsub"
)

// passTime bounds the wait in Deliver. A publisher waits for the goroutine that takes, so that what a
// handler has broadcast comes before its reply. The wait could be for ever if a subscriber publishes
// in Deliver, or waits there for a goroutine that publishes: the goroutine that takes would wait for
// itself. So it ends after this time, and nothing is lost: the entry is in the chain.
const passTime = time.Second

var _ pubsub.GapSubscriber = (*follower)(nil)

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

// pass gives a message without a place to all subscribers.
func (f *follower) pass(d *pubsub.Dispatch) {
	f.mu.Lock()
	s := f.snapshot()
	f.mu.Unlock()
	f.deliver(s, d)
}

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

// put adds an entry to the chain. If there is no room it is dropped, and read from the store later. The
// caller holds f.mu.
func (f *follower) put(e *Entry) {
	if !f.needChain().put(e, f.repairs) {
		f.repairSoon()
	}
}

// needChain returns the chain, and makes it if there is none. Most followers need none most of the time, since
// entries come in order. The caller holds f.mu.
func (f *follower) needChain() *chain {
	if f.chain == nil {
		f.chain = new(chain)
	}
	return f.chain
}
