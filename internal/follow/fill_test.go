package follow

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// drainFrom reads from a position to the head, as a channel that is behind, and returns how many entries
// there were.
func drainFrom(t *testing.T, s *Subscription, p Position) (n int) {
	for {
		list, state := s.Next(p, 64, 64<<10)
		switch state {
		case Some:
			for _, e := range list {
				if e.Place.Prev != p.Offset {
					t.Errorf("%d follows %d", e.Place.Offset, p.Offset)
					return n
				}
				p = e.Position()
				n++
			}
		case AtHead:
			return n
		case Gone:
			t.Errorf("%v is gone", p)
			return n
		case Missing:
			done := make(chan struct{})
			s.Fill(p, func() { close(done) })
			<-done
		}
	}
}

// TestFillOnce reads the store once for many subscribers with different positions.
func TestFillOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1000, nil)
		defer w.close()
		list := w.append(1000)
		var tasks sync.WaitGroup
		for i := range 900 {
			tasks.Go(func() {
				s := w.join(new(box))
				p := positionOf(list[i])
				if after, reason, err := s.Find(t.Context(), p, 1000); after != 999-i || reason != "" || err != nil {
					t.Errorf("%d: %d, %q, %v", i, after, reason, err)
				}
				if n := drainFrom(t, s, p); n != 999-i {
					t.Errorf("%d: %d entries", i, n)
				}
			})
		}
		tasks.Wait()
		// A position that is older than all before it is read for.
		if n := w.store.readCount(); n > 10 {
			t.Errorf("%d reads", n)
		}
	})
}

// TestFillPages reads a long history page by page, while entries are taken and the ring is short.
func TestFillPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 6000, nil)
		defer w.close()
		w.topic.Entries = 100 // the ring is too short to hold the pages
		list := w.append(5500)
		b := new(box)
		s := w.join(b)
		more := w.append(300)
		w.tell(more...)
		if n := drainFrom(t, s, positionOf(list[0])); n != 5799 {
			t.Errorf("%d entries", n)
		}
		if n := w.store.readCount(); n != 6 {
			t.Errorf("%d reads", n)
		}
		if s := w.Stats(); s.Entries < 5000 {
			t.Errorf("%+v", s)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if s := w.Stats(); s.Entries != 1 {
			t.Errorf("after a while: %+v", s)
		}
	})
}

// TestFillFails calls done only when the store has answered.
func TestFillFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		w := newWorld(t, 100, nil)
		w.store.fail = func() error {
			if away.Load() {
				return errAway
			}
			return nil
		}
		defer w.close()
		list := w.append(20)
		s := w.join(new(box))
		away.Store(true)
		var called atomic.Int32
		s.Fill(positionOf(list[3]), func() { called.Add(1) })
		time.Sleep(time.Hour)
		synctest.Wait()
		if called.Load() != 0 {
			t.Error("done was called")
		}
		away.Store(false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if _, state := s.Next(positionOf(list[3]), 9, 999); called.Load() != 1 || state != Some {
			t.Errorf("called %d times, state %v", called.Load(), state)
		}
	})
}

// TestFillGone ends the wait for a position that is no place of the log, and for one of another epoch.
func TestFillGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 5, nil)
		defer w.close()
		list := w.append(10)
		s := w.join(new(box))
		for _, p := range []Position{
			positionOf(list[1]), {s.Head().Epoch, list[7].Place.Offset + 1 - 1}, {"otherone", 5}, {s.Head().Epoch, 0},
		} {
			done := make(chan struct{})
			s.Fill(p, func() { close(done) })
			<-done
			if _, state := s.Next(p, 9, 999); state == Missing {
				t.Errorf("%v is missing", p)
			}
		}
	})
}
