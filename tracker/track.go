package tracker

import (
	"fmt"
	"strings"
)

// Track adds an entry and returns the Diff with its join. The errors are
// ErrTracked, ErrTooLarge, ErrFull and ErrStopped. Topic, key and meta are copied.
func (s *State) Track(topic string, owner Owner, key string, meta []byte) (Diff, error) {
	if err := s.check(topic, key, meta); err != nil {
		return Diff{}, err
	}
	if s.Find(topic, owner, key) != nil {
		return Diff{}, ErrTracked
	}
	if s.own.live >= s.cfg.Entries {
		return Diff{}, ErrFull
	}
	var diff Diff
	s.own.clock++
	s.own.asOf = s.own.clock
	s.add(topic, owner, joined(key, meta), len(key), 0, &diff)
	return diff, nil
}

// Update replaces the meta of an entry and returns a Diff with the join of the new
// one, whose PrevRef is the Ref of the old one, and the leave of that. The
// errors are ErrNotTracked, ErrTooLarge and ErrStopped.
func (s *State) Update(topic string, owner Owner, key string, meta []byte) (Diff, error) {
	if err := s.check(topic, key, meta); err != nil {
		return Diff{}, err
	}
	old := s.Find(topic, owner, key)
	if old == nil {
		return Diff{}, ErrNotTracked
	}
	var diff Diff
	// The new one comes first, so that the topic lives through an update of its
	// only entry.
	clock := old.clock
	s.own.clock++
	s.own.asOf = s.own.clock
	s.add(topic, owner, joined(key, meta), len(key), clock, &diff)
	s.remove(old, &diff)
	s.own.compact()
	s.own.trim(s.cfg.History, s.sent)
	return diff, nil
}

// Untrack removes an entry and returns the Diff with its leave, or an empty one when
// there is no such entry.
func (s *State) Untrack(topic string, owner Owner, key string) Diff {
	var diff Diff
	if e := s.Find(topic, owner, key); e != nil {
		s.untrack(e, &diff)
	}
	return diff
}

// UntrackOwner removes all that an owner tracks, as when it ends, at a cost that
// depends on that alone.
func (s *State) UntrackOwner(owner Owner) Diff {
	var diff Diff
	for e := s.owners[owner]; e != nil; e = s.owners[owner] {
		s.untrack(e, &diff)
	}
	return diff
}

func (s *State) check(topic, key string, meta []byte) error {
	switch {
	case s.stopped:
		return ErrStopped
	case len(topic) > MaxTopic:
		return fmt.Errorf("%w: the topic has %d bytes, %d are allowed", ErrTooLarge, len(topic), MaxTopic)
	case len(key) > MaxKey:
		return fmt.Errorf("%w: the key has %d bytes, %d are allowed", ErrTooLarge, len(key), MaxKey)
	case len(meta) > MaxMeta:
		return fmt.Errorf("%w: the meta has %d bytes, %d are allowed", ErrTooLarge, len(meta), MaxMeta)
	}
	return nil
}

// joined is a copy of a key and a meta.
func joined(key string, meta []byte) string {
	if len(meta) == 0 {
		return strings.Clone(key) // nothing is added, so nothing would be copied
	}
	return key + string(meta)
}

// add makes an own entry with the clock as it is.
func (s *State) add(topic string, owner Owner, data string, keyLen int, prev uint64, diff *Diff) {
	e := &Entry{
		data:   data,
		topic:  s.intern(topic),
		origin: s.own.origin,
		owner:  owner,
		clock:  s.own.clock,
		prev:   prev,
		keyLen: uint32(keyLen),
	}
	if first := s.owners[owner]; first != nil {
		e.nextOfOwner, first.prevOfOwner = first, e
	}
	s.owners[owner] = e
	s.own.push(e)
	s.show(e, diff)
}

// untrack removes an own entry. The removal has a number of its own: whoever
// misses it sees that one is missing.
func (s *State) untrack(e *Entry, diff *Diff) {
	if s.defect != removalsWithoutNumber {
		s.own.clock++
		s.own.asOf = s.own.clock
	}
	s.remove(e, diff)
	s.own.compact()
	s.own.trim(s.cfg.History, s.sent)
}

// remove takes an own entry out and records that under the clock as it is.
func (s *State) remove(e *Entry, diff *Diff) {
	if e.prevOfOwner != nil {
		e.prevOfOwner.nextOfOwner = e.nextOfOwner
	} else if e.nextOfOwner != nil {
		s.owners[e.owner] = e.nextOfOwner
	} else {
		delete(s.owners, e.owner)
	}
	if e.nextOfOwner != nil {
		e.nextOfOwner.prevOfOwner = e.prevOfOwner
	}
	e.nextOfOwner, e.prevOfOwner = nil, nil
	if i := s.own.at(e.clock); i >= 0 {
		s.own.take(i)
	}
	if s.defect != removalsWithoutNumber {
		s.own.record(removal{dot: s.own.clock, tag: e.clock})
	}
	s.hide(e, diff)
	s.forget(e.topic)
}
