package tracker

import (
	"fmt"
	"strings"
)

// track adds an entry and returns the diff with its join. The errors are ErrTracked,
// ErrTooLarge, ErrFull and ErrClosed. Topic, key and meta are copied.
func (s *state) track(topic string, owner Owner, key string, meta []byte) (Diff, error) {
	if err := s.check(topic, key, meta); err != nil {
		return Diff{}, err
	}
	if s.find(topic, owner, key) != nil {
		return Diff{}, ErrTracked
	}
	if s.own.live >= s.opts.Entries {
		return Diff{}, ErrFull
	}
	var diff Diff
	s.own.clock++
	s.own.asOf = s.own.clock
	s.add(topic, owner, joined(key, meta), len(key), 0, &diff)
	return diff, nil
}

// update replaces an entry by one with another meta, and returns a diff with the join of the
// new entry and the leave of the old one, whose ref is the PrevRef of the new one. The errors
// are ErrNotTracked, ErrTooLarge and ErrClosed.
func (s *state) update(topic string, owner Owner, key string, meta []byte) (Diff, error) {
	if err := s.check(topic, key, meta); err != nil {
		return Diff{}, err
	}
	old := s.find(topic, owner, key)
	if old == nil {
		return Diff{}, ErrNotTracked
	}
	var diff Diff
	// The new entry is added first, so that the topic is kept if this is its only one.
	clock := old.clock
	s.own.clock++
	s.own.asOf = s.own.clock
	s.add(topic, owner, joined(key, meta), len(key), clock, &diff)
	s.remove(old, &diff)
	s.own.compact()
	s.own.trim(s.opts.History, s.sent)
	return diff, nil
}

// untrack removes an entry and returns the diff with its leave, which is empty if there is no
// such entry.
func (s *state) untrack(topic string, owner Owner, key string) Diff {
	var diff Diff
	if e := s.find(topic, owner, key); e != nil {
		s.leave(e, &diff)
	}
	return diff
}

// untrackOwner removes all entries of an owner. The cost depends only on their number.
func (s *state) untrackOwner(owner Owner) Diff {
	var diff Diff
	for e := s.owners[owner]; e != nil; e = s.owners[owner] {
		s.leave(e, &diff)
	}
	return diff
}

// check returns ErrClosed after goodbye, and ErrTooLarge for a length above its bound.
func (s *state) check(topic, key string, meta []byte) error {
	switch {
	case s.stopped:
		return ErrClosed
	case len(topic) > maxTopic:
		return fmt.Errorf("%w: the topic has %d bytes, %d are allowed", ErrTooLarge, len(topic), maxTopic)
	case len(key) > maxKey:
		return fmt.Errorf("%w: the key has %d bytes, %d are allowed", ErrTooLarge, len(key), maxKey)
	case len(meta) > MaxMeta:
		return fmt.Errorf("%w: the meta has %d bytes, %d are allowed", ErrTooLarge, len(meta), MaxMeta)
	}
	return nil
}

// joined returns a copy of a key and a meta in one string.
func joined(key string, meta []byte) string {
	if len(meta) == 0 {
		return strings.Clone(key) // + with an empty string does not copy
	}
	return key + string(meta)
}

// add makes an own entry with the current clock, and puts it at the head of its owner's chain.
func (s *state) add(topic string, owner Owner, data string, keyLen int, prev uint64, diff *Diff) {
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

// leave removes an own entry. The removal is a change with a number of its own, so others
// notice if they miss it.
func (s *state) leave(e *Entry, diff *Diff) {
	if s.defect != removalsWithoutNumber {
		s.own.clock++
		s.own.asOf = s.own.clock
	}
	s.remove(e, diff)
	s.own.compact()
	s.own.trim(s.opts.History, s.sent)
}

// remove removes an own entry and records the removal with the current clock.
func (s *state) remove(e *Entry, diff *Diff) {
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
