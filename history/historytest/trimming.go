package historytest

import (
	"bytes"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/waittest"
)

// kept checks that the log of "t" has the newest n of places, and no others.
func (s *suite) kept(st history.Store, keep history.Keep, places []history.Place, n int) {
	s.Helper()
	// The oldest place from which a reader can go on is the Prev of the oldest kept entry, which itself is
	// not kept any more.
	gone := places[:len(places)-n]
	oldest := places[len(gone)].Prev
	p := s.known(st, "t", keep, oldest, true, "the Prev of the oldest kept entry")
	if p.Oldest != oldest || len(p.Entries) != n || p.Head != *headOf(places[len(places)-1]) {
		s.Fatalf("%d entries are kept after %d, want %d after %d; the head is %+v", len(p.Entries), p.Oldest, n, oldest, p.Head)
	}
	for i := range p.Entries {
		if p.Entries[i].Place != places[len(gone)+i] {
			s.Errorf("kept entry %d is %+v, want %+v", i, p.Entries[i].Place, places[len(gone)+i])
		}
	}
	// Their offsets were positions of clients, which have missed the entries in between, and must be told so.
	for _, g := range gone {
		if g.Offset != oldest {
			s.known(st, "t", keep, g.Offset, false, "an entry that is not kept")
		}
	}
	if len(gone) > 0 {
		s.known(st, "t", keep, 0, false, "the place before the first entry, which is not kept")
	}
	back := s.read(st, "t", 0, history.ReadOptions{Keep: keep, Newest: true})
	if len(back.Entries) != n || back.Oldest != oldest {
		s.Errorf("with Newest, %d entries are kept after %d, want %d after %d", len(back.Entries), back.Oldest, n, oldest)
	}
	if n > 1 {
		back = s.read(st, "t", 0, history.ReadOptions{Keep: keep, Newest: true, Before: places[len(gone)+1].Offset})
		if len(back.Entries) != 1 {
			s.Errorf("with Newest, %d kept entries are before the second, want 1", len(back.Entries))
		}
	}
}

// trimSize checks that the newest Size entries are kept, whenever that is looked at. A store may remove
// entries later, some at a time, but must leave them out at once: what a client can have missed does not
// depend on when the store tidies up. A node with a smaller Size sees less, and removes nothing by
// looking.
func trimSize(s *suite) {
	st := s.open()
	keep := history.Keep{Size: 10, Bytes: 1 << 20, Age: time.Hour}
	var places []history.Place
	for n := uint64(1); n <= 35; n++ {
		places = append(places, s.append(st, "t", entry("b", n), history.AppendOptions{Keep: keep}))
		// Around the bound, and after a store that trims some entries at a time has had reason to do so.
		if n > 8 && n < 14 || n == 35 {
			s.kept(st, keep, places, min(int(n), 10))
		}
	}
	// A size of less than what is there leaves entries out.
	keep.Size = 4
	s.kept(st, keep, places, 4)
}

// trimBytes checks that the payloads of what is kept have at most Bytes, and that this is used: at least
// half of it, where there is as much.
func trimBytes(s *suite) {
	st := s.open()
	keep := history.Keep{Size: 1_000, Bytes: 1_000, Age: time.Hour}
	for n := uint64(1); n <= 60; n++ {
		e := entry("b", n)
		// Sizes from 20 to 200 bytes, so that it is not always one entry which leaves for one that comes.
		e.Payload = bytes.Repeat([]byte("x"), int(20+n%7*30))
		s.append(st, "t", e, history.AppendOptions{Keep: keep})
		oldest := s.read(st, "t", 0, history.ReadOptions{Keep: keep}).Oldest
		p := s.known(st, "t", keep, oldest, true, "the Prev of the oldest kept entry")
		if p.Oldest != oldest || len(p.Entries) == 0 || p.Entries[len(p.Entries)-1].Number != n {
			s.Fatalf("after number %d, %d entries are kept", n, len(p.Entries))
		}
		if got := payloads(p.Entries); got > keep.Bytes || got < keep.Bytes/2 && oldest != 0 {
			s.Errorf("%d bytes are kept, and Bytes is %d", got, keep.Bytes)
		}
	}
}

// trimAge checks that entries older than Age are left out, until only the head is known. The head stays
// known however old it is: a client that has all messages has lost nothing.
func trimAge(s *suite) {
	st := s.open()
	places := s.fill(st, "t", "b", 1, 5, history.AppendOptions{})
	s.kept(st, plenty, places, 5)
	// The entries are not removed by this, since the store keeps them for an hour: Read leaves them out.
	soon := plenty
	soon.Age = time.Millisecond
	head := places[4].Offset
	waittest.Until(s.TB, "entries that are older than Age are left out", func() bool {
		return s.read(st, "t", head, history.ReadOptions{Keep: soon}).Oldest == head
	})
	p := s.known(st, "t", soon, head, true, "the head, which is not kept")
	if len(p.Entries) > 0 || p.Head != *headOf(places[4]) {
		s.Errorf("%d entries are older than Age, and the head is %+v", len(p.Entries), p.Head)
	}
	for _, after := range []uint64{0, places[0].Offset, places[3].Offset} {
		s.known(st, "t", soon, after, false, "an entry that is older than Age")
	}
	if p := s.read(st, "t", 0, history.ReadOptions{Keep: soon, Newest: true}); len(p.Entries) > 0 {
		s.Errorf("the newest %d entries are older than Age", len(p.Entries))
	}
	// The chain goes on, whatever is kept.
	next := s.append(st, "t", entry("b", 6), history.AppendOptions{Keep: soon})
	if next.Prev != head || next.Epoch != places[0].Epoch {
		s.Errorf("%+v after an entry of offset %d that is not kept", next, head)
	}
	s.known(st, "t", plenty, next.Offset, true, "the head")
}

// trimLastValue checks a topic of which one entry is kept, such as that of a price: with Rewind, a client
// that joins gets the newest value. The place before the entry must be known, since such a client begins
// there.
func trimLastValue(s *suite) {
	st := s.open()
	keep := history.Keep{Size: 1, Bytes: 1 << 20, Age: time.Hour}
	var places []history.Place
	for n := uint64(1); n <= 5; n++ {
		places = append(places, s.append(st, "t", entry("b", n), history.AppendOptions{Keep: keep}))
		s.kept(st, keep, places, 1)
	}
}
