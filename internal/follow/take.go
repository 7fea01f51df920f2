package follow

import (
	"math"

	"github.com/bennu-go/bennu/pubsub"
)

// turn is how many entries a goroutine takes at most that has come with one of its own. Then another
// goroutine goes on, so that no publisher is kept for long by what others publish.
const turn = 64

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
		if !handed { // also if a subscriber has ended the goroutine
			f.taking = false
		}
	}()
	for n := 0; ; n++ {
		if f.reset != nil {
			// Between two entries: no subscriber may get one of the old log after Broke.
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
		f.unlocked(func() { f.deliver(s, &s.dispatch) })
	}
	f.delivered = e.Place.Offset
	if f.chain != nil {
		f.chain.release(f.delivered)
	}
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

// unlocked calls do without f.mu, which the caller holds before and after, even if do panics.
func (f *follower) unlocked(do func()) {
	f.mu.Unlock()
	defer f.mu.Lock()
	do()
}
