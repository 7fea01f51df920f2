package tracker

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bennu-go/bennu/internal/notice"
	"github.com/bennu-go/bennu/pubsub"
)

// shard runs one State.
type shard struct {
	t     *Tracker
	ps    *pubsub.PubSub
	topic string
	sub   *pubsub.Subscription
	self  Replica
	began time.Time

	inbox     chan *Message // of other nodes
	refused   atomic.Uint64 // what did not decode, or had no place in the inbox
	sentBytes atomic.Uint64

	// telling is held while changes are told, from taking them on: who holds it knows
	// that everything taken has been told.
	telling sync.Mutex
	tell    func(*Tracker, Diff)

	mu    sync.Mutex
	state *State
	diffs []Diff        // not told yet
	news  chan struct{} // there are some
}

const (
	// inboxMessages bounds what waits for a State. What does not fit is lost, which
	// a State is made for.
	inboxMessages = 256
	trackerEvent  = "tracker"
)

func newShard(t *Tracker, ps *pubsub.PubSub, topic string, state *State, tell func(*Tracker, Diff)) *shard {
	return &shard{
		t: t, ps: ps, topic: topic, state: state, tell: tell, self: state.Self(), began: time.Now(),
		inbox: make(chan *Message, inboxMessages), news: make(chan struct{}, 1),
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
	select {
	case s.inbox <- m:
	default:
		s.refused.Add(1)
		s.t.book.Say(notice.TrackerFull, slog.Int("limit", inboxMessages))
	}
}

// Gap implements pubsub.GapSubscriber: this node was cut off, and is back.
func (s *shard) Gap(string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Wake()
}

func (s *shard) now() time.Duration { return time.Since(s.began) }

// run tells the State the time and what others say.
func (s *shard) run(ctx context.Context) {
	period := s.state.Config().BroadcastPeriod
	// Nodes that were started together shall not all speak at once.
	timer := time.NewTimer(rand.N(period/4 + 1))
	defer timer.Stop()
	warned := false
	for {
		var out []*Message
		select {
		case <-ctx.Done():
			return
		case m := <-s.inbox:
			s.mu.Lock()
			var diff Diff
			refused := s.state.stats.Refused
			diff, out = s.state.Receive(s.now(), m)
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
			diff, out = s.state.Tick(s.now())
			s.noteLocked(diff)
			_, superseded := s.state.Superseded()
			s.mu.Unlock()
			if superseded && !warned {
				s.t.log.Error("other nodes know a later start of this node's name: another node has it too, or the clock went back; they do not see what is tracked here",
					"node", s.self.Name)
			}
			warned = superseded
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
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// tellChanges tells of changes, in order; all that have come up at once.
func (s *shard) tellChanges(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.news:
			s.telling.Lock()
			s.tellAll(nil)
			s.telling.Unlock()
		}
	}
}

// tellAll tells of every change so far, and returns what look makes of the State that
// they led to. It is called with telling held.
func (s *shard) tellAll(look func(*State) []*Entry) []*Entry {
	s.mu.Lock()
	diffs := s.diffs
	s.diffs = nil
	var list []*Entry
	if look != nil {
		list = look(s.state)
	}
	s.mu.Unlock()
	if d := fold(diffs); !d.Empty() {
		s.tell(s.t, d)
	}
	return list
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
