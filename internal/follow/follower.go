package follow

import (
	"sync"
	"sync/atomic"

	"github.com/bennu-go/bennu/pubsub"
)

// follower follows the log of one topic. It is a subscriber of the PubSub, and stands there for all
// subscribers of the topic.
type follower struct {
	all   *Followers
	name  string
	topic *Topic

	telling atomic.Pointer[record] // that Tell has made for this follower last
	begun   atomic.Bool            // started, for those who do not have the lock

	mu         sync.Mutex // guards the fields below; no subscriber is called while it is held
	sub        *pubsub.Subscription
	subs       []*Subscription
	epoch      string        // of the log, "" while the topic has none
	head       uint64        // of the last entry that was taken
	delivered  uint64        // of the last entry that all subscribers were given
	oldest     uint64        // the store does not have the places before this one any more
	ring       run           // the newest entries, up to the head
	old        []*run        // pages before the ring
	chain      *chain        // nil while nothing waits
	reset      *Position     // where the follower goes on after the log has broken
	reads      *reads        // nil while nothing is to be read from the store
	beginning  chan struct{} // closed when beginLog has ended
	starting   *starting     // nil once it has started, and while nobody waits for that
	round      uint32        // how often the last subscription has ended
	repairs    uint32        // that have begun
	asking     asking
	interested bool // the interest has been ready
	started    bool // the head is known
	taking     bool // a goroutine takes entries
	alarmed    bool // hole is called soon
	doubt      bool // hole begins a repair, whatever the chain looks like
	ended      bool
}

// Subscribers returns the number of subscriptions. PubSub.Subscribers counts it.
func (f *follower) Subscribers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.subs)
}

// subscribe adds a subscription. It gets the entries from the next one on: take copies the list under the
// same lock under which it moves the head.
func (f *follower) subscribe(s pubsub.Subscriber) *Subscription {
	sub := &Subscription{subscriber: s, follower: f}
	f.mu.Lock()
	defer f.mu.Unlock()
	sub.index = len(f.subs)
	f.subs = append(f.subs, sub)
	return sub
}

// cancel removes a subscription by moving the last one to its place.
func (f *follower) cancel(s *Subscription) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.index < 0 || f.ended {
		return
	}
	last := len(f.subs) - 1
	f.subs[s.index] = f.subs[last]
	f.subs[s.index].index = s.index
	f.subs[last] = nil
	f.subs = f.subs[:last]
	s.index = -1
	if last == 0 && !f.ended {
		f.round++
		f.all.alarms.add(f.all.o.Linger, alarm{follower: f, kind: alarmIdle, round: f.round})
	}
	// Shrink the list of a topic that was large.
	if c := cap(f.subs); c > 64 && last < c/4 {
		f.subs = append(make([]*Subscription, 0, c/2), f.subs...)
	}
}

// end ends a follower whose PubSub subscription the caller cancels. Publishers that wait are released.
// Whoever waits for a read has cancelled its subscription before, or is woken by Close. The caller holds f.mu.
func (f *follower) end() {
	f.ended = true
	f.subs = nil
	f.all.cache.add(-f.entries(), -f.size())
	f.ring, f.old = run{}, nil
	if f.chain != nil {
		f.chain.clear()
		f.chain = nil
	}
	f.reads = nil
	f.starting.over()
	f.starting = nil
}

// position returns the head. The caller holds f.mu.
func (f *follower) position() Position { return Position{f.epoch, f.head} }

// begin sets the head for the first time, wakes those who wait for that, and takes what has come meanwhile.
// The caller holds f.mu.
func (f *follower) begin(head Position) {
	f.started = true
	f.begun.Store(true)
	f.epoch, f.head, f.delivered = head.Epoch, head.Offset, head.Offset
	f.ring = run{base: f.head}
	f.starting.over()
	f.starting = nil
	f.drain()
	f.kick()
}
