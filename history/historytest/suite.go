package historytest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/bennu-go/bennu/history"
	"github.com/bennu-go/bennu/internal/waittest"
)

// suite is a running check, with its Harness. Checks call its methods in several goroutines.
type suite struct {
	testing.TB
	*Harness

	mu   sync.Mutex      // guards list
	list []history.Store // those that were opened, each once
}

// plenty keeps all that a check appends, unless it is about trimming.
var plenty = history.Keep{Size: 100_000, Bytes: 1 << 30, Age: time.Hour}

// open opens a store, which is closed when the check ends. A Harness may return one store several times;
// it is closed once.
func (s *suite) open() history.Store {
	s.Helper()
	st := s.Open(s.TB)
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.list, st) {
		return st
	}
	s.list = append(s.list, st)
	s.Cleanup(func() {
		ctx, cancel := patient()
		defer cancel()
		if err := st.Close(ctx); err != nil {
			s.Errorf("Close: %v", err)
		}
	})
	return st
}

// patient returns a context for what must not take longer. It does not end with the test, since
// functions of Cleanup use it, too. The time only ends a hang; no check is about how long a call takes.
func patient() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), waittest.Patience)
}

// entry returns an entry with a small payload, as package history makes it from a broadcast.
func entry(boot string, number uint64) *history.Entry {
	return &history.Entry{Event: "e", Payload: []byte("{}"), Boot: boot, Number: number}
}

// try appends an entry with plenty, unless o has a Keep, and returns what the store says. Any goroutine
// may call it.
func try(st history.Store, topic string, e *history.Entry, o history.AppendOptions) (history.Place, error) {
	ctx, cancel := patient()
	defer cancel()
	if o.Keep == (history.Keep{}) {
		o.Keep = plenty
	}
	return st.Append(ctx, topic, e, &o)
}

// append appends an entry, which must succeed. Like all methods that end the check, it is called by the
// goroutine of the check alone; others call try.
func (s *suite) append(st history.Store, topic string, e *history.Entry, o history.AppendOptions) history.Place {
	s.Helper()
	p, err := try(st, topic, e, o)
	if err != nil {
		s.Fatalf("Append to %.40q of number %d of %q: %v", topic, e.Number, e.Boot, err)
	}
	return p
}

// fill appends the numbers from first to last of a boot, and returns their places. The payloads have two bytes.
func (s *suite) fill(st history.Store, topic, boot string, first, last uint64, o history.AppendOptions) (places []history.Place) {
	s.Helper()
	for n := first; n <= last; n++ {
		places = append(places, s.append(st, topic, entry(boot, n), o))
	}
	return places
}

// read reads entries, which must succeed and be a sound piece of a chain. Zero values of o become
// plenty and no bounds.
func (s *suite) read(st history.Store, topic string, after uint64, o history.ReadOptions) history.Piece {
	s.Helper()
	if o.Keep == (history.Keep{}) {
		o.Keep = plenty
	}
	if o.Entries == 0 {
		o.Entries = 1_000
	}
	if o.Bytes == 0 {
		o.Bytes = 1 << 30
	}
	ctx, cancel := patient()
	defer cancel()
	p, err := st.Read(ctx, topic, after, &o)
	if err != nil {
		s.Fatalf("Read of %.40q: %v", topic, err)
	}
	s.sound(topic, after, &o, &p)
	return p
}

// sound checks a piece against what holds for all pieces, whatever the log has. Any goroutine may call
// it. Package history checks the same of each answer, and takes a piece that is not sound for no answer.
func (s *suite) sound(topic string, after uint64, o *history.ReadOptions, p *history.Piece) {
	s.Helper()
	list := p.Entries
	switch {
	case o.Newest && !p.Known:
		s.Errorf("topic %.40q: with Newest, Known is true", topic)
	case !p.Known && len(list)+int(boolInt(p.More)) > 0:
		s.Errorf("topic %.40q: a piece after a place that is not known has no entries, and not %d", topic, len(list))
	case len(list) > o.Entries:
		s.Errorf("topic %.40q: a piece of %d entries, want at most %d", topic, len(list), o.Entries)
	case len(list) > 1 && payloads(list) > o.Bytes:
		s.Errorf("topic %.40q: a piece of %d entries has %d bytes, want at most %d", topic, len(list), payloads(list), o.Bytes)
	case len(list) == 0 && p.More:
		s.Errorf("topic %.40q: More is set in a piece without entries", topic)
	}
	if len(list) == 0 {
		return
	}
	// The piece begins where it was asked for, and is a chain of one epoch.
	if first := list[0].Prev; !o.Newest && first != after {
		s.Errorf("topic %.40q: the first entry after %d has Prev %d", topic, after, first)
	}
	for i := range list {
		e := &list[i]
		if e.Epoch != p.Head.Epoch {
			s.Errorf("topic %.40q: an entry of epoch %q in a log of epoch %q", topic, e.Epoch, p.Head.Epoch)
		}
		if e.Prev >= e.Offset {
			s.Errorf("topic %.40q: offset %d has Prev %d; offsets rise", topic, e.Offset, e.Prev)
		}
		if i > 0 && e.Prev != list[i-1].Offset {
			s.Errorf("topic %.40q: the entry after %d has Prev %d; a piece is contiguous", topic, list[i-1].Offset, e.Prev)
		}
	}
	// What the piece says of the whole log fits to its entries, which it does not if the log has changed
	// between two questions of the store to its server.
	last := list[len(list)-1].Offset
	if last > p.Head.Offset || list[0].Prev < p.Oldest {
		s.Errorf("topic %.40q: entries after %d up to %d, and the log goes from %d to %d; a piece is of one moment", topic, list[0].Prev, last, p.Oldest, p.Head.Offset)
	}
	if !o.Newest && p.More == (last == p.Head.Offset) {
		s.Errorf("topic %.40q: More is %t after %d, and the head is %d", topic, p.More, last, p.Head.Offset)
	}
	if o.Newest && o.Before == 0 && last != p.Head.Offset {
		s.Errorf("topic %.40q: the newest entry is %d, and the head is %d; a piece is of one moment", topic, last, p.Head.Offset)
	}
	if o.Newest && p.More == (list[0].Prev == p.Oldest) {
		s.Errorf("topic %.40q: with Newest, More is %t before %d, and the oldest place is %d", topic, p.More, list[0].Offset, p.Oldest)
	}
}

// boolInt is 1 for true.
func boolInt(b bool) (n int) {
	if b {
		n = 1
	}
	return n
}

// payloads returns the sum of the sizes of payloads, in bytes, which is what the bounds of pages and of
// Keep count.
func payloads(list []history.Entry) (n int) {
	for i := range list {
		n += len(list[i].Payload)
	}
	return n
}

// all reads the log after a place in pages of o.Entries. The place must be known, and stay so: nothing is
// trimmed meanwhile.
func (s *suite) all(st history.Store, topic string, after uint64, o history.ReadOptions) (list []history.Entry) {
	s.Helper()
	for {
		p := s.read(st, topic, after, o)
		if !p.Known {
			s.Fatalf("topic %.40q: place %d is not known", topic, after)
		}
		list = append(list, p.Entries...)
		if !p.More || len(p.Entries) == 0 {
			return list
		}
		after = p.Entries[len(p.Entries)-1].Offset
	}
}

// head returns the head of one topic.
func (s *suite) head(st history.Store, topic string) history.Head {
	s.Helper()
	return s.heads(st, topic)[0]
}

// heads returns the heads of topics, in their order. It fails the check if there are more or fewer.
func (s *suite) heads(st history.Store, topics ...string) []history.Head {
	s.Helper()
	ctx, cancel := patient()
	defer cancel()
	list, err := st.Heads(ctx, topics)
	if err != nil {
		s.Fatalf("Heads: %v", err)
	}
	if len(list) != len(topics) {
		s.Fatalf("%d heads of %d topics", len(list), len(topics))
	}
	return list
}

// rotate rotates a topic, which must succeed, also if the epoch is not the current one.
func (s *suite) rotate(st history.Store, topic, epoch string) {
	s.Helper()
	ctx, cancel := patient()
	defer cancel()
	if err := st.Rotate(ctx, topic, epoch); err != nil {
		s.Fatalf("Rotate: %v", err)
	}
}

// headOf returns the head of a log whose newest entry is at a place.
func headOf(p history.Place) *history.Head { return &history.Head{Epoch: p.Epoch, Offset: p.Offset} }

// same reports whether two places are the same, without regard to Doubled, which is about a call and not about
// the entry.
func same(a, b history.Place) bool {
	a.Doubled, b.Doubled = false, false
	return a == b
}

// doubled checks the place of an entry that was appended before. law is the sentence for the failure.
func (s *suite) doubled(law string, got, want history.Place) {
	s.Helper()
	if !got.Doubled || !same(got, want) {
		s.Errorf("%s: got %+v, want the place of the first, %+v, with Doubled set", law, got, want)
	}
}

// known checks whether a place is known, and returns the piece after it. what names the place in the failure.
func (s *suite) known(st history.Store, topic string, keep history.Keep, after uint64, want bool, what string) history.Piece {
	s.Helper()
	p := s.read(st, topic, after, history.ReadOptions{Keep: keep})
	if p.Known != want {
		s.Errorf("%s: Known of %d is %t, want %t (oldest %d, head %+v)", what, after, p.Known, want, p.Oldest, p.Head)
	}
	return p
}

// between returns an offset of no entry next to one of the places, or one that is far away if the
// offsets are consecutive. A store that looks for the next entry in place of this very one takes it for known.
func between(places []history.Place) uint64 {
	for _, p := range places {
		if p.Prev+1 < p.Offset {
			return p.Offset - 1
		}
	}
	return places[len(places)-1].Offset + 1_000_000
}
