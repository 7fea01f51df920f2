package historytest

import (
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/bennu-go/bennu/history"
)

// conflicts checks that an append is refused because of After, and that nothing was appended. The
// conflict must have the head, since programs try again with it.
func (s *suite) conflicts(st history.Store, topic string, e *history.Entry, o history.AppendOptions, head history.Head) {
	s.Helper()
	p, err := try(st, topic, e, o)
	c, ok := errors.AsType[*history.Conflict](err)
	switch want := history.OffsetOf(history.Place{Epoch: head.Epoch, Offset: head.Offset}); {
	case !ok || !errors.Is(err, history.ErrConflict):
		s.Errorf("After %+v at the head %+v: %+v, %v, want a *Conflict", *o.After, head, p, err)
	case c.Head != want:
		s.Errorf("the conflict has the head %q, want %q", c.Head, want)
	}
	if h := s.head(st, topic); h != head {
		s.Errorf("the head is %+v after a conflict, want %+v as before", h, head)
	}
}

// afterHeads checks that an entry with After is appended if that is the head, and only then. The zero
// Head is that of a topic without a log. An entry that was refused must leave its number and its key
// free: the program appends it again with another After.
func afterHeads(s *suite) {
	st := s.open()
	s.conflicts(st, "t", entry("b", 1), history.AppendOptions{After: &history.Head{Epoch: "aaaaaaaa", Offset: 1}}, history.Head{})
	first := s.append(st, "t", entry("b", 1), history.AppendOptions{After: &history.Head{}})
	second := s.append(st, "t", entry("b", 2), history.AppendOptions{After: headOf(first)})
	head := *headOf(second)
	// An epoch that is not this one: offsets of two epochs may be equal.
	elsewhere := "aaaaaaaa"
	if head.Epoch == elsewhere {
		elsewhere = "bbbbbbbb"
	}
	for _, after := range []history.Head{{}, *headOf(first), {Epoch: head.Epoch, Offset: head.Offset + 1}, {Epoch: elsewhere, Offset: head.Offset}, {Epoch: head.Epoch}} {
		s.conflicts(st, "t", entry("b", 3), history.AppendOptions{After: &after, Key: "k"}, head)
	}
	// The number and the key of a refused entry are still free.
	if p := s.append(st, "t", entry("b", 3), history.AppendOptions{After: &head, Key: "k"}); p.Doubled || p.Prev != head.Offset {
		s.Errorf("%+v after %+v", p, head)
	}
}

// afterKeys checks that a key that was appended before counts more than After: the second try of an
// entry is no conflict with the first. A program that is told of a conflict would believe that another
// one was faster, though it was itself.
func afterKeys(s *suite) {
	st := s.open()
	first := s.append(st, "t", entry("b", 1), history.AppendOptions{After: &history.Head{}, Key: "k"})
	again := s.append(st, "t", entry("c", 1), history.AppendOptions{After: &history.Head{}, Key: "k"})
	s.doubled("a key that was appended is no conflict", again, first)
}

// afterNumbers checks that a number that was appended before counts more than After. This is the case of
// an answer that was lost; the node itself makes the second try.
func afterNumbers(s *suite) {
	st := s.open()
	first := s.append(st, "t", entry("b", 1), history.AppendOptions{After: &history.Head{}})
	again := s.append(st, "t", entry("b", 1), history.AppendOptions{After: &history.Head{}})
	s.doubled("a number that was appended is no conflict", again, first)
}

// afterAtOnce has several nodes count with After: each of them reads the newest value and appends one that
// is larger by 1, if no other node was faster. None of the additions may be lost.
func afterAtOnce(s *suite) {
	const nodes, each = 8, 25
	stores := []history.Store{s.open(), s.open()}
	var all sync.WaitGroup
	for i := range nodes {
		all.Go(func() {
			st, number := stores[i%2], uint64(0)
			for done := 0; done < each && !s.Failed(); {
				// The value and the head are of one moment, so the sum is right whoever comes in between.
				p := s.tryRead(st, "t", 1)
				value := 0
				if len(p.Entries) > 0 {
					value, _ = strconv.Atoi(string(p.Entries[0].Payload))
				}
				// A refused entry does not take its number, but a new number is as good.
				number++
				e := entry(fmt.Sprint("node", i), number)
				e.Payload = strconv.AppendInt(nil, int64(value+1), 10)
				_, err := try(st, "t", e, history.AppendOptions{After: &p.Head})
				switch {
				case err == nil:
					done++
				case !errors.Is(err, history.ErrConflict):
					s.Errorf("Append: %v", err)
				}
			}
		})
	}
	all.Wait()
	if s.Failed() {
		return
	}
	p := s.tryRead(stores[0], "t", 1)
	if len(p.Entries) != 1 || string(p.Entries[0].Payload) != strconv.Itoa(nodes*each) {
		s.Errorf("after %d additions of 1 the newest entry is %+v", nodes*each, p.Entries)
	}
}

// tryRead reads the newest n entries. An error fails the check, which goes on, so that any goroutine
// may call it.
func (s *suite) tryRead(st history.Store, topic string, n int) history.Piece {
	ctx, cancel := patient()
	defer cancel()
	p, err := st.Read(ctx, topic, 0, &history.ReadOptions{Keep: plenty, Entries: n, Bytes: 1 << 20, Newest: true})
	if err != nil {
		s.Errorf("Read: %v", err)
	}
	return p
}

// tooLarge checks that an entry that is larger than the store accepts is refused, and disturbs nothing.
// The error must be ErrTooLarge: after ErrUnavailable the node would try again until its time is over,
// and each publish to the topic would wait for it.
func tooLarge(s *suite) {
	if s.TooLarge == 0 {
		s.Skipf("Harness.TooLarge is 0")
	}
	st := s.open()
	first := s.append(st, "t", entry("b", 1), history.AppendOptions{})
	// The number and the key of the refused entry stay free: the program may send less under the same key.
	huge := entry("b", 2)
	huge.Payload, huge.Binary = make([]byte, s.TooLarge), true
	if p, err := try(st, "t", huge, history.AppendOptions{Key: "k"}); !errors.Is(err, history.ErrTooLarge) {
		s.Errorf("a payload of %d bytes: %+v, %v, want ErrTooLarge", s.TooLarge, p, err)
	}
	if p := s.append(st, "t", entry("b", 2), history.AppendOptions{Key: "k"}); p.Doubled || p.Prev != first.Offset {
		s.Errorf("the entry after one that is too large is at %+v", p)
	}
}
