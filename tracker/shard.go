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

// shard runs one State.
type shard struct {
	t     *Tracker
	ps    *pubsub.PubSub
	topic string
	sub   *pubsub.Subscription
	began time.Time

	inbox      chan received // of other nodes
	inboxBytes atomic.Int64  // what they take in memory
	refused    atomic.Uint64 // what did not decode, or had no place in the inbox
	sentBytes  atomic.Uint64

	// turn holds a value while changes are told, from taking them on: who puts it there
	// knows that everything taken has been told. It is no mutex, because the user's
	// functions run meanwhile: those who wait for it wait as for any channel.
	turn chan struct{}
	tell func(*Tracker, Diff)

	mu     sync.Mutex
	state  *State
	diffs  []Diff        // not told yet
	folded int           // how many entries diffs had when it was folded last
	noted  int           // how many it has
	news   chan struct{} // there are some
}

// received is a message and what it takes in memory.
type received struct {
	*Message
	bytes int64
}

const (
	// inboxMessages and inboxBytes bound what waits for a State. What does not fit is
	// lost, which a State is made for. A message that is larger than all is taken when
	// none waits.
	inboxMessages = 256
	inboxBytes    = 16 << 20
	trackerEvent  = "tracker"
	// foldAfter is how many more entries than after the last time are noted before
	// changes that wait are folded: nobody else bounds them while tell does not return.
	foldAfter = 4096
)

func newShard(t *Tracker, ps *pubsub.PubSub, topic string, state *State, tell func(*Tracker, Diff)) *shard {
	return &shard{
		t: t, ps: ps, topic: topic, state: state, tell: tell, began: time.Now(),
		inbox: make(chan received, inboxMessages), turn: make(chan struct{}, 1), news: make(chan struct{}, 1),
	}
}

// Deliver implements pubsub.Subscriber.
func (s *shard) Deliver(d *pubsub.Dispatch) {
	if !d.Remote {
		return
	}
	m, err := Decode(d.Payload)
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

// receive keeps a message of another node, which had so many bytes on its way, if there is
// room.
func (s *shard) receive(m *Message, encoded int) bool {
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

// Gap implements pubsub.GapSubscriber: this node was cut off, and is back.
func (s *shard) Gap(string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Wake()
}

func (s *shard) now() time.Duration { return time.Since(s.began) }

// live calls run, and again when that did not return: the program's log and subscribers,
// which run calls, may end its goroutine.
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

// run tells the State the time and what others say.
func (s *shard) run(ctx context.Context) {
	period := s.state.Config().BroadcastPeriod
	// Nodes that were started together shall not all speak at once.
	timer := time.NewTimer(rand.N(period/4 + 1))
	defer timer.Stop()
	for {
		var out []*Message
		select {
		case <-ctx.Done():
			return
		case m := <-s.inbox:
			s.inboxBytes.Add(-m.bytes)
			s.mu.Lock()
			var diff Diff
			refused := s.state.stats.Refused
			diff, out = s.state.Receive(s.now(), m.Message)
			refused = s.state.stats.Refused - refused
			s.noteLocked(diff)
			s.mu.Unlock()
			if refused > 0 {
				s.t.book.Say(notice.TrackerRefused, notice.Foreign("peer", m.from.Name))
			}
		case <-timer.C:
			timer.Reset(period)
			s.mu.Lock()
			var diff Diff
			self := s.state.Self()
			diff, out = s.state.Tick(s.now())
			s.noteLocked(diff)
			risen := s.state.Self() != self
			s.mu.Unlock()
			if risen {
				s.t.book.Say(notice.TrackerSuperseded, slog.String("node", self.Name))
			}
		}
		s.send(out)
	}
}

// send sends what a State has to say. What is lost is said again.
func (s *shard) send(messages []*Message) {
	for _, m := range messages {
		data := m.Append(nil)
		s.sentBytes.Add(uint64(len(data)))
		pm := &pubsub.Message{Topic: s.topic, Event: trackerEvent, Payload: data, Binary: true}
		var err error
		if to, one := m.To(); one {
			err = s.ps.DirectBroadcast(to.Name, pm)
		} else {
			err = s.ps.BroadcastFrom(s, pm)
		}
		if err != nil {
			s.t.log.Debug("a message to other nodes was not taken", "error", err)
		}
	}
}

// goodbye ends the State in good order.
func (s *shard) goodbye() {
	s.mu.Lock()
	m := s.state.Goodbye()
	s.mu.Unlock()
	if m != nil {
		s.send([]*Message{m})
	}
}

// change makes a change of this node's own and returns the entry that joined.
func (s *shard) change(f func(*State) (Diff, error)) (*Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	diff, err := f(s.state)
	if err != nil {
		return nil, err
	}
	s.noteLocked(diff)
	return diff.Joins[0], nil
}

// noteLocked keeps a change until it is told.
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

// tellChanges tells of changes, in order; all that have come up at once.
func (s *shard) tellChanges(ctx context.Context) {
	returned := false
	defer func() {
		// The user's function has ended this goroutine with runtime.Goexit.
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

// alone calls f while nobody else tells.
func (s *shard) alone(f func()) {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	f()
}

// tellAll tells of every change so far, and returns what look makes of the State that
// they led to. It is called in turn.
func (s *shard) tellAll(look func(*State) []*Entry) []*Entry {
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

// callTell calls the user's function. Its panic is its own.
func (s *shard) callTell(d Diff) {
	defer func() {
		if v := recover(); v != nil {
			s.failed("tell", v)
		}
	}()
	s.tell(s.t, d)
}

// failed says that a function of the program's panicked, or ended its goroutine.
func (s *shard) failed(name string, v any) {
	if v == nil {
		v = "runtime.Goexit was called"
	}
	s.t.book.Say(notice.TrackerHook, slog.String("hook", name), slog.Any("error", v), redact.StackAttr())
}

// fold makes one Diff of several in a row: who joined and left between them was never
// there, and who left and joined again, as with a node that was down, was never away.
func fold(diffs []Diff) Diff {
	switch len(diffs) {
	case 0:
		return Diff{}
	case 1:
		return diffs[0]
	}
	// An entry joins and leaves in turn, so that its sum is -1, 0 or 1.
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
