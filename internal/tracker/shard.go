package tracker

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/internal/redact"
	"github.com/bennu-go/bennu/pubsub"
)

// shard runs one state: it has the goroutines and the lock that a state does not have.
type shard struct {
	t     *Tracker
	ps    *pubsub.PubSub
	topic string
	sub   *pubsub.Subscription
	began time.Time

	inbox      chan received // messages of other nodes
	inboxBytes atomic.Int64  // their size in memory
	refused    atomic.Uint64 // messages that did not decode or did not fit into the inbox
	sentBytes  atomic.Uint64

	// turn is a lock, held from taking diffs until tell has returned. So its holder knows that
	// tell has got every change that was taken. It is a channel, and not a mutex, because tell
	// runs while it is held, and may block.
	turn chan struct{}
	tell func(*Tracker, Diff)

	mu     sync.Mutex // guards the fields below; tell is not called while it is held
	state  *state
	diffs  []Diff        // for the next call of tell
	noted  int           // number of entries in diffs
	folded int           // the same after diffs was folded last
	news   chan struct{} // has a value if diffs may not be empty
}

// received is a message and its size in memory.
type received struct {
	*message
	bytes int64
}

const (
	// inboxMessages and inboxBytes bound the inbox of a shard. A message that does not fit is
	// dropped, as if the broker had lost it. An empty inbox takes a single message of any size.
	inboxMessages = 256
	inboxBytes    = 16 << 20
	// trackerEvent is the event of all messages between trackers.
	trackerEvent = "tracker"
	// foldAfter is the number of entries by which diffs may grow before it is folded. Otherwise
	// diffs would grow without bound while tell does not return.
	foldAfter = 4096
)

func newShard(t *Tracker, ps *pubsub.PubSub, topic string, state *state, tell func(*Tracker, Diff)) *shard {
	return &shard{
		t: t, ps: ps, topic: topic, state: state, tell: tell, began: time.Now(),
		inbox: make(chan received, inboxMessages), turn: make(chan struct{}, 1), news: make(chan struct{}, 1),
	}
}

// Deliver implements pubsub.Subscriber. It must not block, so it puts the message into the inbox.
func (s *shard) Deliver(d *pubsub.Dispatch) {
	if !d.Remote {
		return
	}
	m, err := decode(d.Payload)
	if err != nil || d.Event != trackerEvent {
		s.refused.Add(1)
		s.t.book.Say(notice.TrackerMessage, slog.Int("bytes", len(d.Payload)))
		return
	}
	if !s.receive(m, len(d.Payload)) {
		s.refused.Add(1)
		s.t.book.Say(notice.TrackerFull, slog.Int("messages", inboxMessages), slog.Int("bytes", inboxBytes))
	}
}

// receive puts a message with its encoded length into the inbox, and reports whether there
// was room.
func (s *shard) receive(m *message, encoded int) bool {
	size := m.memory(encoded)
	if n := s.inboxBytes.Add(size); n > inboxBytes && n > size {
		s.inboxBytes.Add(-size)
		return false
	}
	select {
	case s.inbox <- received{m, size}:
		return true
	default:
		s.inboxBytes.Add(-size)
		return false
	}
}

// Gap implements pubsub.GapSubscriber. This node may have missed messages, and others those of this node.
func (s *shard) Gap(string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.wake()
}

// now returns the time since the start, by the monotonic clock.
func (s *shard) now() time.Duration { return time.Since(s.began) }

// live is the goroutine of run. It starts another one if run does not return: the log handler and
// subscribers of the program, which run calls, may panic or call runtime.Goexit.
func (s *shard) live(ctx context.Context) {
	returned := false
	defer func() {
		if !returned {
			s.failed("a subscriber or the log", recover())
			s.t.tasks.Go(func() { s.live(ctx) })
		}
	}()
	s.run(ctx)
	returned = true
}

// run passes messages and ticks to the state, and sends its messages.
func (s *shard) run(ctx context.Context) {
	period := s.state.opts.BroadcastPeriod
	// The first tick comes at a random time, so that nodes that were started together do not all
	// send at once.
	timer := time.NewTimer(rand.N(period/4 + 1))
	defer timer.Stop()
	for {
		var out []*message
		select {
		case <-ctx.Done():
			return
		case m := <-s.inbox:
			s.inboxBytes.Add(-m.bytes)
			s.mu.Lock()
			var diff Diff
			refused := s.state.stats.Refused
			diff, out = s.state.receive(s.now(), m.message)
			refused = s.state.stats.Refused - refused
			s.noteLocked(diff)
			s.mu.Unlock()
			if refused > 0 {
				s.t.book.Say(notice.TrackerRefused, notice.Foreign("peer", m.from.name))
			}
		case <-timer.C:
			timer.Reset(period)
			s.mu.Lock()
			var diff Diff
			self := s.state.self()
			diff, out = s.state.tick(s.now())
			s.noteLocked(diff)
			risen := s.state.self() != self
			s.mu.Unlock()
			if risen {
				s.t.book.Say(notice.TrackerSuperseded, slog.String("node", self.name))
			}
		}
		s.send(out)
	}
}

// send sends messages of the state. If the adapter refuses one, it counts as lost.
func (s *shard) send(messages []*message) {
	for _, m := range messages {
		data := m.append(nil)
		s.sentBytes.Add(uint64(len(data)))
		pm := &pubsub.Message{Topic: s.topic, Event: trackerEvent, Payload: data, Binary: true}
		var err error
		if to, one := m.addressee(); one {
			err = s.ps.DirectBroadcast(to.name, pm)
		} else {
			err = s.ps.BroadcastFrom(s, pm)
		}
		if err != nil {
			s.t.log.Debug("the adapter did not accept a message to other nodes", "error", err)
		}
	}
}

// goodbye ends the state, and sends its last message.
func (s *shard) goodbye() {
	s.mu.Lock()
	m := s.state.goodbye()
	s.mu.Unlock()
	s.send([]*message{m})
}

// change calls f, which tracks or updates an entry of this node, and returns that entry.
func (s *shard) change(f func(*state) (Diff, error)) (*Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	diff, err := f(s.state)
	if err != nil {
		return nil, err
	}
	s.noteLocked(diff)
	return diff.Joins[0], nil
}

// noteLocked adds a change to diffs, and folds diffs if it has more than doubled.
func (s *shard) noteLocked(d Diff) {
	if d.Empty() {
		return
	}
	s.diffs = append(s.diffs, d)
	s.noted += len(d.Joins) + len(d.Leaves)
	if s.noted > 2*s.folded+foldAfter {
		d := fold(s.diffs)
		s.diffs = append(s.diffs[:0:0], d)
		s.noted = len(d.Joins) + len(d.Leaves)
		s.folded = s.noted
	}
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// tellChanges is the goroutine that calls tell with changes, in order. If tell calls runtime.Goexit, it
// starts another one.
func (s *shard) tellChanges(ctx context.Context) {
	returned := false
	defer func() {
		if !returned {
			s.failed("tell", recover())
			s.t.tasks.Go(func() { s.tellChanges(ctx) })
		}
	}()
	for {
		select {
		case <-ctx.Done():
			returned = true
			return
		case <-s.news:
			s.alone(func() { s.tellAll(nil) })
		}
	}
}

// alone calls f while it holds turn.
func (s *shard) alone(f func()) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	f()
}

// tellAll calls tell with all changes so far, merged into one Diff. It returns the result of look, which it
// calls with the state after these changes, or nil if look is nil. The caller holds turn.
func (s *shard) tellAll(look func(*state) []*Entry) []*Entry {
	s.mu.Lock()
	diffs := s.diffs
	s.diffs, s.noted, s.folded = nil, 0, 0
	var list []*Entry
	if look != nil {
		list = look(s.state)
	}
	s.mu.Unlock()
	if d := fold(diffs); !d.Empty() {
		s.callTell(d)
	}
	return list
}

// callTell calls tell, and logs its panic.
func (s *shard) callTell(d Diff) {
	defer func() {
		if v := recover(); v != nil {
			s.failed("tell", v)
		}
	}()
	s.tell(s.t, d)
}

// failed logs that a function of the program panicked with v, or called runtime.Goexit if v is nil.
func (s *shard) failed(name string, v any) {
	if v == nil {
		v = "runtime.Goexit was called"
	}
	s.t.book.Say(notice.TrackerHook, slog.String("hook", name), slog.Any("error", v), redact.StackAttr())
}

// fold merges consecutive diffs. An entry that joined and then left is not in the result, nor is one that
// left and joined again, which happens when its node was down for a moment.
func fold(diffs []Diff) Diff {
	switch len(diffs) {
	case 0:
		return Diff{}
	case 1:
		return diffs[0]
	}
	// Joins and leaves of an entry alternate, so its sum is -1, 0 or 1.
	sum := make(map[*Entry]int8)
	for _, d := range diffs {
		for _, e := range d.Joins {
			sum[e]++
		}
		for _, e := range d.Leaves {
			sum[e]--
		}
	}
	var all Diff
	for _, d := range diffs {
		for _, e := range d.Joins {
			if sum[e] > 0 {
				all.Joins = append(all.Joins, e)
				sum[e] = 0
			}
		}
		for _, e := range d.Leaves {
			if sum[e] < 0 {
				all.Leaves = append(all.Leaves, e)
				sum[e] = 0
			}
		}
	}
	return all
}
