package tracker

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A State is one replica: its own entries, and what it knows of the others'. It
// does no I/O, starts no goroutine and has no clock: its owner calls it from one
// goroutine at a time, tells it the time and sends the messages it returns.
type State struct {
	cfg    Config
	own    line
	sent   uint64 // own changes up to here have been broadcast
	topics map[string]*topic
	owners map[Owner]*Entry // the first of a chain through the entries
	index  index

	peers map[string]*peer // by node name: one incarnation of each
	order []*peer          // the same, in the order of their names
	gone  map[string]grave

	ticked  bool
	last    time.Duration // of the last Tick
	ticks   int
	silent  int // ticks since the last heartbeat
	beaten  bool
	stopped bool
	newer   uint64 // incarnation above ours that others know under our name
	risen   bool   // this replica has had another incarnation
	rose    time.Duration
	stats   Stats
	defect  defect
}

// NewState makes the replica self. An error says what to change.
func NewState(self Replica, cfg Config) (*State, error) {
	cfg, err := cfg.Resolved()
	if err != nil {
		return nil, err
	}
	if self.Name == "" || len(self.Name) > MaxName {
		return nil, fmt.Errorf("tracker: the node's name has %d bytes: give it 1 to %d", len(self.Name), MaxName)
	}
	if self.Incarnation == 0 {
		return nil, fmt.Errorf("tracker: the incarnation of %q is 0: give one that grows from start to start, such as the time", self.Name)
	}
	return &State{
		cfg:    cfg,
		own:    line{origin: newOrigin(self)},
		topics: map[string]*topic{},
		owners: map[Owner]*Entry{},
		index:  newIndex(),
		peers:  map[string]*peer{},
		gone:   map[string]grave{},
	}, nil
}

// Self is the replica that this is. Its incarnation may rise; see [State.Superseded].
func (s *State) Self() Replica { return s.own.id }

// Config is the configuration with its defaults filled in.
func (s *State) Config() Config { return s.cfg }

// List is the visible entries of a topic, of all replicas that are up, in no
// particular order. The slice is the caller's.
func (s *State) List(topic string) []*Entry {
	if t := s.topics[topic]; t != nil {
		return slices.Clone(t.visible)
	}
	return nil
}

// Count is the length of List.
func (s *State) Count(topic string) int {
	if t := s.topics[topic]; t != nil {
		return len(t.visible)
	}
	return 0
}

// Get is the visible entries of one key of a topic, in no particular order. Its cost does not
// grow with the topic.
func (s *State) Get(topic, key string) []*Entry {
	t := s.topics[topic]
	if t == nil {
		return nil
	}
	var found []*Entry
	for e := s.index.first(t, key); e != nil; e = e.nextInKey {
		if e.topic == t && e.Key() == key {
			found = append(found, e)
		}
	}
	return found
}

// Find is what an owner of this node tracks under a key of a topic, or nil.
func (s *State) Find(topic string, owner Owner, key string) *Entry {
	t := s.topics[topic]
	if t == nil {
		return nil
	}
	// The entry is in both chains, so the shorter one is enough: neither an owner
	// with many keys nor a key with many owners makes this slow.
	a, b := s.owners[owner], s.index.first(t, key)
	for a != nil && b != nil {
		if a.is(t, owner, key) {
			return a
		}
		if b.origin == s.own.origin && b.is(t, owner, key) {
			return b
		}
		a, b = a.nextOfOwner, b.nextInKey
	}
	return nil
}

// intern counts one more entry of a topic.
func (s *State) intern(name string) *topic {
	t := s.topics[name]
	if t == nil {
		// The name may be a piece of a larger string.
		name = strings.Clone(name)
		t = &topic{name: name, hash: s.index.hash(name)}
		s.topics[name] = t
	}
	t.entries++
	return t
}

// forget counts one entry less.
func (s *State) forget(t *topic) {
	if t.entries--; t.entries == 0 {
		delete(s.topics, t.name)
	}
}

// show makes an entry visible.
func (s *State) show(e *Entry, diff *Diff) {
	e.pos = uint32(len(e.topic.visible))
	e.topic.visible = append(e.topic.visible, e)
	s.index.add(e)
	diff.Joins = append(diff.Joins, e)
}

// hide makes a visible entry invisible.
func (s *State) hide(e *Entry, diff *Diff) {
	list := e.topic.visible
	end := len(list) - 1
	moved := list[end]
	list[e.pos], moved.pos = moved, e.pos
	list[end] = nil
	list = list[:end]
	if cap(list) > 64 && len(list) < cap(list)/4 {
		list = slices.Clone(list)
	}
	e.topic.visible = list
	s.index.remove(e)
	diff.Leaves = append(diff.Leaves, e)
}

// Status is how one replica is seen by another.
type Status struct {
	Replica
	// Up is false while its entries are hidden.
	Up bool
	// Entries is how many it has, hidden or not.
	Entries int
	// Behind says that it is known to have changes which have not arrived.
	Behind bool
	// Heard is when it was last heard, on the caller's clock.
	Heard time.Duration
}

// Replicas is the status of all others, in the order of their names.
func (s *State) Replicas() []Status {
	all := make([]Status, 0, len(s.order))
	for _, p := range s.order {
		all = append(all, Status{p.id, p.up, p.live, p.behind(), p.heard})
	}
	return all
}

// Stats counts since the start what an operator may want to know.
type Stats struct {
	// Entries and Topics are how many are here now, hidden ones included.
	Entries, Topics int
	// Gaps counts deltas that could not be merged because earlier ones are missing.
	Gaps uint64
	// Requests and Answers count what was asked of others and answered to them.
	Requests, Answers uint64
	// Refused counts messages of replicas that are known to be gone, of those that
	// Config.Replicas leaves no room for, and deltas over Config.Entries.
	Refused uint64
	// SentBytes is what a Tracker has handed to its PubSub; a State knows nothing of it.
	SentBytes uint64
}

// Stats is the counters and sizes as they are now.
func (s *State) Stats() Stats {
	st := s.stats
	st.Entries, st.Topics = s.own.live, len(s.topics)
	for _, p := range s.order {
		st.Entries += p.live
	}
	return st
}
