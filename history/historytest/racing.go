package historytest

import (
	"fmt"
	"sync"
	"time"

	"github.com/bennu-go/bennu/history"
)

// writers is the number of boots that append at the same time.
const writers = 8

// placed are the places that one writer got, by topic and number. Numbers begin with 1, so number n is at n-1.
type placed map[string][]history.Place

// write appends n entries in turn to each topic, as one boot, and returns their places. It ends early
// when the check has failed.
func (s *suite) write(st history.Store, boot string, topics []string, n int, o history.AppendOptions) placed {
	got := make(placed)
	for i := range n {
		topic := topics[i%len(topics)]
		number := uint64(len(got[topic]) + 1)
		p, err := try(st, topic, entry(boot, number), o)
		if err != nil || p.Doubled {
			s.Errorf("Append of number %d of %q: %+v, %v", number, boot, p, err)
			return got
		}
		got[topic] = append(got[topic], p)
	}
	return got
}

// raceWriters has 8 boots at 2 nodes append to 4 topics, while readers follow. Then the logs must be what
// Append has told.
//
// Append must be atomic: a store that reads the head and then writes gives two entries the same Prev, and
// one of them is never delivered. A Read must be of one moment: one that joins two moments has a hole.
func raceWriters(s *suite) {
	stores := []history.Store{s.open(), s.open()}
	// Several topics, since a store may have locks or numbers that they share.
	topics := []string{"t0", "t1", "t2", "t3"}
	keep := plenty
	keep.Size = s.Appends + 1
	// What Append has told is compared with what is read in the end.
	told := make([]placed, writers)
	done := make(chan struct{})
	var all, readers sync.WaitGroup
	for i := range told {
		all.Go(func() {
			told[i] = s.write(stores[i%2], fmt.Sprint("boot", i), topics, s.Appends/writers, history.AppendOptions{Keep: keep})
		})
	}
	for i, topic := range topics {
		readers.Go(func() { s.follow(stores[i%2], topic, keep, done) })
	}
	all.Wait()
	close(done)
	readers.Wait()
	if s.Failed() {
		return
	}
	for _, topic := range topics {
		s.compare(stores[0], topic, keep, told)
	}
}

// compare checks the whole log of a topic: one chain, which has what Append has told and nothing else. It
// is read after all writers have ended, so nothing may be missing.
func (s *suite) compare(st history.Store, topic string, keep history.Keep, told []placed) {
	s.Helper()
	// Numbers of one boot come in order, since it has appended them one after the other. Those of several boots
	// may be mixed in any way.
	next := make(map[string]uint64) // the last number of each boot
	count, prev := 0, uint64(0)
	for _, e := range s.all(st, topic, 0, history.ReadOptions{Keep: keep}) {
		if e.Prev != prev {
			s.Fatalf("topic %s: the chain breaks at %d, whose Prev is %d and not %d", topic, e.Offset, e.Prev, prev)
		}
		prev = e.Offset
		next[e.Boot]++
		var i int
		if _, err := fmt.Sscanf(e.Boot, "boot%d", &i); err != nil || e.Number != next[e.Boot] || e.Number > uint64(len(told[i][topic])) {
			s.Fatalf("topic %s: number %d of %q after %d; those of one boot keep their order, each once", topic, e.Number, e.Boot, next[e.Boot]-1)
		}
		if want := told[i][topic][e.Number-1]; e.Place != want {
			s.Fatalf("topic %s: number %d of %q is at %+v, Append has returned %+v", topic, e.Number, e.Boot, e.Place, want)
		}
		count++
	}
	want := 0
	for _, w := range told {
		want += len(w[topic])
	}
	if count != want {
		s.Errorf("topic %s has %d entries, want %d", topic, count, want)
	}
}

// follow reads a topic to its head again and again, as a node that follows it, until done is closed. A
// place that it has reached stays known, unless it is trimmed away.
func (s *suite) follow(st history.Store, topic string, keep history.Keep, done <-chan struct{}) {
	after := uint64(0)
	for !s.Failed() {
		ended := false
		select {
		case <-done:
			ended = true
		default:
		}
		ctx, cancel := patient()
		o := &history.ReadOptions{Keep: keep, Entries: 100, Bytes: 1 << 20}
		p, err := st.Read(ctx, topic, after, o)
		cancel()
		if err != nil {
			s.Errorf("Read: %v", err)
			return
		}
		s.sound(topic, after, o, &p)
		switch {
		case !p.Known && keep.Size > s.Appends:
			s.Errorf("topic %s: place %d is not known any more", topic, after)
			return
		case !p.Known:
			after = p.Oldest // as a follower whose place was trimmed away
		case len(p.Entries) > 0:
			after = p.Entries[len(p.Entries)-1].Offset
		case ended:
			if after != p.Head.Offset {
				s.Errorf("topic %s: nothing comes after %d, and the head is %d", topic, after, p.Head.Offset)
			}
			return
		}
	}
}

// lookBack reads the newest entries again and again, until done is closed.
func (s *suite) lookBack(st history.Store, topic string, keep history.Keep, done <-chan struct{}) {
	for !s.Failed() {
		select {
		case <-done:
			return
		default:
		}
		ctx, cancel := patient()
		o := &history.ReadOptions{Keep: keep, Entries: 10, Bytes: 1 << 20, Newest: true}
		p, err := st.Read(ctx, topic, 0, o)
		cancel()
		if err != nil {
			s.Errorf("Read: %v", err)
			return
		}
		s.sound(topic, 0, o, &p)
	}
}

// raceTrimming has 8 boots append to a topic that is trimmed all the time, while readers follow. A Read
// that finds its entries trimmed away meanwhile must say that the place is not known, and must not leave
// entries out.
func raceTrimming(s *suite) {
	stores := []history.Store{s.open(), s.open()}
	// So few that a reader is overtaken now and then, and begins again at Oldest.
	keep := history.Keep{Size: 50, Bytes: 1 << 20, Age: time.Hour}
	done := make(chan struct{})
	var all, readers sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			s.write(stores[i%2], fmt.Sprint("boot", i), []string{"t"}, s.Appends/writers, history.AppendOptions{Keep: keep})
		})
	}
	for i := range stores {
		readers.Go(func() { s.follow(stores[i], "t", keep, done) })
	}
	readers.Go(func() { s.lookBack(stores[0], "t", keep, done) })
	all.Wait()
	close(done)
	readers.Wait()
	if s.Failed() {
		return
	}
	p := s.read(stores[0], "t", 0, history.ReadOptions{Keep: keep, Newest: true})
	if len(p.Entries) != min(50, s.Appends/writers*writers) {
		s.Errorf("%d entries are kept, want 50", len(p.Entries))
	}
}
