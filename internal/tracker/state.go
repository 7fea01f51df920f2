package tracker

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A state is one replica: its own entries, and the known entries of the others. It does no I/O, starts
// no goroutine and has no clock. Its user, a shard, calls it from one goroutine at a time, passes the
// time and received messages to it, and sends the messages that it returns.
type state struct {
	opts   Options
	own    line
	sent   uint64 // own changes up to this clock have been broadcast
	topics map[string]*topic
	owners map[Owner]*Entry // heads of chains through own entries
	index  index

	peers map[string]*peer // by node name: one incarnation of each
	order []*peer          // the same, in the order of their names
	gone  map[string]grave // ended incarnations, by node name

	ticked  bool
	last    time.Duration // time of the last tick
	ticks   int
	silent  int           // ticks since the last heartbeat
	beaten  bool          // a heartbeat was sent since the last wake; if not, the next tick sends one
	stopped bool          // after goodbye
	newer   uint64        // a higher incarnation of this name that others know, or 0
	risen   bool          // this replica has taken another incarnation
	rose    time.Duration // when
	stats   Stats
	defect  defect
}

// newState returns the state of the replica self, which must have an incarnation.
func newState(self replica, opts Options) (*state, error) {
	opts, err := opts.resolved()
	if err != nil {
		return nil, err
	}
	if self.name == "" || len(self.name) > maxName {
		return nil, fmt.Errorf("presence: the name of this node has %d bytes; use 1 to %d", len(self.name), maxName)
	}
	return &state{
		opts:   opts,
		own:    line{origin: newOrigin(self)},
		topics: map[string]*topic{},
		owners: map[Owner]*Entry{},
		index:  newIndex(),
		peers:  map[string]*peer{},
		gone:   map[string]grave{},
	}, nil
}

// self returns the name and incarnation of this replica. The incarnation may rise; see rise.
func (s *state) self() replica { return s.own.id }

// list returns the visible entries of a topic, of all replicas that are up, in no particular
// order. The slice belongs to the caller.
func (s *state) list(topic string) []*Entry {
	if t := s.topics[topic]; t != nil {
		return slices.Clone(t.visible)
	}
	return nil
}

// count returns the length of list.
func (s *state) count(topic string) int {
	if t := s.topics[topic]; t != nil {
		return len(t.visible)
	}
	return 0
}

// get returns the visible entries of a key of a topic, in no particular order. Its cost does
// not grow with the topic.
func (s *state) get(topic, key string) []*Entry {
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

// find returns the entry that an owner of this node tracks under a key of a topic, or nil.
func (s *state) find(topic string, owner Owner, key string) *Entry {
	t := s.topics[topic]
	if t == nil {
		return nil
	}
	// If there is such an entry, it is in both chains. The walk ends with the shorter one, so
	// neither an owner of many keys nor a key with many owners makes it slow.
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

// intern returns the topic of a name, which it makes if needed, and counts one more entry.
func (s *state) intern(name string) *topic {
	t := s.topics[name]
	if t == nil {
		// A clone, since the name may share the memory of a message.
		name = strings.Clone(name)
		t = &topic{name: name, hash: s.index.hash(name)}
		s.topics[name] = t
	}
	t.entries++
	return t
}

// forget subtracts one entry of a topic, and removes the topic with its last entry.
func (s *state) forget(t *topic) {
	if t.entries--; t.entries == 0 {
		delete(s.topics, t.name)
	}
}

// show makes an entry visible, and adds its join to diff.
func (s *state) show(e *Entry, diff *Diff) {
	e.pos = uint32(len(e.topic.visible))
	e.topic.visible = append(e.topic.visible, e)
	s.index.add(e)
	diff.Joins = append(diff.Joins, e)
}

// hide makes an entry invisible, and adds its leave to diff. The last entry of the topic's list takes its
// place.
func (s *state) hide(e *Entry, diff *Diff) {
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

// A Node is the state of another node as this one sees it. See presence.Node.
type Node struct {
	Name    string
	Up      bool // false while its entries are hidden
	Entries int  // also while they are hidden
	Behind  bool // this node lacks changes that the other has made
}

// nodes returns the others in the order of their names.
func (s *state) nodes() []Node {
	all := make([]Node, 0, len(s.order))
	for _, p := range s.order {
		all = append(all, Node{p.id.name, p.up, p.live, p.behind()})
	}
	return all
}

// Stats has sizes, and counters since the start. See presence.Stats.
type Stats struct {
	// Entries and Topics are the current numbers, those of hidden entries included.
	Entries, Topics int
	// Gaps counts deltas that were not merged because changes before them are missing.
	Gaps uint64
	// Requests counts requests to other replicas, Answers answers to requests of others.
	Requests, Answers uint64
	// Refused counts messages of ended replicas, and of new replicas above Options.replicas;
	// deltas with more entries than Options.Entries; and messages that did not decode or did
	// not fit into an inbox.
	Refused uint64
	// SentBytes counts the bytes of messages to other nodes.
	SentBytes uint64
}

// counters returns the stats of the state, all but SentBytes.
func (s *state) counters() Stats {
	st := s.stats
	st.Entries, st.Topics = s.own.live, len(s.topics)
	for _, p := range s.order {
		st.Entries += p.live
	}
	return st
}
