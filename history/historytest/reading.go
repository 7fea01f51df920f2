package historytest

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"github.com/bennu-go/bennu/history"
)

// readPages checks that a log is read in pages of Entries. Nodes read until More is false, so a page that
// says so before the head leaves them behind until the next entry, and one that never does keeps them
// reading.
func readPages(s *suite) {
	st := s.open()
	places := s.fill(st, "t", "b", 1, 25, history.AppendOptions{})
	after := uint64(0)
	for i, want := range []int{10, 10, 5} {
		p := s.read(st, "t", after, history.ReadOptions{Entries: 10})
		if !p.Known || len(p.Entries) != want || p.More != (i < 2) || p.Oldest != 0 || p.Head != *headOf(places[24]) {
			s.Fatalf("page %d: %d entries, want %d; Known %t, More %t, Oldest %d, Head %+v", i, len(p.Entries), want, p.Known, p.More, p.Oldest, p.Head)
		}
		for j := range p.Entries {
			if p.Entries[j].Place != places[10*i+j] {
				s.Errorf("page %d has %+v, want %+v", i, p.Entries[j].Place, places[10*i+j])
			}
		}
		after = p.Entries[want-1].Offset
	}
	if p := s.read(st, "t", after, history.ReadOptions{Entries: 10}); !p.Known || len(p.Entries) > 0 || p.More {
		s.Errorf("the page after the head: %+v, want a known place without entries", p)
	}
	// The last entry that fits leaves nothing over. A store that asks for one entry more than it returns,
	// to see whether any follow, is easily wrong here.
	if p := s.read(st, "t", places[14].Offset, history.ReadOptions{Entries: 10}); len(p.Entries) != 10 || p.More {
		s.Errorf("%d entries of 10, and More is %t", len(p.Entries), p.More)
	}
}

// readBytes checks that a page has at most Bytes of payloads, and at least one entry. Without the one entry, a
// reader would stay for ever before an entry that is larger than its bound.
func readBytes(s *suite) {
	st := s.open()
	for n := range uint64(10) {
		e := entry("b", n+1)
		e.Payload = bytes.Repeat([]byte("x"), 100)
		s.append(st, "t", e, history.AppendOptions{})
	}
	// 10 payloads of 100 bytes; a bound may be smaller than one of them, and just below or at a sum.
	for _, c := range []struct{ bytes, want int }{{1, 1}, {100, 1}, {199, 1}, {200, 2}, {350, 3}, {999, 9}, {1000, 10}, {1 << 20, 10}} {
		if p := s.read(st, "t", 0, history.ReadOptions{Bytes: c.bytes}); len(p.Entries) != c.want {
			s.Errorf("at most %d bytes: %d entries of 100 bytes, want %d", c.bytes, len(p.Entries), c.want)
		}
		if p := s.read(st, "t", 0, history.ReadOptions{Bytes: c.bytes, Newest: true}); len(p.Entries) != c.want {
			s.Errorf("the newest, at most %d bytes: %d entries of 100 bytes, want %d", c.bytes, len(p.Entries), c.want)
		}
	}
}

// readNewest checks that a log is read backwards in pages, each oldest first. Programs page up through a
// history so, and nodes read the entries for Rewind. Before is the offset of an entry that was read, or
// any other number.
func readNewest(s *suite) {
	st := s.open()
	if p := s.read(st, "t", 0, history.ReadOptions{Newest: true, Entries: 10}); len(p.Entries) > 0 || p.More {
		s.Errorf("the newest of a topic without a log: %+v", p)
	}
	places := s.fill(st, "t", "b", 1, 25, history.AppendOptions{})
	// The argument after must not matter, so it is that of some entry.
	before, end := uint64(0), 25
	for _, want := range []int{10, 10, 5} {
		p := s.read(st, "t", places[3].Offset, history.ReadOptions{Newest: true, Before: before, Entries: 10})
		if len(p.Entries) != want || p.More != (want == 10) {
			s.Fatalf("the newest before %d: %d entries, want %d, and More is %t", before, len(p.Entries), want, p.More)
		}
		for j := range p.Entries {
			if p.Entries[j].Place != places[end-want+j] {
				s.Errorf("the newest before %d have %+v, want %+v", before, p.Entries[j].Place, places[end-want+j])
			}
		}
		before, end = p.Entries[0].Offset, end-want
	}
	if p := s.read(st, "t", 0, history.ReadOptions{Newest: true, Before: before, Entries: 10}); len(p.Entries) > 0 || p.More {
		s.Errorf("nothing is before the first entry: %+v", p)
	}
	// Before need not be the offset of an entry.
	for _, before := range []uint64{places[24].Offset + 1, math.MaxInt64, math.MaxUint64} {
		p := s.read(st, "t", 0, history.ReadOptions{Newest: true, Before: before, Entries: 1})
		if len(p.Entries) != 1 || p.Entries[0].Place != places[24] {
			s.Errorf("the newest before %d: %+v, want the head", before, p.Entries)
		}
	}
}

// readPositions checks which places are known: entries, the head, and the one before the oldest entry.
//
// A place is the position of a client. If one that is not of the log were known, the client would be told that
// it has recovered, and would miss messages without notice. A client can send any number up to 1<<64-1.
func readPositions(s *suite) {
	st := s.open()
	// Numbers around the largest ones of float64, int64 and uint64, where stores count wrongly or wrap.
	far := []uint64{1_000_000_007, 1<<53 - 1, 1 << 53, 1<<53 + 1, 1 << 60, math.MaxInt64, 1 << 63, math.MaxUint64}
	s.known(st, "t", plenty, 0, true, "the place 0 of a topic without a log")
	for _, after := range append(far, 1) {
		s.known(st, "t", plenty, after, false, "another place of a topic without a log")
	}
	places := s.fill(st, "t", "b", 1, 12, history.AppendOptions{})
	others := s.fill(st, "u", "b", 1, 40, history.AppendOptions{})
	s.known(st, "t", plenty, 0, true, "the place before the first entry")
	for i, p := range places {
		if got := s.known(st, "t", plenty, p.Offset, true, "the place of an entry"); len(got.Entries) != len(places)-i-1 {
			s.Errorf("%d entries after entry %d of %d", len(got.Entries), i, len(places))
		}
	}
	newest := places[len(places)-1].Offset
	for _, after := range append(far, between(places), newest+1, newest+1024) {
		s.known(st, "t", plenty, after, false, "an offset of no entry")
	}
	// Offsets of topics in one stream are never equal, but those of a store that counts each topic are.
	for _, p := range others {
		if !slices.ContainsFunc(places, func(q history.Place) bool { return q.Offset == p.Offset }) {
			s.known(st, "t", plenty, p.Offset, false, "an offset of another topic")
		}
	}
}

// headsOfMany checks the heads of many topics, some of which have no log. Nodes ask for 500 topics at a
// time, all that they follow within Options.Check; the check asks for more, in case a store has a bound
// of its own.
func headsOfMany(s *suite) {
	st := s.open()
	if list := s.heads(st); len(list) != 0 {
		s.Errorf("%d heads of no topics", len(list))
	}
	var topics []string
	var want []history.Head
	for i := range 1200 {
		topic := fmt.Sprint("topic:", i)
		topics = append(topics, topic)
		want = append(want, history.Head{})
		if i%7 == 0 {
			want[i] = *headOf(s.append(st, topic, entry("b", 1), history.AppendOptions{}))
		}
	}
	// A topic may be asked for twice. The heads come in the order of the question.
	topics, want = append(topics, topics[7], topics[8]), append(want, want[7], want[8])
	for i, h := range s.heads(st, topics...) {
		if h != want[i] {
			s.Errorf("the head of topic %d is %+v, want %+v", i, h, want[i])
		}
	}
}
